"""The commands for address books, run as people do, and the book kept in step by the service."""

import asyncio
import csv
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from screener import cli, contacts, service
from screener.books.book import Book
from screener.books.carddav import CardDavBook
from screener.books.contact import BookError
from screener.domain.lists import Entry, ListName
from screener.domain.numbers import Country, country
from screener.store.database import Store, open_store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TARO, CLINIC, SHOP = "+819012345678", "+81312345678", "+81612345678"
CARDS = (
    "BEGIN:VCARD\nVERSION:3.0\nFN:太郎\nTEL:090-1234-5678\nEND:VCARD\n"
    "BEGIN:VCARD\nVERSION:3.0\nFN:Clinic\nTEL:03-1234-5678\nTEL:119\nEND:VCARD\n"
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder with settings that name its database."""
    for variable in [name for name in os.environ if name.upper().startswith("SCREENER_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(Path(__file__).parents[2] / "config", tmp_path / "config")
    (tmp_path / "screener.toml").write_text('[database]\npath = "screener.db"\n', encoding="utf-8")
    (tmp_path / "home.vcf").write_text(CARDS, encoding="utf-8")
    return tmp_path


def done(*words: str, code: int = 0) -> str:
    given = ["--config", "screener.toml", *words]
    result = CliRunner().invoke(cli.build(service.load), given, env={"COLUMNS": "250"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    if code == 2:
        assert result.stdout == ""
        (line,) = result.stderr.split("\n")[:-1]
        assert line.isprintable()
        return line
    assert result.stderr == ""
    return result.stdout


def listed(*words: str) -> dict[str, tuple[str, str, str]]:
    found = json.loads(done("entries", "--json", *words))
    return {each["number"]: (each["list"], each["note"], each["origin"]) for each in found}


# --- import ---------------------------------------------------------------------------------------


def test_an_import_says_what_came_and_what_was_left_out() -> None:
    assert done("contacts", "import", "home.vcf").splitlines() == [
        "book home: 2 numbers; 2 new, 0 renamed, 0 gone, 0 as before",
        "1 left out:",
        "  line 6: 119 is an emergency number, which rings in any case",
    ]
    assert listed() == {
        TARO: ("allow", "太郎", "book home"),
        CLINIC: ("allow", "Clinic", "book home"),
    }


def test_whoever_is_in_a_book_rings_at_once_and_the_verdict_names_the_book() -> None:
    done("contacts", "import", "home.vcf", "--name", "家")
    verdict = json.loads(done("check", "03-1234-5678", "--json"))
    assert (verdict["verdict"], verdict["rule"]) == ("pass", "allow_list")
    assert verdict["entry"]["origin"] == "book 家"


def test_a_new_import_replaces_the_former_one_of_its_name_and_no_other(place: Path) -> None:
    done("contacts", "import", "home.vcf")
    done("contacts", "import", "home.vcf", "--name", "second")
    (place / "home.vcf").write_text(
        "氏名,電話番号\n次郎,090-1234-5678\n店,06-1234-5678\n", encoding="cp932"
    )
    told = json.loads(done("contacts", "import", "home.vcf", "--json"))
    assert {key: told[key] for key in ("added", "changed", "removed", "unchanged")} == {
        "added": 1,
        "changed": 1,
        "removed": 1,
        "unchanged": 0,
    }
    assert listed() == {TARO: ("allow", "次郎", "book home"), SHOP: ("allow", "店", "book home")}


def test_what_the_household_said_itself_stays_and_is_told() -> None:
    done("block", "090-1234-5678", "--note", "no more")
    told = done("contacts", "import", "home.vcf").splitlines()
    assert told[1:3] == [
        "1 already on a list, and left there:",
        "  090-1234-5678 (block, household)",
    ]
    assert json.loads(done("check", "090-1234-5678", "--json"))["verdict"] == "block"
    done("contacts", "remove", "home")
    assert listed() == {TARO: ("block", "no more", "household")}


def test_an_import_that_fails_changes_nothing(place: Path) -> None:
    done("contacts", "import", "home.vcf")
    before = listed()
    (place / "home.vcf").write_text("name,mail\nx,y\n", encoding="utf-8")
    assert "no column of telephone numbers" in done("contacts", "import", "home.vcf", code=2)
    (place / "home.vcf").write_text("name,phone\nx,110\n", encoding="utf-8")
    assert "no telephone number that a caller could show" in done(
        "contacts", "import", "home.vcf", code=2
    )
    assert listed() == before


def test_many_faults_are_told_in_part_and_all_in_json(place: Path) -> None:
    rows = "".join(f"x,{n}\n" for n in range(10, 99))
    (place / "a.csv").write_text(f"name,phone\nz,0312345678\n{rows}", encoding="utf-8")
    lines = done("contacts", "import", "a.csv").splitlines()
    assert lines[1] == "89 left out:"
    assert len(lines) == 23
    assert lines[-1] == "  and 69 more; --json tells them"
    assert len(json.loads(done("contacts", "import", "a.csv", "--json"))["faults"]) == 89


@pytest.mark.parametrize("name", ["a\nb", "x" * 300, "\udcff"])
def test_a_name_that_no_book_can_have_is_refused(name: str) -> None:
    done("contacts", "import", "home.vcf", "--name", name, code=2)


# --- export ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["lists.vcf", "lists.csv"])
def test_lists_that_are_exported_can_be_imported_into_an_empty_house(
    place: Path, file: str
) -> None:
    done("contacts", "import", "home.vcf")
    done("block", "0120*", "--note", "=sales, \\ and more")
    done("screen", "DE")
    done("allow", "06-1234-5678", "--until", "2099-12-31")
    before = json.loads(done("entries", "--json"))
    assert len(before) == 5
    done("contacts", "export", file, "--list", "all")
    (place / "screener.db").unlink()
    assert done("contacts", "import", file).startswith("export: 5 numbers; 5 new")
    assert json.loads(done("entries", "--json")) == before
    assert "0 new, 0 renamed, 0 gone, 5 as before" in done("contacts", "import", file)


def test_an_export_is_of_the_allow_list_unless_another_is_named(place: Path) -> None:
    done("contacts", "import", "home.vcf")
    done("block", "0120*")
    assert done("contacts", "export", "a.csv") == "a.csv: 2 entries written\n"
    assert done("contacts", "export", "b.csv", "--list", "block") == "b.csv: 1 entry written\n"
    with (place / "b.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["list"], row["number"], row["origin"]) == ("block", "'+81120*", "household")


def test_an_import_of_an_export_adds_what_is_missing_and_touches_nothing_else() -> None:
    done("contacts", "import", "home.vcf")
    done("contacts", "export", "a.csv")
    done("contacts", "remove", "home")
    done("block", "03-1234-5678")
    told = done("contacts", "import", "a.csv")
    assert "1 new" in told
    assert "03-1234-5678 (block, household)" in told
    assert listed()[CLINIC] == ("block", "", "household")


def test_an_export_keeps_its_own_names() -> None:
    done("contacts", "import", "home.vcf")
    done("contacts", "export", "a.vcf")
    assert "leave --name out" in done("contacts", "import", "a.vcf", "--name", "b", code=2)


@pytest.mark.parametrize(
    "words", [["export", "a.txt"], ["export", "none/a.vcf"], ["export", "a.vcf", "--list", "x"]]
)
def test_an_export_that_cannot_be_made_is_refused(words: list[str]) -> None:
    done("contacts", *words, code=2)


# --- show and remove ------------------------------------------------------------------------------


def test_books_are_shown_with_their_size_and_one_with_its_people() -> None:
    assert done("contacts", "show").startswith("no address books yet")
    done("contacts", "import", "home.vcf")
    done("allow", "06-1234-5678")
    assert done("contacts", "show") == "home: 2 numbers\n"
    assert json.loads(done("contacts", "show", "--json")) == [{"name": "home", "numbers": 2}]
    assert [line.split()[0] for line in done("contacts", "show", "home").splitlines()] == [
        "number",
        "03-1234-5678",
        "090-1234-5678",
    ]
    assert "there is home" in done("contacts", "show", "other", code=2)


def test_a_book_that_is_removed_leaves_the_rest() -> None:
    done("contacts", "import", "home.vcf")
    done("allow", "06-1234-5678")
    assert done("contacts", "remove", "home") == "home: 2 numbers taken off the allow list\n"
    assert list(listed()) == [SHOP]
    assert "there is none yet" in done("contacts", "remove", "home", code=2)


def test_all_entries_are_shown_with_where_they_are_from_and_how_long_they_hold() -> None:
    assert done("entries").startswith("nothing yet")

    async def put() -> None:
        async with open_store(Path("screener.db")) as store:
            for number, until in ((TARO, NOW - timedelta(days=1)), (SHOP, None)):
                await store.lists.put(
                    Entry(
                        list_name=ListName.SCREEN,
                        number=number,
                        note="a\x1b[31m",
                        origin="dialled",
                        added_at=NOW,
                        expires_at=until,
                    )
                )

    asyncio.run(put())
    done("contacts", "import", "home.vcf")
    page = done("entries")
    assert "(over)" not in page  # the book took the place of what had expired
    assert "\\x1b" in page
    assert list(listed("--list", "screen")) == [SHOP]
    assert json.loads(done("entries", "--json", "--list", "block")) == []


# --- CardDAV --------------------------------------------------------------------------------------


def test_a_sync_without_a_server_in_the_settings_says_where_to_name_one() -> None:
    assert "[books] carddav names no server" in done("contacts", "sync", code=2)


def test_a_sync_that_fails_says_why(place: Path) -> None:
    (place / "screener.toml").write_text('[books]\ncarddav = "http://127.0.0.1:9/"\n')
    line = done("contacts", "sync", code=2)
    assert line.endswith("state/secrets/carddav-password: no such file")
    (place / "screener.toml").write_text(
        '[books]\ncarddav = "http://127.0.0.1:9/"\npassword_file = ""\n'
    )
    assert "Cannot connect to host" in done("contacts", "sync", code=2)


class Server(CardDavBook):
    """A server that answers what the test says, one answer after the other."""

    def __init__(self, *answers: Book | Exception) -> None:
        super().__init__("http://127.0.0.1:9/", "", str, origin="book carddav")
        self._answers = list(answers)
        self.all_given = asyncio.Event()

    async def read(self, country: Country, now: datetime) -> Book:
        if not self._answers:
            self.all_given.set()
            await asyncio.Event().wait()
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with open_store(Path("screener.db")) as opened:
        yield opened


def book_of(*numbers: str) -> Book:
    entries = {
        number: Entry(
            list_name=ListName.ALLOW, number=number, note="", origin="book carddav", added_at=NOW
        )
        for number in numbers
    }
    return Book(entries=entries, contacts=len(entries))


async def kept_in_step(store: Store, server: Server) -> None:
    """Let the service keep the book in step until the server has given all its answers."""
    keeping = asyncio.create_task(
        contacts.keep_in_step(store.lists, server, country("JP"), every=0)
    )
    async with asyncio.timeout(10):
        await server.all_given.wait()
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping


async def test_the_service_keeps_the_book_in_step(store: Store) -> None:
    await kept_in_step(store, Server(book_of(TARO, CLINIC), book_of(TARO, SHOP)))
    assert set(await store.lists.current()) == {TARO, SHOP}


async def test_while_the_server_fails_the_last_known_book_counts_and_is_told_once(
    store: Store,
) -> None:
    failures = [BookError("refuses user and password"), BookError("again"), KeyError("a bug")]
    with capture_logs() as logged:
        await kept_in_step(store, Server(book_of(TARO), *failures, BookError("x"), book_of(SHOP)))
    assert set(await store.lists.current()) == {SHOP}
    assert [(each["log_level"], each["event"]) for each in logged] == [
        ("info", "address_book_read"),
        ("warning", "address_book_as_last_known"),
        ("error", "address_book_unreadable"),
        ("info", "address_book_read"),
    ]


async def test_the_service_sweeps_what_expired_long_ago(store: Store) -> None:
    now = datetime.now(UTC)
    for number, days in ((TARO, 31), (CLINIC, 29)):
        (entry,) = book_of(number).entries.values()
        await store.lists.put(
            Entry(
                list_name=entry.list_name,
                number=number,
                note="",
                origin="household",
                added_at=now,
                expires_at=now - timedelta(days=days),
            )
        )
    sweeping = asyncio.create_task(contacts.sweep(store.lists))
    async with asyncio.timeout(10):
        for _ in range(1000):
            if set(await store.lists.current()) == {CLINIC}:
                break
            await asyncio.sleep(0.01)
    sweeping.cancel()
    assert set(await store.lists.current()) == {CLINIC}
