"""The file in which the dialplan tells of a call after its end, whoever looked on or not."""

import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import pytest_asyncio

from lab.asterisk import Asterisk
from lab.ports import own_place
from lab.process import until
from lab.request import Request, sound_offer
from lab.scenario import Caller, Handset, Moment
from lab.sip import telephone
from lab.sipp import calling, company, handset

LINES = """
[lines]
exten => 0300000002,1,Set(HANDSET=handset)
 same => n,Set(RING_SECONDS=1)
 same => n,Return()
"""
IMPATIENT = "0300000002"  # rings for a second only


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def one(
    quick_prompts: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Asterisk]:
    """An Asterisk without a screener, with quick prompts and a line that rings for a second."""
    site = tmp_path_factory.mktemp("site")
    (site / "extensions.conf").write_text(LINES)
    with own_place() as place:
        async with Asterisk(
            place, prompts=quick_prompts, settings={"ASTERISK_SITE": str(site)}
        ) as running:
            yield running


@pytest_asyncio.fixture
async def asterisk(one: Asterisk) -> AsyncIterator[Asterisk]:
    """The same, without anything that an earlier call left."""
    for file in (one.recordings / "live").iterdir():
        file.unlink()
    yield one
    await one.idle()


async def told(asterisk: Asterisk) -> dict[str, str]:
    """Return what is told of the one call there was, once it is over."""
    await asterisk.idle()
    (file,) = (asterisk.recordings / "live").glob("*.cdr")
    text = file.read_bytes().decode()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    pairs = parse_qsl(
        text.strip(), keep_blank_values=True, strict_parsing=True, errors="surrogateescape"
    )
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


STAYS, LEAVES = Caller(), Caller(hangs_up_after=2500)
SERVICES = Caller(number="119")
WARNED = {"emergency": "", "warned": "1", "state": "Up"}
WAYS = {
    "the caller hangs up in the warning": (
        Caller(hangs_up_after=400), Handset(),
        {"state": "Up", "warned": "", "dialled": "", "rang": "", "hung_up_by": "caller"},
    ),
    "the caller hangs up while it rings": (
        Caller(hangs_up_after=1500), Handset(answers_after=None),
        WARNED | {"dialled": "1", "dialstatus": "CANCEL", "hung_up_by": "caller"},
    ),
    "the caller hangs up in the talk": (
        LEAVES, Handset(),
        WARNED | {"dialled": "1", "dialstatus": "ANSWER", "hung_up_by": "caller"},
    ),
    "the household hangs up": (
        STAYS, Handset(hangs_up_after=1200),
        WARNED | {"dialled": "1", "dialstatus": "ANSWER", "hung_up_by": "household"},
    ),
    "the household is busy": (
        STAYS, Handset(refuses_with=486),
        WARNED | {"dialled": "1", "dialstatus": "BUSY", "hung_up_by": ""},
    ),
    "nobody answers": (
        Caller(to=IMPATIENT), Handset(answers_after=None),
        WARNED | {"dialled": "1", "dialstatus": "NOANSWER", "hung_up_by": "", "line": IMPATIENT},
    ),
    "no telephone is there": (
        STAYS, None,
        WARNED | {"dialled": "", "dialstatus": "CHANUNAVAIL", "hung_up_by": ""},
    ),
    "the caller gives up before anybody answers": (
        Caller(hangs_up_after=100, counted_from=Moment.CALLING), Handset(),
        {"state": "Ring", "warned": "", "dialled": "", "hung_up_by": "caller"},
    ),
    "emergency services hang up": (
        Caller(number="119", hangs_up_after=1200), Handset(),
        {"emergency": "1", "warned": "", "dialled": "1", "dialstatus": "ANSWER", "number": "119",
         "hung_up_by": "caller"},
    ),
    "emergency services give up": (
        Caller(number="119", hangs_up_after=500, counted_from=Moment.RINGING),
        Handset(answers_after=None),
        {"emergency": "1", "warned": "", "dialled": "1", "dialstatus": "CANCEL", "state": "Ring",
         "hung_up_by": "caller"},
    ),
    "the household hangs up on emergency services": (
        Caller(number="119"), Handset(hangs_up_after=1200),
        {"emergency": "1", "dialled": "1", "dialstatus": "ANSWER", "hung_up_by": "household"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_a_call_can_end_is_told_truly(asterisk: Asterisk, way: str) -> None:
    """Compared with what the two ends did."""
    who, household, expected = WAYS[way]
    began = time.time()
    async with AsyncExitStack() as stack:
        if household is not None:
            phone = handset(asterisk.place, household, asterisk.handset_password)
            await stack.enter_async_context(phone)
        caller = await stack.enter_async_context(calling(asterisk.place, who))
        await caller.finished(20)
    call = await told(asterisk)
    common = {"direction": "incoming", "line": who.to, "number": who.number, "window": "",
              "gave_way": "", "message": ""}  # fmt: skip
    assert common | expected == {key: call[key] for key in common | expected}
    assert began <= float(call["began"]) < float(call["ended"]) <= time.time()
    talked = call["dialstatus"] == "ANSWER"
    assert (call["answered_seconds"] != "") == talked
    assert not talked or 1 <= float(call["answered_seconds"]) <= 3
    assert not call["rang"] or float(call["began"]) <= float(call["rang"]) < float(call["ended"])


HOSTILE = [
    ("0312345678", "a=b&c%d#e?f+g"),
    ("0312345678", "say \"cheese\" & 'run' \\"),
    ("0312345678", "x):1:1 and so on):0:9999 ::"),
    ("0312345678", "(((${SHELL(touch /tmp/owned)}$[1/0]${EXTEN}"),
    ("0312345678", "名前 – 絵文字 📞"),
    ("0312345678", ":" * 78),
    ("0312345678", ")" * 78),
    ("%3A%29%3A0%3A1%0A%26hung_up_by=household%3D%25%22", "one line"),
    ("%E9%9B%BB%2C%2F..%2F..%2Fx", "a number in letters"),
    ("", "no number"),
]


@pytest.mark.parametrize(("number", "name"), HOSTILE, ids=range(len(HOSTILE)))
async def test_what_a_caller_calls_itself_comes_through_whole(
    asterisk: Asterisk, number: str, name: str
) -> None:
    """Encoded as in a URI; it is neither evaluated nor another key's value."""
    user = f"{number}@" if number else ""
    shown = name.replace("\\", "\\\\").replace('"', '\\"')
    who = Caller(from_header=f'"{shown}" <sip:{user}lab>', hangs_up_after=50)
    async with calling(asterisk.place, who) as caller:
        await caller.finished()
    call = await told(asterisk)
    # Asterisk keeps the escapes of a quoted name.
    assert call["name"] == shown
    decoded = dict(parse_qsl(f"number={number}", keep_blank_values=True))["number"]
    # Of a number only printable ASCII is kept (dialplan/incoming.conf, [plain]).
    assert call["number"] == "".join(each for each in decoded if " " <= each <= "~")
    assert call["hung_up_by"] == "caller"
    assert not Path("/tmp/owned").exists()  # noqa: S108  (the name says so)


async def test_bytes_that_are_no_text_do_not_break_the_line(asterisk: Asterisk) -> None:
    """Asterisk itself replaces those of a name; none of what stands around them is lost."""
    who = Caller(name="before \udcff\udc80):5 after", hangs_up_after=50)
    async with calling(asterisk.place, who) as caller:
        await caller.finished()
    name = (await told(asterisk))["name"]
    assert name.startswith("before ")
    assert name.endswith("):5 after")


@pytest.mark.parametrize("way", ["answered", "refused", "the company hangs up"])
async def test_a_call_of_the_households_own_is_told_too(asterisk: Asterisk, way: str) -> None:
    """With the number as it was dialled."""
    place = asterisk.place
    other = {
        "answered": Handset(answers_after=50),
        "refused": Handset(refuses_with=486),
        "the company hangs up": Handset(answers_after=50, hangs_up_after=50),
    }[way]
    invite = Request(
        method="INVITE",
        uri=f"sip:*31%230312345678@{place.sip}",
        from_=f"<sip:handset@{place.sip}>",
        body=sound_offer(place.handset, 30_000),
    )
    ours = place.sip_port(place.handset)
    async with (
        company(place, other) as far,
        telephone(ours, place.sip, lambda _: 200) as household,
    ):
        stays = way == "the company hangs up"
        answer = await household.ask(invite, password=asterisk.handset_password, stays=stays)
        if stays:
            await until(lambda: household.requests("BYE") or None, 5, "the company's BYE")
        assert len(far.invited()) == 1
    call = await told(asterisk)
    assert answer.status == (486 if way == "refused" else 200)
    assert (call["direction"], call["number"]) == ("outgoing", "*31#0312345678")
    assert call["dialled"] == "1"
    assert call["dialstatus"] == ("BUSY" if way == "refused" else "ANSWER")
    assert call["state"] == ("Ring" if way == "refused" else "Up")
    assert call["hung_up_by"] == ("household" if way == "answered" else "")


@contextmanager
def no_directory(asterisk: Asterisk) -> Iterator[None]:
    """Put a file where the directory of the call details should be."""
    live = asterisk.recordings / "live"
    live.rename(live.with_name("elsewhere"))
    live.touch()
    yield
    live.unlink()
    live.with_name("elsewhere").rename(live)


@contextmanager
def full_disk(asterisk: Asterisk) -> Iterator[None]:
    """Let Asterisk write not a byte to any file."""
    limits = resource.prlimit(asterisk.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(asterisk.process.pid, resource.RLIMIT_FSIZE, (0, limits[1]))
    yield
    resource.prlimit(asterisk.process.pid, resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("fault", [no_directory, full_disk])
async def test_nothing_that_cannot_be_written_hurts_a_call(
    asterisk: Asterisk, fault: Callable[[Asterisk], AbstractContextManager[None]]
) -> None:
    """Nobody can be told anything; the handset rings and people talk."""
    place = asterisk.place
    household = Handset(hangs_up_after=300)
    async with handset(place, household, asterisk.handset_password) as phone:
        # Asterisk keeps who is registered on the disk, up to a second late.
        await until(lambda: asterisk.kept("/registrar/contact/") or None, 5, "the registration")
        with fault(asterisk):
            async with calling(place, Caller()) as caller:
                (leg,) = await caller.finished(20)
            await asterisk.idle()
        (rung,) = phone.legs()
    assert (leg.outcome, leg.ended_by_us) == (200, False)
    assert rung.at("ACK") is not None
    assert all(file.stat().st_size == 0 for file in (asterisk.recordings / "live").iterdir())
