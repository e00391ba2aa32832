"""What is measured of a long list: what counts is the worst, not what is usual."""

from bench.lists import stall_figures


def test_one_long_stall_among_many_short_ones_is_missed() -> None:
    assert any(each.missed for each in stall_figures([1.0, 4.0], [2.0] * 49 + [15.0]))


def test_what_the_machine_does_without_a_replacement_is_not_the_lists_doing() -> None:
    assert not any(each.missed for each in stall_figures([1.0, 40.0], [2.0] * 49 + [45.0]))
