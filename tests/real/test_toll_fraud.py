"""Whoever is neither the trunk nor the handset with its password reaches nothing.

Judged from the outside: two telephones stand where Asterisk's legs would arrive, one as the
telephone company, one as the household's handset, and keep every request they get.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from lab import LabError
from lab.asterisk import Asterisk
from lab.message import Message
from lab.request import Request, response_to, sound_offer
from lab.scenario import Caller, Handset
from lab.sip import Telephone, registration, telephone
from lab.sipp import calling, handset

SILENCE = 0  # the status of a request that got no answer
REFUSED = {SILENCE, 400, 401, 403, 404, 405, 416, 481, 484, 489, 501}
PREMIUM = "0015551234567"


@dataclass
class World:
    """An Asterisk, the two places where its legs arrive, and how to try something."""

    asterisk: Asterisk
    company: Telephone
    household: Telephone

    @property
    def password(self) -> str:
        """The handset's password."""
        return self.asterisk.handset_password

    def invite(self, user: str, from_: str, *headers: str) -> Request:
        """Return an INVITE to a user at Asterisk, with an offer of sound."""
        sip = self.asterisk.place.sip
        offer = sound_offer(self.asterisk.place.stranger, 30_000)
        uri = f"sip:{user}@{sip}" if user else f"sip:{sip}"
        return Request(
            method="INVITE", uri=uri, to=f"<sip:0398765432@{sip}>", from_=from_, headers=headers,
            body=offer,
        )  # fmt: skip

    async def attempt(self, source: str, request: Request, password: str | None = None) -> int:
        """Send a request from an address; return the status of its final response."""
        here = self.asterisk.place.sip_port(source)
        async with telephone(here, self.asterisk.place.sip) as somebody:
            try:
                return (await somebody.ask(request, password=password, seconds=1)).status
            except LabError:
                return SILENCE

    def legs_out(self) -> list[str]:
        """Return where Asterisk sent INVITEs towards the telephone company."""
        return [invite.target for invite in self.company.requests("INVITE")]

    def rings(self) -> list[Message]:
        """Return the INVITEs at the household's handset."""
        return self.household.requests("INVITE")


@pytest_asyncio.fixture
async def world(asterisk: Asterisk) -> AsyncIterator[World]:
    """The company listens, and a busy handset is registered."""
    place = asterisk.place
    async with (
        telephone(place.trunk_contact, place.sip) as company,
        telephone(place.sip_port(place.handset), place.sip) as household,
    ):
        password = asterisk.handset_password
        assert (await household.ask(registration(household), password=password)).status == 200
        yield World(asterisk, company, household)
        gone = registration(household, seconds=0)
        assert (await household.ask(gone, password=password)).status == 200


@pytest.mark.parametrize("user", ["0312345678", PREMIUM, "110", "s", "h", "handset", "trunk", ""])
async def test_a_stranger_reaches_no_dialplan(world: World, user: str) -> None:
    """Whoever they claim to be: 401, no channel, nobody rings."""
    before = await world.asterisk.calls_processed()
    place = world.asterisk.place
    for from_ in (
        "<sip:0312345678@stranger>",
        f"<sip:handset@{place.sip}>",
        f"<sip:trunk@{place.trunk}>",
        "<sip:anonymous@anonymous.invalid>",
        f"<sip:{place.trunk}>",
    ):
        asserted = f"P-Asserted-Identity: <sip:0312345678@{place.trunk}>"
        request = world.invite(user, from_, asserted)
        assert await world.attempt(place.stranger, request) == 401
    assert await world.asterisk.calls_processed() == before
    assert not world.legs_out()
    assert not world.rings()


@pytest.mark.parametrize("user", ["handset", "trunk", "admin"])
async def test_a_wrong_password_registers_nobody_and_calls_nobody(world: World, user: str) -> None:
    """The answer is the same for users there are and users there are not."""
    place = world.asterisk.place
    async with telephone(place.sip_port(place.stranger), place.sip) as stranger:
        request = registration(stranger, user)
        registered = await stranger.ask(request, user=user, password="guess")
        called = await stranger.ask(
            world.invite(PREMIUM, f"<sip:{user}@{place.sip}>"), user=user, password="guess"
        )
    assert (registered.status, called.status) == (401, 401)
    contacts = await world.asterisk.cli("pjsip show contacts")
    assert place.stranger not in contacts
    assert not world.legs_out()
    assert not world.rings()


@pytest.mark.parametrize(
    "method", ["OPTIONS", "SUBSCRIBE", "MESSAGE", "REFER", "NOTIFY", "PUBLISH", "INFO", "UPDATE",
               "PRACK", "BYE"],
)  # fmt: skip
async def test_a_stranger_gets_no_service_by_any_method(world: World, method: str) -> None:
    """Messages, transfers and subscriptions are refused or go unheard."""
    place = world.asterisk.place
    headers = (
        f"Refer-To: <sip:{PREMIUM}@{place.trunk}>",
        "Event: presence",
        "Content-Type: text/plain",
    )
    for user in ("handset", "s"):
        request = Request(
            method=method, uri=f"sip:{user}@{place.sip}", from_="<sip:handset@stranger>",
            headers=headers,
        )  # fmt: skip
        assert await world.attempt(place.stranger, request) in REFUSED
    assert not world.legs_out()
    assert not world.rings()
    assert not world.household.requests("MESSAGE")


@pytest.mark.parametrize("method", ["REFER", "MESSAGE", "SUBSCRIBE", "REGISTER", "PUBLISH"])
async def test_the_trunk_cannot_transfer_register_or_send_texts(world: World, method: str) -> None:
    """From the telephone company come calls and nothing else."""
    place = world.asterisk.place
    headers = (
        f"Refer-To: <sip:{PREMIUM}@{place.trunk}>",
        f"Contact: <sip:handset@{place.trunk}:5999>",
        "Event: presence",
        "Content-Type: text/plain",
    )
    account = f"<sip:handset@{place.sip}>"
    request = Request(
        method=method, uri=f"sip:{place.sip}", from_=account, to=account, headers=headers
    )
    assert await world.attempt(place.trunk, request) in REFUSED
    assert f"{place.trunk}:5999" not in await world.asterisk.cli("pjsip show contacts")
    assert not world.legs_out()


CRAFTED = [
    PREMIUM,
    "+15551234567",
    "500&PJSIP/trunk/14155550100",
    "500%26PJSIP%2Ftrunk%2F14155550100",
    "500&PJSIP/14155550100",
    "500&PJSIP/14155550100%40trunk&PJSIP/9",
    "500&Local/0015551234567%40from-handset&PJSIP/9",
    "0015551234567,30,g",
    "s",
    "h",
    "i",
    "t",
    "handset",
    "from-handset",
    "emergency-call",
    "ended",
    "110%40trunk",
    "${SHELL(id)}",
    "$%7BSHELL(id)%7D",
    "1);exec(PJSIP",
    "*21*0015551234567%23",
    "3",
    "",
    "9" * 2_000,
]


@pytest.mark.parametrize("user", CRAFTED)
async def test_the_trunk_cannot_dial_out(world: World, user: str) -> None:
    """Whatever number it calls, only the handset may ring.

    The caller shows 110, so that the call walks the dialplan to its end at once.
    """
    place = world.asterisk.place
    request = world.invite(user, f"<sip:110@{place.trunk}>")
    status = await world.attempt(place.trunk, request)
    assert not world.legs_out()
    assert status in {486, *REFUSED}
    assert len(world.rings()) == (status == 486)
    # The same in the header from which the called line is read.
    crafted = replace(world.invite("3", f"<sip:110@{place.trunk}>"), to=f"<sip:{user}@{place.sip}>")
    status = await world.attempt(place.trunk, crafted)
    assert not world.legs_out()
    assert status in {486, *REFUSED}


SMUGGLED = f"Goto(from-handset,{PREMIUM},1"


@pytest.mark.parametrize("in_p_called_party_id", [False, True], ids=["To", "P-Called-Party-ID"])
@pytest.mark.parametrize(
    "called",
    [
        f'"x)" <sip:{SMUGGLED},@lab>',
        f'"x:{SMUGGLED}):" <sip:3@lab>',
        f"<sip:3@lab>;y=:{SMUGGLED})",
        f'"x)?{SMUGGLED}):{SMUGGLED}):" <sip:3@lab>',
        "<sip:${SHELL(touch /tmp/smuggled)}@lab>",
        '"x)" <sip:System(touch$IFS/tmp/smuggled@lab>',
    ],
)
async def test_the_header_that_names_the_line_names_no_application(
    world: World, called: str, *, in_p_called_party_id: bool
) -> None:
    """Neither the condition's branch taken nor the one not taken runs what the trunk sent."""
    place = world.asterisk.place
    both = (f"P-Called-Party-ID: {called}",) if in_p_called_party_id else ()
    for headers in (both, ("P-Called-Party-ID: <sip:0398765432@lab>",)):
        request = replace(world.invite("3", f"<sip:0312345678@{place.trunk}>", *headers), to=called)
        await world.attempt(place.trunk, request)
        assert not world.legs_out()
    assert not Path("/tmp/smuggled").exists()  # noqa: S108  (the name says so)


async def test_the_trunk_with_the_handsets_password_is_still_the_trunk(world: World) -> None:
    """It is known by its address first: a password does not make it the household."""
    place = world.asterisk.place
    request = world.invite(PREMIUM, f"<sip:handset@{place.sip}>")
    # Answered by the dialplan's warning: an incoming call, that is.
    assert await world.attempt(place.trunk, request, world.password) in {200, 486}
    assert not world.legs_out()


@pytest.mark.parametrize(
    "user",
    [
        "500&PJSIP/trunk/14155550100",
        "500%26PJSIP%2Ftrunk%2F14155550100",
        "500&PJSIP/14155550100",
        "500&PJSIP/14155550100%40trunk&PJSIP/9",
        "500&PJSIP/trunk/sip:14155550100@elsewhere",
        "500&PJSIP/trunk/1415@x",
        "500&Local/s%40incoming&PJSIP/9",
        "0312345678,30,gU(incoming)",
        "0312345678^30",
        "${SHELL(id)}",
        "1${EXTEN}",
        "s",
        "h",
        "check",
        "trunk",
        "0312345678/../h",
        "110&PJSIP/14155550100%40trunk",
        "110,30,gU(incoming)",
        "119%40trunk",
        "%237119&PJSIP/14155550100%40trunk",
    ],
)
async def test_the_handset_cannot_dial_what_is_not_a_number(world: World, user: str) -> None:
    """A second destination, an option or an expression never reaches Dial."""
    from_ = f"<sip:handset@{world.asterisk.place.sip}>"
    source = world.asterisk.place.handset
    status = await world.attempt(source, world.invite(user, from_), world.password)
    # Silence: not even a SIP address.
    assert status in {SILENCE, 404, 484}
    assert not world.legs_out()
    assert not world.rings()


@pytest.mark.parametrize(
    "number", ["110", "118", "119", "0312345678", "+15551234567", "1840312345678", "%237119"]
)
async def test_the_handset_dials_out_untouched(world: World, number: str) -> None:
    """One leg to the telephone company, for exactly the number dialled."""
    from_ = f"<sip:handset@{world.asterisk.place.sip}>"
    called = await world.household.ask(world.invite(number, from_), password=world.password)
    assert called.status == 486  # the company's own answer
    (target,) = world.legs_out()
    assert target.replace("#", "%23").startswith(f"sip:{number}@{world.company.here}")
    assert not world.rings()


async def test_a_forwarding_handset_does_not_send_a_caller_out(asterisk: Asterisk) -> None:
    """A telephone that answers 302 diverts nobody to a number that costs money."""
    place = asterisk.place

    def diverts(request: Message) -> int | str:
        contact = f"Contact: <sip:{PREMIUM}@{place.sip}>"
        return response_to(request, 302, contact) if request.method == "INVITE" else 200

    password = asterisk.handset_password
    async with (
        telephone(place.trunk_contact, place.sip) as company,
        telephone(place.sip_port(place.handset), place.sip, diverts) as household,
    ):
        await household.ask(registration(household), password=password)
        world = World(asterisk, company, household)
        await world.attempt(place.trunk, world.invite("3", f"<sip:110@{place.trunk}>"))
        await household.ask(registration(household, seconds=0), password=password)
        assert len(world.rings()) == 1
        assert not world.legs_out()


async def test_a_crafted_caller_runs_nothing_and_rings_only_the_handset(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    """Names and numbers that would be commands somewhere are warned, recorded and rung as text."""
    canary = tmp_path / "canary"
    crafted = [
        f"$(touch {canary})",
        f"`touch {canary}`",
        f"; touch {canary} ;",
        f"| touch {canary}",
        f"${{SHELL(touch {canary})}}",
        f"${{SYSTEM(touch {canary})}}",
        f"../../../../..{canary}",
        '" & PJSIP/trunk/14155550100 & "',
        '"] | 1 = 1 | ["',
        "${EXTEN}${CHANNEL}$[1/0]",
        "[red]x[/red]\x1b[2J",
        "名前" * 200,
    ]
    place = asterisk.place
    household = Handset(answers_after=50, hangs_up_after=50)
    live = asterisk.recordings / "live"
    before = set(live.glob("*.raw"))
    async with AsyncExitStack() as stack:
        company = await stack.enter_async_context(telephone(place.trunk_contact, place.sip))
        phone = await stack.enter_async_context(
            handset(place, household, asterisk.handset_password)
        )
        callers = [
            await stack.enter_async_context(calling(place, Caller(name=text))) for text in crafted
        ]
        ends = await asyncio.gather(*(caller.finished(40) for caller in callers))
        assert [leg.outcome for legs in ends for leg in legs] == [200] * len(crafted)
        assert len(phone.invited()) == len(crafted)
        assert not company.requests("INVITE")
    assert not canary.exists()
    recorded = {file.name for file in set(live.glob("*.raw")) - before}
    assert len(recorded) == len(crafted)
    assert all(name.removesuffix(".raw").replace(".", "").isdigit() for name in recorded)
