"""A call through the real screener on a real Asterisk, as the people on the line live it."""

import asyncio
import hashlib
import signal
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lab.asterisk import TOP, Asterisk
from lab.listen import heard, load, save, tone, tone_share
from lab.ports import Address, own_place
from lab.process import until
from lab.rtp import ear
from lab.scenario import Caller, Handset, Moment
from lab.screener import Screener, Tables
from lab.sipp import calling, handset

CALLER_TONE, HANDSET_TONE = 440.0, 620.0
STRANGER = Caller(number="09012345678")


async def test_a_stranger_is_warned_in_full_before_the_handset_gets_its_first_invite(
    asterisk: Asterisk,
) -> None:
    """Judged from the sound that the caller received, and from what lies in the recording."""
    place = asterisk.place
    caller_ear = Address(place.trunk, place.media_port(place.trunk))
    handset_ear = Address(place.handset, place.media_port(place.handset))
    household = Handset(answers_after=500, hangs_up_after=2000, hears_at=handset_ear.port)
    async with (
        Screener(asterisk) as screener,
        ear(caller_ear, says=tone(CALLER_TONE, 30)) as at_caller,
        ear(handset_ear, says=tone(HANDSET_TONE, 30)) as at_handset,
        handset(place, household, asterisk.handset_password) as phone,
        calling(place, Caller(hears_at=caller_ear.port)) as caller,
    ):
        await caller.finished(40)
        (ringing,) = phone.invited()
        (call,) = await screener.ended_calls(1)
        recording = call["recording"]
        sound = load(Path(recording["path"]))
        digest = hashlib.sha256(Path(recording["path"]).read_bytes()).hexdigest()

    began, at_ear = at_caller.heard()
    warning = heard(at_ear, load(TOP / "prompts" / asterisk.language / "warning.wav")[0])
    assert warning.in_full
    assert warning.likeness > 0.9
    assert began + warning.end <= ringing.at
    assert (call["verdict"], call["disposition"], call["warned"]) == ("screen", "answered", True)
    assert call["ended_by"] == "household"
    assert call["line"] == "0398765432"
    assert call["started_at"] < call["rang_at"] < call["answered_at"] < call["ended_at"]

    left, right = sound
    talk = slice(-12_000, -2_000)
    assert tone_share(left[talk], CALLER_TONE) > 0.9
    assert tone_share(right[talk], HANDSET_TONE) > 0.9
    assert abs(len(left) / 8000 - recording["seconds"]) < 0.001
    assert digest == recording["sha256"]
    assert tone_share(at_handset.heard()[1], CALLER_TONE) > 0.9


async def test_blocked_callers_are_refused_and_the_handset_gets_no_invite(
    asterisk: Asterisk, screener: Screener
) -> None:
    """From abroad, fake, on the block list: 403, never answered."""
    blocked = ("+18005551234", "0018005551234", "+295356510110", "0312349009")
    await screener.must("block", "0312349009", "--note", "sells windows")
    async with handset(asterisk.place, Handset(), asterisk.handset_password) as phone:
        for number in blocked:
            async with calling(asterisk.place, Caller(number=number)) as caller:
                (call,) = await caller.finished()
            assert call.outcome == 403
        assert phone.invited() == []
    calls = await screener.ended_calls(len(blocked))
    assert {call["disposition"] for call in calls} == {"blocked"}
    assert calls[0]["rule"] == "block_list"
    assert all(call["recording"] is None and not call["warned"] for call in calls)


async def test_a_known_caller_rings_before_anybody_answers_and_is_not_recorded(
    asterisk: Asterisk, screener: Screener
) -> None:
    """The caller's INVITE is answered by the handset's answer, not by ours."""
    await screener.must("allow", "090-1234-5678")
    household = Handset(answers_after=300, hangs_up_after=300)
    async with (
        handset(asterisk.place, household, asterisk.handset_password) as phone,
        calling(asterisk.place, STRANGER) as caller,
    ):
        (call,) = await caller.finished()
        (rung,) = phone.invited()
    answered = call.at(200)
    assert answered is not None
    assert answered - rung.at > 0.2  # it picks up after 0.3 s
    (logged,) = await screener.ended_calls(1)
    assert (logged["verdict"], logged["disposition"]) == ("pass", "answered")
    assert (logged["warned"], logged["recording"]) == (False, None)


@pytest.mark.parametrize(
    ("household", "disposition"),
    [
        (Handset(answers_after=None), "unanswered"),
        (Handset(refuses_with=486), "busy"),
        (None, "unreachable"),
    ],
    ids=["nobody answers", "busy", "no handset"],
)
async def test_a_warned_caller_whom_nobody_answers_is_told_so(
    asterisk: Asterisk, quick_prompts: Path, household: Handset | None, disposition: str
) -> None:
    """The screener, not the network, ends the call, after a second prompt."""
    settings: Tables = {
        "prompts": {"directory": str(quick_prompts)},
        "call": {"ring_seconds": 5},
    }
    place = asterisk.place
    ear_of_caller = Address(place.trunk, place.media_port(place.trunk))
    async with Screener(asterisk, settings=settings) as screener:
        async with ear(ear_of_caller) as at_caller:
            caller = calling(place, Caller(hears_at=ear_of_caller.port))
            if household is None:
                async with caller as sipp:
                    await sipp.finished()
            else:
                async with handset(place, household, asterisk.handset_password), caller as sipp:
                    await sipp.finished()
            said = "busy" if disposition == "busy" else "no_answer"
            prompt = load(quick_prompts / asterisk.language / f"{said}.wav")[0]
            assert heard(at_caller.heard()[1], prompt).in_full
        (call,) = await screener.ended_calls(1)
    assert (call["disposition"], call["ended_by"]) == (disposition, "screener")
    assert call["warned"]
    assert call["answered_at"] is None


MOMENTS = [
    *(pytest.param(Moment.CALLING, ms, id=f"{ms} ms after calling") for ms in (1, 5, 20)),
    *(pytest.param(Moment.ANSWERED, ms, id=f"{ms} ms into the warning") for ms in (1, 100, 600)),
    # Quick prompts last a second: these fall between the warning's end and the ring.
    *(
        pytest.param(Moment.ANSWERED, ms, id=f"{ms} ms, as the warning ends")
        for ms in (980, 995, 1000, 1005, 1010, 1020, 1040)
    ),
    pytest.param(Moment.ANSWERED, 1500, id="while it rings"),
    pytest.param(Moment.ANSWERED, 2700, id="in the talk"),
]
FATES = {
    "abandoned_before_warning",
    "abandoned_in_warning",
    "abandoned_after_warning",
    "abandoned_ringing",
    "answered",
}


@pytest.mark.parametrize(("moment", "milliseconds"), MOMENTS)
async def test_hanging_up_at_any_moment_leaves_no_channel_and_a_truthful_row(
    asterisk: Asterisk, screener: Screener, moment: Moment, milliseconds: int
) -> None:
    """What the log says agrees with what went over both wires."""
    household = Handset(answers_after=1000)
    who = Caller(number="0451234567", hangs_up_after=milliseconds, counted_from=moment)
    async with (
        handset(asterisk.place, household, asterisk.handset_password) as phone,
        calling(asterisk.place, who) as caller,
    ):
        (leg,) = await caller.finished()
        await asterisk.idle()
        rung = phone.legs()
    if leg.at(200) is None and not await screener.ended_calls(0):
        return  # gone before the screener was asked
    (call,) = await screener.ended_calls(1)
    assert call["disposition"] in FATES
    assert call["ended_by"] == "caller"
    talked = bool(rung) and rung[0].at(200) is not None
    assert (call["disposition"] == "answered") == talked == (call["answered_at"] is not None)
    rang = any(leg.at(180) is not None for leg in rung)
    # A handset's 180 and the caller's BYE may cross: then nobody here heard it ring.
    assert rang or call["rang_at"] is None
    assert call["rang_at"] or not talked
    if call["disposition"] in {"abandoned_before_warning", "abandoned_in_warning"}:
        assert not call["warned"]
        assert not rung
    if rung:
        assert call["warned"]
    assert not list((asterisk.recordings / "live").glob(f"{call['id']}.raw"))


async def test_fifty_calls_at_once_each_end_right(
    asterisk: Asterisk, screener: Screener, tmp_path: Path
) -> None:
    """Thirty are answered and recorded, ten hang up in the warning, ten come from abroad."""
    voice = save(tmp_path / "voice.ulaw", tone(CALLER_TONE, 10))
    household = Handset(answers_after=300, hangs_up_after=1500, speaks=voice)
    stays = Caller(number="09012345678", speaks=voice)
    leaves = Caller(number="0661234567", hangs_up_after=300)
    abroad = Caller(number="+18005551234")
    place = asterisk.place
    async with (
        handset(place, household, asterisk.handset_password) as phone,
        calling(place, stays, calls=30, per_second=200) as staying,
        calling(place, leaves, calls=10, per_second=200) as leaving,
        calling(place, abroad, calls=10, per_second=200) as blocked,
    ):
        assert [leg.outcome for leg in await staying.finished()] == [200] * 30
        assert [leg.outcome for leg in await leaving.finished()] == [200] * 10
        assert [leg.outcome for leg in await blocked.finished()] == [403] * 10
        assert len(phone.invited()) == 30
        await asterisk.idle()
    calls = await screener.ended_calls(50)
    assert len({call["id"] for call in calls}) == 50
    assert Counter(call["disposition"] for call in calls) == {
        "answered": 30, "abandoned_in_warning": 10, "blocked": 10,
    }  # fmt: skip
    recordings = [call["recording"] for call in calls if call["disposition"] == "answered"]
    assert all(recordings)
    for recording in recordings:
        sound = Path(recording["path"]).read_bytes()
        assert hashlib.sha256(sound).hexdigest() == recording["sha256"]


HOSTILE_NAMES = [
    "say \"cheese\" \\ and 'run'",
    "${SHELL(touch /tmp/owned)} $[1/0] ${CALLERID(num)}",
    "<script>alert(1)</script> [bold]x[/bold]",
    "\x1b[2J\x07 bell \x7f",
    "名前 – 絵文字 📞",
    "n" * 10_000,
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
async def test_a_hostile_name_reaches_log_and_screen_as_inert_text(
    asterisk: Asterisk, screener: Screener, name: str
) -> None:
    """The call is screened like any other; what the log keeps is what Asterisk was shown."""
    household = Handset(answers_after=100, hangs_up_after=100)
    async with (
        handset(asterisk.place, household, asterisk.handset_password),
        calling(asterisk.place, Caller(number="0312345678", name=name)) as caller,
    ):
        (leg,) = await caller.finished()
    assert leg.outcome == 200
    (call,) = await screener.ended_calls(1)
    shown = await screener.must("calls")
    assert call["disposition"] == "answered"
    # Asterisk keeps the start of a long name, and the escapes of a quoted one.
    kept = call["caller"]["name"].replace("\\\\", "\\").replace('\\"', '"')
    assert kept
    assert name.startswith(kept)
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert shown.count("\n") < 10
    assert not Path("/tmp/owned").exists()  # noqa: S108  (the name says so)


async def recorded(asterisk: Asterisk, seconds: float) -> None:
    """Wait until a call that is going on has so much sound on the disk."""

    def enough() -> bool | None:
        live = (asterisk.recordings / "live").glob("*.raw")
        return any(raw.stat().st_size >= seconds * 32_000 for raw in live) or None

    await until(enough, 10, f"{seconds:g} s of recording")


async def test_a_talk_outlives_the_screener_and_its_recording_is_whole(
    asterisk: Asterisk, quick_prompts: Path
) -> None:
    """kill -9 in the talk; the next screener closes the row and finishes the recording."""
    place = asterisk.place
    caller_ear = Address(place.trunk, place.media_port(place.trunk))
    household = Handset(answers_after=100, hangs_up_after=4000)
    async with (
        Screener(asterisk, settings={"prompts": {"directory": str(quick_prompts)}}) as screener,
        ear(caller_ear, says=tone(CALLER_TONE, 30)),
        handset(place, household, asterisk.handset_password) as phone,
        calling(place, Caller(hears_at=caller_ear.port)) as caller,
    ):
        await recorded(asterisk, 1.0)
        await screener.kill()
        (leg,) = await caller.finished()
        (talk,) = phone.legs()
        await screener.start()
        (call,) = await screener.ended_calls(1)
        left = load(Path(call["recording"]["path"]))[0]
    assert leg.ended_by_us is False
    assert talk.ended_by_us is True
    assert (call["disposition"], call["ended_by"]) == ("answered", "household")
    assert call["recording"]["seconds"] > 3.8
    assert tone_share(left[-28_000:], CALLER_TONE) > 0.95


async def test_a_new_screener_takes_over_a_talk_and_sees_its_end(
    asterisk: Asterisk, quick_prompts: Path
) -> None:
    """kill -9 and start again while they talk: the row says who hung up."""
    place = asterisk.place
    caller_ear = Address(place.trunk, place.media_port(place.trunk))
    household = Handset(answers_after=100)
    who = Caller(hears_at=caller_ear.port, hangs_up_after=8000)
    async with (
        Screener(asterisk, settings={"prompts": {"directory": str(quick_prompts)}}) as screener,
        ear(caller_ear, says=tone(CALLER_TONE, 30)),
        handset(place, household, asterisk.handset_password),
        calling(place, who) as caller,
    ):
        await recorded(asterisk, 1.0)
        await screener.kill()
        await screener.start()
        await caller.finished()
        (call,) = await screener.ended_calls(1)
    assert (call["disposition"], call["ended_by"]) == ("answered", "caller")
    assert call["recording"]["seconds"] > 5


async def test_a_recording_survives_a_killed_asterisk_to_its_last_second(
    own_asterisk: Asterisk, quick_prompts: Path, tmp_path: Path
) -> None:
    """The screener closes the row of the call that was cut short once Asterisk is back."""
    place = own_asterisk.place
    caller_ear = Address(place.trunk, place.media_port(place.trunk))
    settings: Tables = {"prompts": {"directory": str(quick_prompts)}}
    async with (
        AsyncExitStack() as later,
        Screener(own_asterisk, settings=settings, directory=tmp_path / "s") as screener,
        ear(caller_ear, says=tone(CALLER_TONE, 30)),
        handset(place, Handset(answers_after=100), own_asterisk.handset_password),
        calling(place, Caller(hears_at=caller_ear.port)),
    ):
        await recorded(own_asterisk, 3.0)
        (raw,) = (own_asterisk.recordings / "live").glob("*.raw")
        await own_asterisk.kill()
        on_disk = raw.stat().st_size
        again = Asterisk(
            place,
            directory=tmp_path / "again",
            secrets=own_asterisk.secrets,
            recordings=own_asterisk.recordings,
        )
        await later.enter_async_context(again)
        (call,) = await screener.ended_calls(1)
        left = load(Path(call["recording"]["path"]))[0]
    assert (call["disposition"], call["ended_by"]) == ("answered", None)
    assert call["recording"]["seconds"] == pytest.approx(on_disk / 32_000, abs=0.001)
    assert tone_share(left[-16_000:], CALLER_TONE) > 0.95


async def test_a_talk_that_died_with_asterisk_while_no_screener_ran_is_in_the_log(
    quick_prompts: Path, tmp_path: Path
) -> None:
    """Neither a row nor the dialplan tells of it: its recording does."""
    with own_place() as place:
        caller_ear = Address(place.trunk, place.media_port(place.trunk))
        async with (
            Asterisk(place, prompts=quick_prompts) as asterisk,
            ear(caller_ear, says=tone(CALLER_TONE, 30)),
            handset(place, Handset(answers_after=100), asterisk.handset_password),
            calling(place, Caller(hears_at=caller_ear.port)),
        ):
            await recorded(asterisk, 3.0)
            (raw,) = (asterisk.recordings / "live").glob("*.raw")
            await asterisk.kill()
            on_disk = raw.stat().st_size
            await asterisk.start()
            settings: Tables = {"prompts": {"directory": str(quick_prompts)}}
            async with Screener(asterisk, settings=settings, directory=tmp_path / "s") as screener:
                (call,) = await screener.ended_calls(1, seconds=30)
                await until(lambda: not raw.exists() or None, 20, "the end of the raw recording")
                (call,) = await screener.ended_calls(1)
            left = load(Path(call["recording"]["path"]))[0]
    assert (call["disposition"], call["ended_by"]) == ("failed_open", None)
    assert call["caller"]["given"] == ""
    assert call["recording"]["seconds"] == pytest.approx(on_disk / 32_000, abs=0.001)
    assert tone_share(left[-16_000:], CALLER_TONE) > 0.95


async def test_a_call_in_its_warning_is_handed_back_when_the_screener_stops(
    asterisk: Asterisk, screener: Screener
) -> None:
    """SIGTERM in the warning: the warning is played out and the handset rings."""
    household = Handset(answers_after=100, hangs_up_after=300)
    async with (
        handset(asterisk.place, household, asterisk.handset_password) as phone,
        calling(asterisk.place, STRANGER) as caller,
    ):
        await caller.sees(200)
        stopping = asyncio.create_task(screener.stop())
        (leg,) = await caller.finished()
        assert await stopping == 0
        assert len(phone.invited()) == 1
    assert leg.outcome == 200
    await screener.start()
    (call,) = await screener.ended_calls(1)
    assert call["warned"]


async def test_a_screener_that_hangs_in_the_warning_loses_the_call_to_the_dialplan(
    quick_prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP of its supervisor, too: nobody can act, so the dialplan's limit rings the handset."""
    monkeypatch.setenv("ASTERISK_SCREENING_SECONDS", "4")
    with own_place() as place:
        async with (
            Asterisk(place, prompts=quick_prompts) as asterisk,
            Screener(asterisk) as screener,
            handset(place, Handset(hangs_up_after=2500), asterisk.handset_password) as phone,
            calling(place, STRANGER) as caller,
        ):
            await caller.sees(200)
            screener.send_to_all(signal.SIGSTOP)
            try:
                await phone.sees("INVITE", seconds=15)
            finally:
                screener.send_to_all(signal.SIGCONT)
            (leg,) = await caller.finished()
            (call,) = await screener.ended_calls(1, seconds=20)
            async with asyncio.timeout(10):
                while not call["warned"]:  # told a second later
                    (call,) = await screener.ended_calls(1)
    assert leg.outcome == 200
    assert leg.ended_by_us is False
    assert call["disposition"] == "failed_open"


async def test_an_emergency_call_back_is_in_the_log_though_it_never_met_the_screener(
    asterisk: Asterisk, screener: Screener
) -> None:
    """It rings past the screener, and the dialplan tells when it rang and was answered."""
    household = Handset(answers_after=300, hangs_up_after=700)
    async with (
        handset(asterisk.place, household, asterisk.handset_password),
        calling(asterisk.place, Caller(number="119")) as caller,
    ):
        (leg,) = await caller.finished()
    (call,) = await screener.ended_calls(1)
    async with asyncio.timeout(10):
        while call["answered_at"] is None:  # told a second later
            (call,) = await screener.ended_calls(1)
    assert leg.outcome == 200
    assert (call["verdict"], call["rule"]) == ("pass", "emergency")
    assert (call["disposition"], call["ended_by"]) == ("answered", "household")
    assert (call["warned"], call["recording"]) == (False, None)
    assert call["started_at"] <= call["rang_at"] < call["ended_at"]
