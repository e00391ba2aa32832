"""Malice from the net: malformed SIP, scanners, and sound from where it should not come.

With FAULTS=full in the environment 10,000 malformed INVITEs; SEED makes them others.
"""

import asyncio
import os
import re
import socket
import struct
from collections import Counter
from pathlib import Path

from lab.listen import RATE, Sound, encode_ulaw, load, tone, tone_share
from lab.malice import malformed
from lab.message import Message
from lab.ports import Address, Place
from lab.request import Request, sound_offer
from lab.rtp import FRAME, ear
from lab.scenario import Caller, Handset
from lab.sip import Telephone, registration, telephone
from lab.sipp import calling, handset
from tests.faults.test_flood import AT_ONCE, FULL, Exchange, assert_returned, exchange

__all__ = ["exchange"]  # the fixture

MALFORMED = 10_000 if FULL else 320
SEED = int(os.environ.get("SEED", "1"))
ORDINARY = Caller(number="0451112222")
PACE = 0.002  # seconds between two messages of one thrower


async def throw(place: Place, source: str, seed: int, count: int) -> int:
    """Throw malformed INVITEs at Asterisk from an address; return how many answers came."""
    here = place.sip_port(source)
    answers = 0
    messages = malformed(seed, here, place.sip)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thrower:
        thrower.bind((here.host, here.port))
        thrower.setblocking(False)
        for _ in range(count):
            thrower.sendto(next(messages), (place.sip.host, place.sip.port))
            await asyncio.sleep(PACE)
            while True:
                try:
                    thrower.recv(65_535)
                except BlockingIOError:
                    break
                answers += 1
    return answers


async def test_malformed_invites_stop_no_ordinary_call_and_leave_nothing_behind(
    exchange: Exchange,
) -> None:
    """Half from the trunk's address, half from a stranger's; a row for each call that got in."""
    asterisk, place = exchange.asterisk, exchange.place
    programs = exchange.programs()
    memory = []
    for turn in (1, 2):
        ordinary = calling(place, ORDINARY, calls=10, per_second=3)
        async with handset(place, AT_ONCE, asterisk.handset_password), ordinary as callers:
            answers = await asyncio.gather(
                throw(place, place.trunk, SEED * 1000 + turn, MALFORMED // 4),
                throw(place, place.stranger, SEED * 1000 + 500 + turn, MALFORMED // 4),
            )
            legs = await callers.finished(120)
            await asterisk.idle(90)  # who was called last is answered, too
        assert all(answers)  # so they were read
        assert Counter(leg.outcome for leg in legs) == {200: 10}
        await exchange.written_up()
        calls = await exchange.screener.calls(20_000)
        assert len(calls) == await asterisk.calls_processed()
        assert all(call["ended_at"] for call in calls)
        got_in = [call for call in calls if call["caller"]["given"] == ORDINARY.number]
        assert [call["disposition"] for call in got_in] == ["answered"] * 10 * turn
        memory.append(await exchange.memory())
    assert exchange.programs() == programs
    assert exchange.complaints() == []
    assert "Invalid UTF-8" not in asterisk.log()  # ARI could tell of every channel
    assert_returned(memory)


# --- scanners -------------------------------------------------------------------------------------

NAMES = ["handset", "nobody-here", "100", "1000", "admin", "trunk", "test", "0398765432"]


def told_apart(answer: Message | None) -> str:
    """Return an answer without what differs from one request to the next anyway."""
    if answer is None:
        return "silence"
    text = answer.text
    for name in NAMES:
        text = text.replace(name, "NAME")
    text = re.sub(r'((?:nonce|opaque)=")[^"]*', r"\1-", text)
    text = re.sub(r"(tag=|branch=)[^;\s>]*", r"\1-", text)
    text = re.sub(r"(?m)^(Call-ID:|Via:) .*$", r"\1 -", text)
    return re.sub(r"(?m)^(From:|To:|Content-Length:) .*$", r"\1 -", text)


async def probe(scanner: Telephone, request: Request) -> Message | None:
    try:
        return await scanner.ask(request, user="x", seconds=1)
    except Exception:  # silence is an answer, too  # noqa: BLE001
        return None


async def test_a_scanner_sees_no_difference_between_a_user_there_is_and_one_there_is_not(
    exchange: Exchange,
) -> None:
    """REGISTER, OPTIONS, INVITE, SUBSCRIBE: the same bytes but for what is random anyway."""
    place = exchange.place
    offer = sound_offer(place.stranger, 30_000)

    def requests(name: str, scanner: Telephone) -> dict[str, Request]:
        account, uri = f"<sip:{name}@{place.sip}>", f"sip:{name}@{place.sip}"
        event = ("Event: presence",)
        return {
            "REGISTER": registration(scanner, name),
            "unregister all": registration(scanner, name, seconds=0),
            "OPTIONS": Request(method="OPTIONS", uri=uri, from_=account),
            "INVITE": Request(method="INVITE", uri=uri, from_=account, body=offer),
            "SUBSCRIBE": Request(method="SUBSCRIBE", uri=uri, from_=account, headers=event),
        }

    seen: dict[str, set[str]] = {}
    async with (
        handset(place, AT_ONCE, exchange.asterisk.handset_password),
        telephone(place.sip_port(place.stranger), place.sip) as scanner,
    ):
        for name in NAMES:
            for kind, request in requests(name, scanner).items():
                seen.setdefault(kind, set()).add(told_apart(await probe(scanner, request)))
    assert {kind: len(answers) for kind, answers in seen.items()} == dict.fromkeys(seen, 1), seen
    assert await exchange.asterisk.calls_processed() == 0


def open_ports(place: Place) -> list[int]:
    """Return the ports on which Asterisk awaits sound, as the kernel knows them."""
    host = "".join(f"{int(part):02X}" for part in reversed(place.sip.host.split(".")))
    known = Path("/proc/net/udp").read_text().splitlines()[1:]
    bound = [line.split()[1].split(":") for line in known]
    ports = {int(port, 16) for address, port in bound if address in {host, "00000000"}}
    return sorted(port for port in ports if place.rtp[0] <= port <= place.rtp[1])


async def tone_at_open_ports(place: Place, sound: Sound) -> int:
    """Say a sound to all of them from a stranger's address; return how many there are."""
    ports = open_ports(place)
    coded = encode_ulaw(sound)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((place.stranger, 0))
        for number in range(len(coded) // FRAME):
            head = struct.pack("!BBHII", 0x80, 0, number, number * FRAME, 0x666)
            packet = head + coded[number * FRAME : (number + 1) * FRAME]
            for port in ports:
                stranger.sendto(packet, (place.sip.host, port))
            await asyncio.sleep(FRAME / RATE)
    return len(ports)


async def test_sound_from_a_foreign_address_is_neither_heard_nor_recorded(
    exchange: Exchange,
) -> None:
    """A stranger sends a tone to every port Asterisk has open for the call."""
    place, password = exchange.place, exchange.asterisk.handset_password
    caller_ear = Address(place.trunk, place.media_port(place.trunk))
    handset_ear = Address(place.handset, place.media_port(place.handset))
    household = Handset(answers_after=200, hangs_up_after=3000, hears_at=handset_ear.port)
    async with (
        ear(caller_ear, says=tone(440.0, 30)) as at_caller,
        ear(handset_ear, says=tone(620.0, 30)) as at_handset,
        handset(place, household, password) as phone,
        calling(place, Caller(hears_at=caller_ear.port)) as caller,
    ):
        await phone.sees("ACK", seconds=20)
        flooding = asyncio.create_task(tone_at_open_ports(place, tone(1000.0, 2.5)))
        await caller.finished(40)
        assert await flooding >= 4  # both legs, sound and its control
    (call,) = await exchange.screener.ended_calls(1)
    sounds = load(Path(call["recording"]["path"]))
    for heard in (at_caller.heard()[1], at_handset.heard()[1], *sounds):
        assert tone_share(heard[-20_000:], 1000.0) < 0.01
    assert tone_share(sounds[0][-20_000:-2_000], 440.0) > 0.9
    assert tone_share(sounds[1][-20_000:-2_000], 620.0) > 0.9
