"""Addresses and ports on loopback: one network for each user of the laboratory, checked free."""

import contextlib
import fcntl
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab import LabError

NETWORKS = range(1, 250)
FIRST_ARI_PORT = 18_000
CALLER_PORTS = range(5_100, 9_900)
MEDIA_PORTS = range(20_000, 32_000)
PORTS_OF_ONE_SIPP = 400  # of media: two for each call, sound and its control


class PortTakenError(LabError):
    """A port that is needed is in use; str() is one line that names it and the setting."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port; written host:port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Need:
    """A port that something will listen on, for what, and the setting that moves it."""

    kind: socket.SocketKind
    address: Address
    purpose: str
    setting: str


def is_free(kind: socket.SocketKind, address: Address) -> bool:
    """Say whether a port can be listened on now."""
    with socket.socket(socket.AF_INET, kind) as trial:
        if kind is socket.SOCK_STREAM:
            # A connection that lingers in TIME_WAIT is no listener.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address.host, address.port))
        except OSError:
            return False
    return True


def require_free(needs: Iterable[Need]) -> None:
    """Raise PortTakenError for the first port that something else is using."""
    for need in needs:
        if not is_free(need.kind, need.address):
            kind = "TCP" if need.kind is socket.SOCK_STREAM else "UDP"
            raise PortTakenError(
                f"{kind} port {need.address.port} of {need.address.host}, needed for"
                f" {need.purpose}, is already in use: end what uses it, or set {need.setting}"
            )


@dataclass(frozen=True)
class Place:
    """Where the exchange and everyone around it live: addresses of their own on loopback.

    ``sip`` is Asterisk's; the telephone company (``trunk``) has an address of its own, since that
    is what it is known by, and takes the household's calls on ``trunk_contact``.
    """

    sip: Address
    ari: Address
    trunk: str
    trunk_contact: Address
    handset: str
    stranger: str
    rtp: tuple[int, int]
    _next: dict[str, int] = field(default_factory=dict, compare=False, repr=False)

    def needs(self) -> list[Need]:
        """Return the ports that Asterisk will listen on; the sound's are many, one will do."""
        first = Address(self.sip.host, self.rtp[0])
        return [
            Need(socket.SOCK_DGRAM, self.sip, "SIP", "ASTERISK_SIP_BIND"),
            Need(socket.SOCK_STREAM, self.ari, "ARI", "ASTERISK_ARI_PORT"),
            Need(socket.SOCK_DGRAM, first, "sound (RTP)", "ASTERISK_RTP"),
        ]

    def sip_port(self, host: str) -> Address:
        """Return a free address for one more telephone on ``host``; another each time."""
        return self._take(host, CALLER_PORTS, 1)

    def media_port(self, host: str) -> int:
        """Return the first of a run of ports for the sound of one SIPp or one telephone."""
        return self._take(host, MEDIA_PORTS, PORTS_OF_ONE_SIPP).port

    def _take(self, host: str, ports: range, count: int) -> Address:
        kind = f"{host} {ports.start}"
        turns = len(ports) // count
        for _ in range(turns):
            turn = self._next.get(kind, 0)
            self._next[kind] = (turn + 1) % turns
            address = Address(host, ports.start + turn * count)
            if is_free(socket.SOCK_DGRAM, address):
                return address
        raise LabError(f"no UDP port free on {host} from {ports.start} to {ports.stop - 1}")


@contextlib.contextmanager
def own_place() -> Iterator[Place]:
    """Lend a place that nobody else on this machine has: one for each test worker.

    Each is a network 127.77.N.x of its own, held by a lock that ends with this process.
    """
    locks = Path(tempfile.gettempdir()) / f"exchange-places-{os.getuid()}"
    locks.mkdir(exist_ok=True, mode=0o700)
    for number in NETWORKS:
        with (locks / str(number)).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            place = _numbered(number)
            if all(is_free(need.kind, need.address) for need in place.needs()):
                yield place
                return
    raise LabError("no network 127.77.N.x is free on this machine")


def _numbered(number: int) -> Place:
    network = f"127.77.{number}"
    return Place(
        sip=Address(f"{network}.1", 5060),
        ari=Address("127.0.0.1", FIRST_ARI_PORT + number),
        trunk=f"{network}.2",
        trunk_contact=Address(f"{network}.2", 5060),
        handset=f"{network}.3",
        stranger=f"{network}.9",
        rtp=(10_000, 19_999),
    )


def place_of_environment() -> Place:
    """Return the place that ``config/asterisk/start`` takes from the same variables.

    The defaults are the same too. LabError for what is no address or port.
    """
    return Place(
        sip=_address("ASTERISK_SIP_BIND", "0.0.0.0:5060"),
        ari=Address("127.0.0.1", _port("ASTERISK_ARI_PORT", os.environ.get("ASTERISK_ARI_PORT"))),
        trunk=os.environ.get("ASTERISK_TRUNK", "127.0.0.2"),
        trunk_contact=_address("ASTERISK_TRUNK_CONTACT", "127.0.0.2:5060"),
        handset="127.0.0.3",
        stranger="127.0.0.9",
        rtp=_range("ASTERISK_RTP", os.environ.get("ASTERISK_RTP", "10000-19999")),
    )


def _address(setting: str, default: str) -> Address:
    host, colon, port = os.environ.get(setting, default).rpartition(":")
    if not (colon and host):
        raise LabError(f"{setting}={os.environ[setting]}: an address and a port, like {default}")
    return Address(host, _port(setting, port))


def _port(setting: str, text: str | None) -> int:
    given = "8088" if text is None else text
    if not (given.isascii() and given.isdigit() and 0 < int(given) < 65_536):
        raise LabError(f"{setting}={given}: a port is a number from 1 to 65535")
    return int(given)


def _range(setting: str, text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not dash:
        raise LabError(f"{setting}={text}: a first and a last port, like 10000-19999")
    return _port(setting, first), _port(setting, last)
