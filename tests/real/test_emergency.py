"""Emergency calls, out and back in: whoever rings back is never warned, recorded or delayed.

Judged from both wires. The household's telephone is busy, so that whoever reaches it at once gets
486; whoever is screened is answered (200) by the warning.
"""

import asyncio
import re
import resource
import shutil
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.asterisk import TOP, Asterisk
from lab.ports import Address, own_place
from lab.process import until
from lab.request import Request, sound_offer
from lab.scenario import Handset
from lab.sip import Telephone, registration, telephone
from lab.sipp import company

RANG, SCREENED = 486, 200
WITHHELD = '"Anonymous" <sip:anonymous@anonymous.invalid>'


def to_dial(asterisk: Asterisk, number: str) -> Request:
    """Return the handset's INVITE for a number."""
    sip = asterisk.place.sip
    return Request(
        method="INVITE", uri=f"sip:{number.replace('#', '%23')}@{sip}",
        from_=f"<sip:handset@{sip}>", body=sound_offer(asterisk.place.handset, 30_000),
    )  # fmt: skip


@dataclass
class World:
    """An Asterisk without a screener, its telephone company, and a household that is busy."""

    asterisk: Asterisk
    company: Telephone
    household: Telephone

    async def dials(self, number: str) -> int:
        """Let the household dial; return what it was told."""
        invite = to_dial(self.asterisk, number)
        password = self.asterisk.handset_password
        return (await self.household.ask(invite, password=password)).status

    async def called_by(self, from_: str, to: str = "0398765432") -> int:
        """Let somebody call through the trunk, with this From; return what they were told."""
        place = self.asterisk.place
        shown = from_ if "<" in from_ else f"<sip:{from_}@lab>"
        invite = Request(
            method="INVITE", uri=f"sip:{to}@{place.sip}", from_=shown,
            body=sound_offer(place.trunk, 30_000),
        )  # fmt: skip
        async with telephone(place.sip_port(place.trunk), place.sip) as caller:
            return (await caller.ask(invite)).status

    def kept(self) -> int:
        """Return until when the household's window is open, as it is on the disk."""
        return int(self.asterisk.kept("/emergency/home").get("/emergency/home") or 0)


@asynccontextmanager
async def household_of(asterisk: Asterisk, here: Address | None = None) -> AsyncIterator[World]:
    """Plug in the telephones on both sides, the household's ``here``."""
    place = asterisk.place
    async with (
        telephone(place.trunk_contact, place.sip) as company,
        telephone(here or place.sip_port(place.handset), place.sip) as household,
    ):
        answer = await household.ask(registration(household), password=asterisk.handset_password)
        assert answer.status == 200
        yield World(asterisk, company, household)


@asynccontextmanager
async def world(prompts: Path, **settings: str) -> AsyncIterator[World]:
    """Start an Asterisk of one's own, with these settings."""
    with own_place() as place:
        async with (
            Asterisk(place, prompts=prompts, settings=settings) as asterisk,
            household_of(asterisk) as people,
        ):
            yield people


COUNTRIES = {
    "JP": {"110", "118", "119"},
    "US": {"911", "112"},
    "GB": {"999", "112"},
    "DE": {"110", "112"},
    "FR": {"15", "17", "18", "112"},
}
ALIKE = [
    "+{}", "0{}", "{}0", "81{}", "{}%29%3A0", "{}%29%3A0%3A3", "{}%2C1", "%22{}", "{}%22",
    "{}%22%20%7C%20%221%22%20=%20%221", "{}%0A", "%20{}",
]  # fmt: skip


@pytest.mark.parametrize("country", COUNTRIES)
async def test_the_countrys_own_emergency_numbers_ring_at_once_and_only_those(
    quick_prompts: Path, country: str
) -> None:
    """What merely looks like one is screened."""
    everywhere = set().union(*COUNTRIES.values())
    async with world(quick_prompts, SCREENER_COUNTRY=country.lower()) as people:
        for number in sorted(everywhere):
            expected = RANG if number in COUNTRIES[country] else SCREENED
            assert await people.called_by(number) == expected, number
        example = min(COUNTRIES[country])
        for shape in ALIKE:
            assert await people.called_by(shape.format(example)) == SCREENED, shape
        await people.asterisk.idle()
        assert not people.company.requests("INVITE")


@pytest.mark.parametrize("number", ["110", "118", "119", "184110", "186119", "#7119", "#9110"])
async def test_after_a_call_for_help_everybody_rings_at_once(
    quick_prompts: Path, number: str
) -> None:
    """From abroad, withheld, whoever: not answered before the household does, not recorded."""
    async with world(quick_prompts) as people:
        assert await people.called_by("0312345678") == SCREENED
        await people.asterisk.idle()
        live = people.asterisk.recordings / "live"
        before = set(live.glob("*.raw"))
        assert await people.dials(number) == 486  # the company's own answer
        for caller in ("0312345678", "+18005551234", WITHHELD, number.lstrip("#")):
            assert await people.called_by(caller) == RANG, caller
        await people.asterisk.idle()
        assert set(live.glob("*.raw")) == before
        told = [file.read_text() for file in live.glob("*.cdr")]
    assert sum("&window=1&" in line for line in told) >= 3
    assert sum("direction=outgoing" in line for line in told) == 1


@pytest.mark.parametrize("number", ["0312345678", "1190", "7119", "#71190", "*#7119", "117"])
async def test_another_call_opens_no_window(quick_prompts: Path, number: str) -> None:
    """Nor does one whose number only holds an emergency number."""
    async with world(quick_prompts) as people:
        await people.dials(number)
        assert await people.called_by("0312345678") == SCREENED
        assert people.kept() == 0


async def test_a_site_says_which_numbers_open_the_window_and_for_how_long(
    quick_prompts: Path,
) -> None:
    """An alarm centre's instead of the usual two; the time is on the disk within two seconds."""
    settings = {"ASTERISK_EMERGENCY_NUMBERS": "0120999999,*5", "ASTERISK_EMERGENCY_MINUTES": "7"}
    async with world(quick_prompts, **settings) as people:
        await people.dials("#7119")
        assert await people.called_by("0312345678") == SCREENED
        began = time.time()
        await people.dials("0120999999")
        assert await people.called_by("0312345678") == RANG
        await until(lambda: people.kept() or None, 3, "the window on the disk")
        assert began + 7 * 60 - 1 <= people.kept() <= time.time() + 7 * 60


async def test_without_minutes_there_is_no_window(quick_prompts: Path) -> None:
    """Emergency services themselves ring at once all the same."""
    async with world(quick_prompts, ASTERISK_EMERGENCY_MINUTES="0") as people:
        await people.dials("119")
        assert await people.called_by("0312345678") == SCREENED
        assert await people.called_by("119") == RANG


async def test_a_window_ends(quick_prompts: Path) -> None:
    """A second before its end everybody rings, a second after it nobody unscreened."""
    async with world(quick_prompts) as people:
        await people.dials("119")
        await people.asterisk.idle()

        async def ends_at(moment: float) -> None:
            await people.asterisk.cli(f"database put emergency home {int(moment)}")
            await people.asterisk.cli(f"dialplan set global WINDOW_OF_home {int(moment)}")

        await ends_at(time.time() + 10)
        assert await people.called_by("0312345678") == RANG
        await ends_at(time.time() - 1)
        assert await people.called_by("0312345678") == SCREENED


async def test_the_end_of_the_call_opens_the_window_again(quick_prompts: Path) -> None:
    """The hour is counted from when they stopped talking."""
    other = Handset(answers_after=50, hangs_up_after=2500)
    with own_place() as place:
        async with (
            Asterisk(place, prompts=quick_prompts) as asterisk,
            company(place, other),
            telephone(place.sip_port(place.handset), place.sip, lambda _: 200) as household,
        ):
            began = time.time()
            await household.ask(
                to_dial(asterisk, "119"), password=asterisk.handset_password, stays=True
            )
            await until(lambda: household.requests("BYE") or None, 5, "the end of the call")
            ended = time.time()
            await asterisk.idle()

            def again() -> bool | None:
                until_then = int(asterisk.kept("/emergency/home").get("/emergency/home") or 0)
                return until_then >= int(ended) - 1 + 3600 or None

            await until(again, 3, "the window's new end on the disk")
    assert ended - began > 2.4


async def test_the_window_outlasts_a_restart_and_a_crash(
    quick_prompts: Path, tmp_path: Path
) -> None:
    """Killed a moment after the call, and once more stopped in order."""
    with own_place() as place:
        here = place.sip_port(place.handset)

        def one() -> Asterisk:
            return Asterisk(place, directory=tmp_path / "state", prompts=quick_prompts)

        async with one() as asterisk, household_of(asterisk, here) as people:
            dialled = time.time()
            assert await people.dials("119") == 486
            await until(lambda: people.kept() or None, 3, "the window on the disk")
            late = time.time() - dialled
            await asterisk.kill()
        # Asterisk commits at once, or a second after its last commit: here that of who registered.
        assert late < 1.5
        for _ in range(2):
            async with one() as asterisk, household_of(asterisk, here) as people:
                assert await people.called_by("+18005551234") == RANG


async def test_a_handset_rings_after_a_restart_before_it_registers_again(
    quick_prompts: Path, tmp_path: Path
) -> None:
    """Killed or stopped: who is registered is on the disk."""
    with own_place() as place:
        here = place.sip_port(place.handset)

        def one() -> Asterisk:
            return Asterisk(place, directory=tmp_path / "state", prompts=quick_prompts)

        async with one() as asterisk:
            async with household_of(asterisk, here):
                await until(lambda: asterisk.kept("/registrar/contact/") or None, 3, "a commit")
            await asterisk.kill()
        for _ in range(2):
            async with one() as asterisk, telephone(here, place.sip) as household:
                people = World(asterisk, household, household)
                assert await people.called_by("119") == RANG
                assert len(household.requests("INVITE")) == 1


async def test_a_full_disk_does_not_shut_the_window(quick_prompts: Path) -> None:
    """What cannot be kept on the disk is remembered as long as Asterisk runs."""
    async with world(quick_prompts) as people:
        # Who is registered has to be on the disk before.
        await until(lambda: people.asterisk.kept("/registrar/contact/") or None, 3, "a commit")
        pid = people.asterisk.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, limits[1]))
        assert await people.dials("119") == 486
        # Every try to commit fails, and Asterisk's database forgets.
        async with asyncio.timeout(5):
            # Its log is on the full disk too.
            while "not found" not in await people.asterisk.cli("database get emergency home"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert await people.called_by("0312345678") == RANG


async def test_one_households_window_is_not_anothers(quick_prompts: Path, tmp_path: Path) -> None:
    """A site says whose handset dials and whose line is called."""
    (tmp_path / "extensions.conf").write_text(
        "[lines]\n"
        "exten => 0311111111,1,Set(HOUSEHOLD=upstairs)\n same => n,Set(HANDSET=handset)\n"
        " same => n,Return()\n"
    )
    (tmp_path / "pjsip.conf").write_text("[handset](+)\nset_var = HOUSEHOLD=upstairs\n")
    async with world(quick_prompts, ASTERISK_SITE=str(tmp_path)) as people:
        assert await people.dials("119") == 486
        assert await people.called_by("0312345678", to="0322222222") == SCREENED
        assert await people.called_by("0312345678", to="0311111111") == RANG
        await until(lambda: people.asterisk.kept("/emergency/upstairs") or None, 3, "the window")
        assert people.kept() == 0


async def test_an_emergency_call_leaves_at_once(quick_prompts: Path) -> None:
    """From the household's INVITE, its password checked, to ours at the telephone company."""
    async with world(quick_prompts) as people:
        took = []
        for number in ("119", "110", "118") * 3:
            await people.dials(number)
            asked = [m for m in people.household.messages if m.sent and m.is_request("INVITE")][-1]
            left = people.company.requests("INVITE")[-1]
            assert left.target.startswith(f"sip:{number}@")
            took.append(left.at - asked.at)
        assert statistics.median(took) < 0.1  # also on a machine with much else to do


async def test_an_emergency_call_leaves_though_all_around_it_is_broken(
    quick_prompts: Path, tmp_path: Path
) -> None:
    """Neither a function nor an application but Dial can be had."""
    shutil.copytree(TOP / "config", tmp_path / "config")
    shutil.copytree(TOP / "dialplan", tmp_path / "dialplan")
    modules = tmp_path / "config" / "asterisk" / "modules.conf"
    kept = re.sub(r"^load = (func_|app_(?!dial)|res_ari|res_stasis).*\n", "", modules.read_text(),
                  flags=re.MULTILINE)  # fmt: skip
    modules.write_text(kept)
    with own_place() as place:
        async with (
            Asterisk(
                place,
                prompts=quick_prompts,
                configuration=tmp_path / "config" / "asterisk",
                settings={"ASTERISK_TRUNK_CHANNELS": "1"},
            ) as asterisk,
            household_of(asterisk) as people,
        ):
            assert "app_stack" not in await asterisk.cli("module show")
            assert await people.dials("119") == 486
            assert len(people.company.requests("INVITE")) == 1
