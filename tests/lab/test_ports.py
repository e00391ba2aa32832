"""Ports: who has which, and what is said when one is taken."""

import socket

import pytest

from lab import LabError
from lab.ports import (
    Address,
    Need,
    PortTakenError,
    own_place,
    place_of_environment,
    require_free,
)


def test_two_places_at_once_share_no_address() -> None:
    with own_place() as one, own_place() as other:
        assert {one.sip, one.ari, one.trunk, one.handset}.isdisjoint(
            {other.sip, other.ari, other.trunk, other.handset}
        )


def test_telephones_of_one_place_get_ports_of_their_own() -> None:
    with own_place() as place:
        ports = {place.sip_port(place.trunk) for _ in range(50)}
        assert len(ports) == 50
        assert place.media_port(place.trunk) != place.media_port(place.trunk)


@pytest.mark.parametrize(
    ("kind", "word"), [(socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")]
)
def test_a_taken_port_is_named_with_the_setting_that_moves_it(
    kind: socket.SocketKind, word: str
) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        need = Need(kind, Address("127.0.0.1", port), "SIP", "ASTERISK_SIP_BIND")
        with pytest.raises(PortTakenError, match=f"{word} port {port} .*ASTERISK_SIP_BIND"):
            require_free([need])
    require_free([need])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ASTERISK_SIP_BIND", "5060"),
        ("ASTERISK_SIP_BIND", "127.0.0.1:sip"),
        ("ASTERISK_ARI_PORT", "70000"),
        ("ASTERISK_ARI_PORT", ""),
        ("ASTERISK_RTP", "10000"),
    ],
)
def test_what_is_no_port_is_said_with_its_setting(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(LabError, match=setting):
        place_of_environment()
