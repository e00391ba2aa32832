"""Updates: a list is taken whole or not at all, and what counted goes on counting."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from screener.shared.formats import Format
from screener.shared.shelf import KEPT, Shelf
from screener.shared.signature import PublicKey, public_key
from screener.shared.update import State
from tests.unit.listmaking import (
    HEADER,
    NOW,
    csv_of,
    current,
    many,
    no,
    numbers,
    terms,
    updated,
    yes,
)
from tests.unit.test_shared_fetch import server


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


async def test_a_list_is_taken_with_its_version_date_and_count(shelf: Shelf, file: Path) -> None:
    file.write_text(csv_of(many(3)))
    outcome = await updated(shelf, file)
    assert (outcome.state, outcome.before, outcome.after) == (State.TAKEN, 0, 3)
    head = current(shelf).head
    assert head.version == outcome.version
    assert head.version.startswith("2026-11-22-")
    assert head.dated == "2026-11-22T00:00:00+00:00"
    assert numbers(shelf) == many(3)


async def test_what_has_not_changed_is_not_taken_again(shelf: Shelf, file: Path) -> None:
    file.write_text(csv_of(many(3)))
    await updated(shelf, file)
    assert (await updated(shelf, file)).state is State.UNCHANGED
    assert len(shelf.files()) == 1


async def test_other_limits_take_the_same_list_anew(shelf: Shelf, file: Path) -> None:
    file.write_text(csv_of(many(3)))
    await updated(shelf, file)
    outcome = await updated(shelf, file, under=terms(own=many(1)))
    assert (outcome.state, outcome.after) == (State.TAKEN, 2)


async def test_a_directory_is_one_list_in_the_order_of_its_names(
    shelf: Shelf, tmp_path: Path
) -> None:
    place = tmp_path / "lists"
    place.mkdir()
    (place / "b.csv").write_text("number,note\n+18005550000,later\n+18005550001,\n")
    (place / "a.csv").write_text("number,note\n+18005550000,earlier\n")
    (place / ".hidden").write_text("rubbish")
    await updated(shelf, place)
    assert [(each.number, each.note) for each in current(shelf).entries()] == [
        ("+18005550000", "later"),
        ("+18005550001", ""),
    ]


async def test_what_the_limits_refuse_is_counted_with_examples(shelf: Shelf, file: Path) -> None:
    wide = ["+44*", "+49*", "+81*", "110", "+81312345678", *many(2)]
    file.write_text(csv_of(wide) + "nonsense\n")
    outcome = await updated(shelf, file, under=terms(allowed=["+81312345678"]))
    head = current(shelf).head
    assert outcome.after == 2
    assert {kind: (part.count, list(part.examples)) for kind, part in head.refused.items()} == {
        "fixes too few digits": (3, ["+44*", "+49*", "+81*"]),
        "an emergency number": (1, ["110"]),
        "on the allow list": (1, ["+81312345678"]),
    }
    assert (head.malformed, head.faults) == (1, ["line 9: 1 fields where 4 are expected"])


@pytest.mark.parametrize("content", ["", "rubbish\nmore\n", "<html>", HEADER + "x,,,\n"])
async def test_a_file_that_is_no_list_leaves_the_one_that_counts(
    shelf: Shelf, file: Path, content: str
) -> None:
    file.write_text(csv_of(many(3)))
    await updated(shelf, file)
    file.write_text(content)
    outcome = await updated(shelf, file, agree=yes)
    assert outcome.state is State.FAILED
    assert shelf.pointer().failed == outcome.detail
    assert numbers(shelf) == many(3)


@pytest.mark.parametrize(("before", "after"), [(210, 320), (210, 100), (10, 0), (1, 102)])
async def test_a_list_that_changes_too_much_waits_for_a_yes(
    shelf: Shelf, file: Path, before: int, after: int
) -> None:
    file.write_text(csv_of(many(before)))
    await updated(shelf, file)
    file.write_text(csv_of(many(after)))
    asked: list[str] = []

    def unsure(change: str) -> bool:
        asked.append(change)
        return False

    outcome = await updated(shelf, file, agree=unsure)
    assert (outcome.state, len(numbers(shelf))) == (State.WAITING, before)
    assert asked == [outcome.detail]
    assert f"from {before} to {after} entries" in outcome.detail
    waiting = shelf.pointer().waiting
    assert waiting is not None
    assert (waiting.before, waiting.after) == (before, after)
    assert (await updated(shelf, file, agree=yes)).state is State.TAKEN
    assert (len(numbers(shelf)), shelf.pointer().waiting) == (after, None)


@pytest.mark.parametrize("after", [15, 5, 10, 110])
async def test_a_list_that_changes_as_much_as_it_may_is_taken_unasked(
    shelf: Shelf, file: Path, after: int
) -> None:
    file.write_text(csv_of(many(10)))
    await updated(shelf, file)
    file.write_text(csv_of(many(after)) + "# anew\n")
    assert (await updated(shelf, file, agree=no)).state is State.TAKEN


async def test_a_change_of_few_entries_is_asked_about_where_the_settings_say_so(
    shelf: Shelf, file: Path
) -> None:
    file.write_text(csv_of(many(3)))
    await updated(shelf, file)
    file.write_text(csv_of(many(90)))
    outcome = await updated(shelf, file, agree=no, under=terms(smallest_change=0))
    assert outcome.state is State.WAITING
    assert (await updated(shelf, file, agree=no)).state is State.TAKEN


async def test_after_a_rollback_the_version_before_counts_until_a_yes(
    shelf: Shelf, file: Path
) -> None:
    file.write_text(csv_of(many(3)))
    await updated(shelf, file)
    file.write_text(csv_of(many(4)))
    await updated(shelf, file)
    with shelf.locked():
        assert shelf.back().head.count == 3
    file.write_text(csv_of(many(5)))
    outcome = await updated(shelf, file)
    assert (outcome.state, len(numbers(shelf))) == (State.WAITING, 3)
    assert (await updated(shelf, file, agree=yes)).state is State.TAKEN
    with shelf.locked():
        assert shelf.back().head.count == 3, "what was rolled back from is nothing to go back to"


async def test_a_few_versions_are_kept(shelf: Shelf, file: Path) -> None:
    for count in range(10, 18):
        file.write_text(csv_of(many(count)))
        await updated(shelf, file)
    assert len(shelf.files()) == KEPT
    assert len(numbers(shelf)) == 17


async def test_a_damaged_version_is_passed_over_for_the_one_before(
    shelf: Shelf, file: Path
) -> None:
    for count in (3, 4):
        file.write_text(csv_of(many(count)))
        await updated(shelf, file)
    newest = shelf.directory / shelf.files()[-1]
    newest.write_bytes(newest.read_bytes()[:-1])
    found, complaint = shelf.current()
    assert found is not None
    assert found.head.count == 3
    assert "is passed over" in complaint
    (shelf.directory / "current").write_text("rubbish")
    newest.unlink()
    assert len(numbers(shelf)) == 3, "an unreadable pointer means the newest"


async def test_two_updates_at_once_do_not_disturb_each_other(shelf: Shelf, file: Path) -> None:
    file.write_text(csv_of(many(3)))
    with shelf.locked():
        outcome = await updated(shelf, file)
    assert (outcome.state, outcome.detail) == (State.FAILED, "another update of it is under way")
    assert (await updated(shelf, file)).state is State.TAKEN


# Over the network


async def test_a_url_is_asked_only_for_what_is_new(shelf: Shelf) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304)
        return web.Response(text=csv_of(many(3)), headers={"ETag": '"1"'})

    async with server(answer) as address:
        assert (await updated(shelf, address)).state is State.TAKEN
        later = NOW + timedelta(days=1)
        assert (await updated(shelf, address, now=later)).state is State.UNCHANGED
        assert shelf.pointer().checked_at == later.isoformat()
    outcome = await updated(shelf, address, now=NOW + timedelta(days=2))
    assert outcome.state is State.FAILED
    assert shelf.pointer().checked_at == later.isoformat()
    assert numbers(shelf) == many(3)


async def test_increments_add_and_take_away_until_the_whole_list_is_due(
    shelf: Shelf, tmp_path: Path
) -> None:
    asked: list[str | None] = []
    answers = {
        None: {"numbers": [vote(0), vote(1), vote(2)], "version": 7},
        "7": {"numbers": [vote(0, votes=0), vote(1, votes=2), vote(3)], "version": 8},
        "8": {"numbers": [], "version": 8},
    }

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer secret"
        asked.append(request.query.get("since"))
        return web.json_response(answers[asked[-1]])

    token = tmp_path / "token"
    token.write_text("secret\nnot this\n")
    async with server(answer) as address:
        for days in (0, 1, 2, 40):
            await updated(
                shelf, f"{address}/api/blocklist?format=json", Format.PHONEBLOCK,
                now=NOW + timedelta(days=days), token_file=token, least_reports=4,
                under=terms(largest_change=100),
            )  # fmt: skip
            if days == 2:
                assert numbers(shelf) == ["+498005550002", "+498005550003"]
                assert current(shelf).version == "8"
    assert asked == [None, "7", "8", None]
    assert len(numbers(shelf)) == 3


def vote(number: int, votes: int = 10) -> dict[str, object]:
    return {"phone": f"+49800555{number:04}", "votes": votes, "rating": "G_FRAUD"}


async def test_a_missing_token_is_told_and_nothing_is_asked(shelf: Shelf, tmp_path: Path) -> None:
    outcome = await updated(shelf, "http://127.0.0.1:9/", token_file=tmp_path / "none")
    assert "its token_file" in outcome.detail


async def test_complaints_count_only_when_there_are_enough(shelf: Shelf, file: Path) -> None:
    head = "Company_Phone_Number,Created_Date,Subject\n"
    file.write_text(head + "2025550100,2026-11-20 00:00:00,a\n" * 3 + "2025550101,2026-11-20,b\n")
    await updated(shelf, file, Format.FTC, least_reports=3)
    assert numbers(shelf) == ["+12025550100"]


# Signatures


def keyed(kind: str, signing: SigningKey) -> PublicKey:
    raw = bytes(signing.verify_key)
    if kind == "ed25519":
        return public_key(base64.b64encode(raw).decode())
    return public_key(base64.b64encode(b"Ed" + b"12345678" + raw).decode())


def sign(kind: str, signing: SigningKey, content: bytes) -> bytes:
    """What minisign -S (and -S -l) and Ed25519 make of a file."""
    if kind == "ed25519":
        return signing.sign(content).signature
    message = content if kind == "legacy" else hashlib.blake2b(content).digest()
    signature = signing.sign(message).signature
    packed = base64.b64encode((b"Ed" if kind == "legacy" else b"ED") + b"12345678" + signature)
    comment = b"timestamp:1763812800\tfile:list.csv"
    overall = base64.b64encode(signing.sign(signature + comment).signature)
    return b"untrusted comment: signature\n%b\ntrusted comment: %b\n%b\n" % (
        packed,
        comment,
        overall,
    )


KINDS = ["minisign", "legacy", "ed25519"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_signed_list_is_taken_and_a_changed_one_is_not(
    shelf: Shelf, file: Path, kind: str
) -> None:
    signing = SigningKey.generate()
    key = keyed(kind, signing)
    beside = file.with_name(file.name + key.suffix)
    file.write_text(csv_of(many(10)))
    assert "signature" in (await updated(shelf, file, key=key)).detail, "not signed at all"
    beside.write_bytes(sign(kind, signing, file.read_bytes()))
    assert (await updated(shelf, file, key=key)).state is State.TAKEN
    assert current(shelf).head.signature == str(key)
    signed = beside.read_bytes()
    file.write_text(csv_of(many(11)))
    assert "is not valid" in (await updated(shelf, file, key=key)).detail
    beside.write_bytes(sign(kind, SigningKey.generate(), file.read_bytes()))
    assert "is not valid" in (await updated(shelf, file, key=key)).detail
    for broken in (b"", b"\x00" * 64, signed[:-10], b"x\n" * 4, b"\xff" * 20_000):
        beside.write_bytes(broken)
        assert (await updated(shelf, file, key=key)).state is State.FAILED
    assert len(numbers(shelf)) == 10


async def test_the_signed_comment_of_minisign_cannot_be_changed(shelf: Shelf, file: Path) -> None:
    signing = SigningKey.generate()
    file.write_text(csv_of(many(10)))
    signed = sign("minisign", signing, file.read_bytes()).replace(b"file:list", b"file:lisp")
    file.with_name("list.csv.minisig").write_bytes(signed)
    assert "is not valid" in (await updated(shelf, file, key=keyed("minisign", signing))).detail


async def test_a_signature_is_fetched_from_beside_the_list(shelf: Shelf) -> None:
    signing, content = SigningKey.generate(), csv_of(many(3)).encode()
    there = {"/list.csv": content, "/list.csv.minisig": sign("minisign", signing, content)}

    async def answer(request: web.Request) -> web.Response:
        assert request.query_string == "x=1"
        found = there.get(request.path)
        return web.Response(body=found) if found else web.Response(status=404)

    async with server(answer) as address:
        url, key = f"{address}/list.csv?x=1", keyed("minisign", signing)
        assert (await updated(shelf, url, key=key)).state is State.TAKEN
        there["/list.csv"] += b"+18005559999,,,\n"
        assert "is not valid" in (await updated(shelf, url, key=key)).detail
        del there["/list.csv.minisig"]
        assert "its signature cannot be fetched" in (await updated(shelf, url, key=key)).detail
    assert len(numbers(shelf)) == 3


@pytest.mark.parametrize("text", ["x", "RWQ", "00" * 31, base64.b64encode(b"x" * 42).decode()])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a public key"):
        public_key(text)


def test_a_key_may_be_written_in_hexadecimal() -> None:
    raw = bytes(SigningKey.generate().verify_key)
    assert public_key(raw.hex()) == PublicKey(b"", raw)


# Killed, and no room

UPDATE = """
import asyncio, os, signal, sys
sys.path.insert(0, {top!r})
from pathlib import Path
from tests.unit.listmaking import updated, yes
from screener.shared.shelf import Shelf
left = int(sys.argv[3])
def count(event, args):
    global left
    if event in ("open", "os.rename", "os.remove") and sys.argv[1] in str(args):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
if left:
    sys.addaudithook(count)
outcome = asyncio.run(updated(Shelf(Path(sys.argv[1])), sys.argv[2], agree=yes))
sys.exit(0 if outcome.state == "taken" else 3)
"""


def run_update(shelf: Shelf, file: Path, kill_at: int, limit: str = "") -> int:
    """Update in a process that kills itself when it touches the file system for the n-th time."""
    code = limit + UPDATE.format(top=str(Path(__file__).parents[2]))
    command = [sys.executable, "-c", code, str(shelf.directory), str(file), str(kill_at)]
    return subprocess.run(command, check=False, timeout=60).returncode


async def test_an_update_killed_anywhere_leaves_the_list_before_or_the_list_after(
    shelf: Shelf, file: Path
) -> None:
    """And the next update finds nothing in its way."""
    file.write_text(csv_of(many(20)))
    await updated(shelf, file)
    sizes, at = {20}, 0
    ended = -signal.SIGKILL
    while ended == -signal.SIGKILL:
        at += 1
        before = len(numbers(shelf))
        after = 20 + at % 5
        file.write_text(csv_of(many(after)) + f"# {at}\n")
        ended = run_update(shelf, file, at)
        assert ended in {-signal.SIGKILL, 0}
        assert len(numbers(shelf)) in {before, after}
        sizes.add(len(numbers(shelf)))
        assert at < 100
    assert at > 10, "it was killed at many points"
    assert len(sizes) > 1
    assert (await updated(shelf, file, agree=yes)).state is State.UNCHANGED
    assert not list((shelf.directory / "incoming").iterdir())


async def test_without_room_on_the_disk_the_list_before_goes_on_counting(
    shelf: Shelf, file: Path
) -> None:
    file.write_text(csv_of(many(20)))
    await updated(shelf, file)
    file.write_text("\n".join(many(25)))
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (800, 800))\n"
    assert run_update(shelf, file, 0, limit) == 3
    assert "cannot be written to: File too large" in shelf.pointer().failed
    assert len(numbers(shelf)) == 20
    assert (await updated(shelf, file)).state is State.TAKEN


# Import, then export


notes = st.text("abc ,\"'詐欺|;:", max_size=12).map(str.strip)
days = st.dates(min_value=NOW.date() - timedelta(days=9000), max_value=NOW.date())
foreign = st.builds("+1800{:07}".format, st.integers(0, 9_999_999))
patterns = st.builds("+1800{:03}{}".format, st.integers(0, 999), st.sampled_from(["*", "####"]))


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30
)
@given(st.dictionaries(foreign | patterns, st.tuples(days, notes), min_size=1))
async def test_what_is_exported_is_imported_as_the_same_list(
    tmp_path: Path, entries: dict[str, tuple[object, str]]
) -> None:
    shelf, file = Shelf(tmp_path / os.urandom(4).hex()), tmp_path / "list.csv"
    quoted = [
        f'{number},,{day},"{note.replace(chr(34), chr(34) * 2)}"'
        for number, (day, note) in entries.items()
    ]
    file.write_text(HEADER + "\n".join(quoted))
    assert (await updated(shelf, file)).state is State.TAKEN
    assert {
        each.number: (each.added_at and each.added_at.date(), each.note)
        for each in current(shelf).entries()
    } == entries


def test_the_state_of_an_update_can_be_read_by_machines() -> None:
    assert json.dumps(State.TAKEN) == '"taken"'
