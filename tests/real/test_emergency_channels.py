"""An emergency call on a trunk without a free channel: a call that is being screened gives way."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from lab.asterisk import Asterisk
from lab.message import Message
from lab.ports import own_place
from lab.request import Request, sound_offer
from lab.scenario import Caller, Handset
from lab.sip import Telephone, telephone
from lab.sipp import Leg, Sipp, calling, handset

OUT = 480  # the company took the call and has nobody to answer it


class Trunk:
    """A telephone company with so many channels, one of which each of its ``callers`` takes."""

    def __init__(self, asterisk: Asterisk, channels: int, refuses_with: int) -> None:
        self.asterisk = asterisk
        self.channels = channels
        self.refuses_with = refuses_with
        self.callers: list[Sipp] = []

    def answer(self, request: Message) -> int:
        """Take a call of the household if there is a channel for it."""
        if request.method != "INVITE":
            return 200
        if self._is_full():
            time.sleep(0.1)  # SIPp tells of a BYE a moment after it came
        return self.refuses_with if self._is_full() else OUT

    def _is_full(self) -> bool:
        taken = sum(_goes_on(leg) for caller in self.callers for leg in caller.legs())
        return taken >= self.channels

    @asynccontextmanager
    async def calls(self, who: Caller) -> AsyncIterator[Sipp]:
        """Let somebody call the household over one of the channels."""
        async with calling(self.asterisk.place, who) as caller:
            self.callers.append(caller)
            yield caller

    async def dials(self, number: str) -> tuple[int, list[float]]:
        """Let the household dial.

        Return what it was told, and when the INVITEs of that came, in seconds after its own.
        """
        asterisk, place = self.asterisk, self.asterisk.place
        invite = Request(
            method="INVITE", uri=f"sip:{number}@{place.sip}", from_=f"<sip:handset@{place.sip}>",
            body=sound_offer(place.handset, 30_000),
        )  # fmt: skip
        async with (
            telephone(place.trunk_contact, place.sip, self.answer) as company,
            telephone(place.sip_port(place.handset), place.sip) as household,
        ):
            told = await household.ask(invite, password=asterisk.handset_password, seconds=10)
            return told.status, [came - _asked(household) for came in _moments(company)]

    def gave_way(self) -> int:
        """Return how many calls are told to have given way."""
        live = self.asterisk.recordings / "live"
        return sum("&gave_way=1&" in file.read_text() for file in live.glob("*.cdr"))


def _goes_on(leg: Leg) -> bool:
    return leg.outcome in {0, 200} and leg.ended_by_us is None


def _moments(phone: Telephone) -> list[float]:
    return [message.at for message in phone.requests("INVITE")]


def _asked(phone: Telephone) -> float:
    return [m for m in phone.messages if m.sent and m.is_request("INVITE")][-1].at


@asynccontextmanager
async def trunk_of(
    channels: int, prompts: Path, refuses_with: int = 503, *, known: bool = False
) -> AsyncIterator[Trunk]:
    """Start an Asterisk behind a trunk with so many channels, which it knows or not."""
    settings = {"ASTERISK_TRUNK_CHANNELS": str(channels) if known else ""}
    with own_place() as place:
        async with Asterisk(place, prompts=prompts, settings=settings) as asterisk:
            yield Trunk(asterisk, channels, refuses_with)
            await asterisk.idle()


@pytest_asyncio.fixture
async def trunk(quick_prompts: Path) -> AsyncIterator[Trunk]:
    """A trunk with one channel, as a home line has."""
    async with trunk_of(1, quick_prompts) as one:
        yield one


@pytest.mark.parametrize("refusal", [486, 503, 500, 403])
async def test_a_call_that_is_being_screened_gives_way(quick_prompts: Path, refusal: int) -> None:
    """However the trunk says that it is full: the second try has the channel."""
    async with trunk_of(1, quick_prompts, refusal) as trunk, trunk.calls(Caller()) as caller:
        await caller.sees(200)
        told, tries = await trunk.dials("119")
        assert told == OUT
        assert len(tries) <= 3
        assert tries[-1] < 1.5
        (leg,) = await caller.finished()
        assert leg.ended_by_us is False
        await trunk.asterisk.idle()
        assert trunk.gave_way() == 1


async def test_where_the_number_of_channels_is_known_no_try_is_lost(quick_prompts: Path) -> None:
    """The screened call's BYE comes before the one INVITE."""
    async with trunk_of(1, quick_prompts, known=True) as trunk, trunk.calls(Caller()) as caller:
        await caller.sees(200)
        told, tries = await trunk.dials("110")
        assert (told, len(tries)) == (OUT, 1)
        assert tries[0] < 0.5
        (leg,) = await caller.finished()
        assert leg.ended_by_us is False


async def test_with_a_free_channel_nobody_gives_way(quick_prompts: Path) -> None:
    """Of two, one is taken."""
    async with trunk_of(2, quick_prompts, known=True) as trunk, trunk.calls(Caller()) as caller:
        await caller.sees(200)
        told, tries = await trunk.dials("118")
        assert (told, len(tries)) == (OUT, 1)
        await caller.finished()
        assert trunk.gave_way() == 0


async def test_a_call_that_rings_gives_way_where_no_other_can(trunk: Trunk) -> None:
    """The handset stops ringing."""
    phone = handset(
        trunk.asterisk.place, Handset(answers_after=None), trunk.asterisk.handset_password
    )
    async with phone as ringing, trunk.calls(Caller()) as caller:
        await ringing.sees(180)
        told, tries = await trunk.dials("119")
        assert told == OUT
        assert tries[-1] < 1.5
        await caller.finished()
        await ringing.sees("CANCEL")
        await trunk.asterisk.idle()
        assert trunk.gave_way() == 1


async def test_of_two_the_one_that_does_not_ring_yet_gives_way(quick_prompts: Path) -> None:
    """The telephone of whoever is called goes on ringing."""
    async with trunk_of(2, quick_prompts) as trunk:
        phone = handset(
            trunk.asterisk.place, Handset(answers_after=4000, hangs_up_after=200),
            trunk.asterisk.handset_password,
        )  # fmt: skip
        async with phone as ringing, trunk.calls(Caller()) as first:
            await ringing.sees(180)
            async with trunk.calls(Caller(number="0451234567")) as second:
                await second.sees(200)
                told, _ = await trunk.dials("119")
                assert told == OUT
                await second.finished(5)
            await first.finished(20)
            assert [leg.at("CANCEL") for leg in ringing.legs()] == [None]
            assert ringing.legs()[0].at(200) is not None


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
async def test_people_who_talk_are_never_cut_off(quick_prompts: Path, *, known: bool) -> None:
    """The household is told that the trunk is full, at once."""
    async with trunk_of(1, quick_prompts, known=known) as trunk:
        phone = handset(
            trunk.asterisk.place, Handset(answers_after=50, hangs_up_after=3000),
            trunk.asterisk.handset_password,
        )  # fmt: skip
        async with phone as talking, trunk.calls(Caller()) as caller:
            await talking.sees("ACK")
            told, tries = await trunk.dials("119")
            assert (told, len(tries)) == (503, 1)
            assert caller.legs()[0].ended_by_us is None
            await caller.finished(10)
            (talk,) = talking.legs()
            assert talk.ended_by_us is True
        assert trunk.gave_way() == 0


async def test_an_emergency_call_back_never_gives_way(trunk: Trunk) -> None:
    """Though it only rings yet."""
    phone = handset(
        trunk.asterisk.place, Handset(answers_after=1500, hangs_up_after=100),
        trunk.asterisk.handset_password,
    )  # fmt: skip
    async with phone as ringing, trunk.calls(Caller(number="119")) as services:
        await ringing.sees(180)
        told, _ = await trunk.dials("110")
        assert told == 503
        (leg,) = await services.finished(10)
        assert leg.outcome == 200
    assert trunk.gave_way() == 0


@pytest.mark.parametrize("number", ["%237119", "0312345678"])
async def test_only_for_an_emergency_number_does_anybody_give_way(
    trunk: Trunk, number: str
) -> None:
    """Advice, or a friend, is to be called again."""
    async with trunk.calls(Caller()) as caller:
        await caller.sees(200)
        told, tries = await trunk.dials(number)
        assert (told, len(tries)) == (503, 1)
        await caller.finished(10)
    assert trunk.gave_way() == 0


async def test_a_trunk_that_refuses_although_nobody_calls_is_believed(quick_prompts: Path) -> None:
    """One try, and the household hears it at once."""
    async with trunk_of(0, quick_prompts) as trunk:
        told, tries = await trunk.dials("119")
    assert (told, len(tries)) == (503, 1)
