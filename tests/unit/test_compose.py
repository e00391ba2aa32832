"""compose.yaml: what a household must say, and what its containers may do."""

from pathlib import Path

import pytest

from images import ImagesError
from images.compose import fill_in, read_services

COMPOSE = Path(__file__).resolve().parents[2] / "compose.yaml"


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("${A}:5060", "one:5060"),
        ("${MISSING:-8088}", "8088"),
        ("${EMPTY:-ja}", "ja"),
        ("${MISSING:-${A}:5060}", "one:5060"),
        ("${A:?say it}${MISSING}", "one"),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, filled: str) -> None:
    assert fill_in(text, {"A": "one", "EMPTY": ""}) == filled


def test_without_a_trunk_nothing_starts_and_the_reason_says_what_to_set() -> None:
    with pytest.raises(ImagesError, match="TRUNK is not set: set it to the address"):
        read_services(COMPOSE, {})


def test_a_trunk_is_all_that_a_household_must_say() -> None:
    services = read_services(COMPOSE, {"TRUNK": "192.0.2.1"})
    asterisk = services["asterisk"].environment
    assert asterisk["ASTERISK_TRUNK"] == "192.0.2.1"
    assert asterisk["ASTERISK_TRUNK_CONTACT"] == "192.0.2.1:5060"
    screener = services["screener"].environment
    assert screener["SCREENER_ASTERISK__URL"].endswith(f":{asterisk['ASTERISK_ARI_PORT']}")


def test_both_find_passwords_and_recordings_in_the_same_places_and_speak_one_language() -> None:
    services = read_services(COMPOSE, {"TRUNK": "192.0.2.1"})
    shared = [
        {volume.source: volume.inside for volume in service.volumes if volume.named}
        for service in services.values()
    ]
    for name in ("recordings", "secrets"):
        assert shared[0][name] == shared[1][name]
    assert services["asterisk"].environment["SCREENER_LANGUAGE"] == "ja"
    assert services["screener"].environment["SCREENER_LANGUAGE"] == "ja"


@pytest.mark.parametrize(
    ("said", "otherwise", "what"),
    [("cap_drop: [ALL]", "cap_drop: []", "cap_drop"), ("driver: local", "driver: x", "logging")],
)
def test_a_service_that_may_do_or_write_more_than_it_must_is_refused(
    said: str, otherwise: str, what: str, tmp_path: Path
) -> None:
    loose = tmp_path / "compose.yaml"
    loose.write_text(COMPOSE.read_text().replace(said, otherwise, 1))
    with pytest.raises(ImagesError, match=what):
        read_services(loose, {"TRUNK": "192.0.2.1"})
