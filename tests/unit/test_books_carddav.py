"""CardDAV: a real server's book comes over, and an unkind server does no harm."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from typer.testing import CliRunner
from yarl import URL

from screener import cli, service
from screener.books.carddav import CardDavBook
from screener.books.contact import BookError
from screener.books.dav import USUAL, Limits
from screener.domain.numbers import country
from screener.store.database import open_store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
JAPAN = country("JP")
USER, PASSWORD = "hanako", "open, sesame: 開け"
TARO, CLINIC = "+819012345678", "+81312345678"

NEW_BOOK = """<?xml version="1.0" encoding="utf-8"?>
<mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><set><prop>
<resourcetype><collection/><C:addressbook/></resourcetype></prop></set></mkcol>"""


def card(uid: str, name: str, number: str, *more: str) -> str:
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", f"FN:{name}", f"N:{name};;;;", *more]
    return "\r\n".join([*lines, f"TEL;TYPE=CELL:{number}", "END:VCARD", ""])


def address_book(url: URL, *, password: str = PASSWORD, limits: Limits = USUAL) -> CardDavBook:
    return CardDavBook(str(url), USER, lambda: password, origin="book carddav", limits=limits)


async def names(book: CardDavBook) -> dict[str, str]:
    found = await book.read(JAPAN, NOW)
    return {number: entry.note for number, entry in found.entries.items()}


# --- a real server --------------------------------------------------------------------------------


SERVER = """
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server
from radicale import Application, config

class Quiet(WSGIRequestHandler):
    def log_message(self, *words): pass

configuration = config.load([(sys.argv[1], False)])
with make_server("127.0.0.1", 0, Application(configuration), handler_class=Quiet) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
"""


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """Run Radicale, on a port that was free."""
    folder = tmp_path_factory.mktemp("radicale")
    (folder / "users").write_text(f"{USER}:{PASSWORD}\n", encoding="utf-8")
    (folder / "config").write_text(
        f"[auth]\ntype = htpasswd\nhtpasswd_filename = {folder / 'users'}\n"
        "htpasswd_encryption = plain\ndelay = 0\n"
        f"[storage]\nfilesystem_folder = {folder / 'collections'}\n"
        "[logging]\nlevel = critical\n",
        encoding="utf-8",
    )
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(folder / "config")], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield URL(f"http://127.0.0.1:{int(process.stdout.readline())}/")
        finally:
            process.kill()


class Telephone:
    """A telephone that keeps its contacts on the server."""

    def __init__(self, http: aiohttp.ClientSession, home: URL) -> None:
        self.http = http
        self.home = home

    async def _does(self, method: str, url: URL, body: str = "") -> None:
        async with self.http.request(method, url, data=body.encode()) as answer:
            assert answer.status < 300, await answer.text()

    async def makes(self, book: str) -> URL:
        await self._does("MKCOL", self.home / book / "", NEW_BOOK)
        return self.home / book / ""

    async def puts(self, book: URL, uid: str, vcard: str) -> None:
        await self._does("PUT", book / f"{uid}.vcf", vcard)

    async def deletes(self, what: URL) -> None:
        await self._does("DELETE", what)


@pytest.fixture
async def telephone(radicale: URL) -> AsyncIterator[Telephone]:
    authorization = aiohttp.encode_basic_auth(USER, PASSWORD, "utf-8")
    async with aiohttp.ClientSession(headers={"Authorization": authorization}) as http:
        phone = Telephone(http, radicale / USER)
        book = await phone.makes("contacts")
        try:
            yield phone
        finally:
            await phone.deletes(book)


@pytest.mark.parametrize("where", ["", "hanako/", "hanako/contacts/"])
async def test_a_server_an_account_or_a_book_is_enough_of_an_address(
    radicale: URL, telephone: Telephone, where: str
) -> None:
    await telephone.puts(telephone.home / "contacts", "a", card("a", "山田 太郎", "090-1234-5678"))
    assert await names(address_book(radicale.joinpath(where))) == {TARO: "山田 太郎"}


async def test_what_changes_on_the_server_changes_in_the_book(
    radicale: URL, telephone: Telephone
) -> None:
    contacts = telephone.home / "contacts"
    await telephone.puts(contacts, "a", card("a", "Taro", "090-1234-5678"))
    await telephone.puts(contacts, "b & <c>", card("b", "Clinic", "03-1234-5678"))
    book = address_book(radicale)
    assert await names(book) == {TARO: "Taro", CLINIC: "Clinic"}
    await telephone.puts(contacts, "a", card("a", "太郎", "090-1234-5678"))
    assert await names(book) == {TARO: "太郎", CLINIC: "Clinic"}
    await telephone.deletes(contacts / "b & <c>.vcf")
    assert await names(book) == {TARO: "太郎"}


async def test_all_books_of_an_account_are_read_and_one_where_only_it_is_named(
    radicale: URL, telephone: Telephone
) -> None:
    other = await telephone.makes("neighbours")
    await telephone.puts(other, "x", card("x", "Clinic", "03-1234-5678"))
    await telephone.puts(telephone.home / "contacts", "a", card("a", "Taro", "090-1234-5678"))
    try:
        assert await names(address_book(radicale)) == {CLINIC: "Clinic", TARO: "Taro"}
        assert await names(address_book(other)) == {CLINIC: "Clinic"}
    finally:
        await telephone.deletes(other)


async def test_a_book_of_more_cards_than_one_request_asks_for_comes_over_whole(
    radicale: URL, telephone: Telephone
) -> None:
    photo = "PHOTO;ENCODING=b;TYPE=JPEG:" + "/9j/" * 2_000
    book = telephone.home / "contacts"
    for n in range(70):
        await telephone.puts(book, f"u{n}", card(f"u{n}", f"人{n}", f"090-1234-{n:04}", photo))
    found = await names(address_book(radicale))
    assert found == {f"+819012340{n:03}": f"人{n}" for n in range(70)}


async def test_a_wrong_password_is_told_without_it(radicale: URL, telephone: Telephone) -> None:
    with pytest.raises(BookError, match=r"refuses user and password$") as refused:
        await address_book(radicale, password="not it").read(JAPAN, NOW)
    assert "not it" not in str(refused.value)


async def test_an_account_without_a_book_is_told(radicale: URL, telephone: Telephone) -> None:
    await telephone.deletes(telephone.home / "contacts")
    with pytest.raises(BookError, match="there is no address book there"):
        await address_book(radicale).read(JAPAN, NOW)
    await telephone.makes("contacts")


def settings(folder: Path, carddav: URL) -> Path:
    secret, file = folder / "secret", folder / "screener.toml"
    secret.write_text(f"{PASSWORD}\n", encoding="utf-8")
    file.write_text(
        '[asterisk]\nurl = "http://127.0.0.1:9"\npassword = "x"\n'
        f'[database]\npath = "{folder / "screener.db"}"\n'
        f'[recordings]\ndirectory = "{folder}"\n[log]\nformat = "json"\n'
        f'[books]\ncarddav = "{carddav}"\nuser = "{USER}"\npassword_file = "{secret}"\n',
        encoding="utf-8",
    )
    return file


async def test_the_service_reads_the_book_at_its_start(
    radicale: URL, telephone: Telephone, tmp_path: Path
) -> None:
    await telephone.puts(telephone.home / "contacts", "a", card("a", "太郎", "090-1234-5678"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "screener", "--config", settings(tmp_path, radicale), "run"),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            async for line in process.stdout:
                if b"address_book_" in line:
                    break
        said = json.loads(line)
        assert (said["event"], said["numbers"]) == ("address_book_read", 1)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            await process.communicate()
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    async with open_store(tmp_path / "screener.db") as store:
        assert set(await store.lists.current()) == {TARO}


async def test_a_sync_puts_the_book_of_the_settings_on_the_allow_list(
    radicale: URL, telephone: Telephone, tmp_path: Path
) -> None:
    await telephone.puts(telephone.home / "contacts", "a", card("a", "太郎", "090-1234-5678"))
    app, config = cli.build(service.load), ["--config", str(settings(tmp_path, radicale))]
    told = await asyncio.to_thread(CliRunner().invoke, app, [*config, "contacts", "sync"])
    assert told.output == "book carddav: 1 number; 1 new, 0 renamed, 0 gone, 0 as before\n"
    shown = await asyncio.to_thread(CliRunner().invoke, app, [*config, "entries", "--json"])
    ((entry),) = json.loads(shown.stdout)
    assert (entry["number"], entry["note"], entry["origin"]) == (TARO, "太郎", "book carddav")


# --- a server that is unkind ----------------------------------------------------------------------

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[URL]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield URL(f"http://127.0.0.1:{runner.addresses[0][1]}/book/")
    finally:
        await runner.cleanup()


def multistatus(*responses: str) -> web.Response:
    body = (
        '<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav">'
        f"{''.join(responses)}</d:multistatus>"
    )
    return web.Response(status=207, body=body.encode(), content_type="application/xml")


def response(href: str, properties: str) -> str:
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop>{properties}</d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


IS_A_BOOK = "<d:resourcetype><d:collection/><c:addressbook/></d:resourcetype>"


class Shelf:
    """A server with one book, which counts what it is asked for."""

    def __init__(self, cards: dict[str, str], version: str = '"1"') -> None:
        self.cards = cards
        self.version = version
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        self.asked.append(request.method)
        if request.method == "REPORT":
            return multistatus(
                *(
                    response(href, f"<c:address-data><![CDATA[{vcard}]]></c:address-data>")
                    for href, vcard in self.cards.items()
                    if f"<href>{href}</href>" in body
                )
            )
        if request.headers["Depth"] == "0":
            return multistatus(response("/book/", IS_A_BOOK))
        etag = f"<d:getetag>{self.version}</d:getetag>"
        cards = (response(href, f"<d:resourcetype/>{etag}") for href in self.cards)
        return multistatus(response("/book/", IS_A_BOOK), *cards)


async def complaint(answer: Answer, limits: Limits = USUAL) -> str:
    async with server(answer) as url:
        with pytest.raises(BookError) as refused:
            await address_book(url, limits=limits).read(JAPAN, NOW)
    said = str(refused.value)
    assert said.startswith(f"address book {url}: ")
    assert said.isprintable()
    assert PASSWORD not in said
    return said.removeprefix(f"address book {url}: ")


def always(status: int, body: bytes = b"", **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return answer


async def test_cards_that_have_not_changed_are_not_fetched_again() -> None:
    shelf = Shelf({f"/book/{n}.vcf": card("a", "x", f"090-1234-{n:04}") for n in range(60)})
    async with server(shelf.answer) as url:
        book = address_book(url)
        first = await names(book)
        assert shelf.asked.count("REPORT") == 2
        assert await names(book) == first
        assert shelf.asked.count("REPORT") == 2
        shelf.version = '"2"'
        await names(book)
        assert shelf.asked.count("REPORT") == 4


async def test_a_card_without_a_version_is_fetched_every_time() -> None:
    shelf = Shelf({"/book/a.vcf": card("a", "x", "090-1234-5678")}, version="")
    async with server(shelf.answer) as url:
        book = address_book(url)
        await names(book)
        shelf.cards["/book/a.vcf"] = card("a", "y", "090-1234-5678")
        assert await names(book) == {TARO: "y"}


@pytest.mark.parametrize(
    "rest",
    ["", "<d:response><d:href>{}</d:href><d:status>HTTP/1.1 507 x</d:status></d:response>"],
    ids=["silent", "507"],
)
async def test_an_answer_without_some_of_the_cards_takes_nobody_off_the_list(rest: str) -> None:
    shelf = Shelf({f"/book/{n}.vcf": card("a", "x", f"090-1234-{n:04}") for n in range(5)})

    async def partial(request: web.Request) -> web.StreamResponse:
        answer = await shelf.answer(request)
        if request.method != "REPORT":
            return answer
        cards = dict(list(shelf.cards.items())[:1])
        return multistatus(
            *(
                response(href, f"<c:address-data>{each}</c:address-data>")
                for href, each in cards.items()
            ),
            *(rest.format(href) for href in shelf.cards if href not in cards),
        )

    assert await complaint(partial) == "does not answer for 4 of 5 cards it has"


@pytest.mark.parametrize(
    "gone",
    [
        "<d:status>HTTP/1.1 404 Not Found</d:status>",
        "<d:propstat><d:prop><c:address-data/></d:prop><d:status>HTTP/1.1 404 x</d:status>"
        "</d:propstat>",
    ],
    ids=["card", "property"],
)
async def test_a_card_that_is_gone_when_it_is_fetched_is_in_the_book_no_more(gone: str) -> None:
    shelf = Shelf({"/book/a.vcf": card("a", "x", "090-1234-5678"), "/book/b.vcf": ""})

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method != "REPORT":
            return await shelf.answer(request)
        data = f"<c:address-data>{shelf.cards['/book/a.vcf']}</c:address-data>"
        return multistatus(
            response("/book/a.vcf", data),
            f"<d:response><d:href>/book/b.vcf</d:href>{gone}</d:response>",
        )

    async with server(answer) as url:
        assert await names(address_book(url)) == {TARO: "x"}


async def test_what_is_wrong_with_a_card_is_told_with_its_name() -> None:
    shelf = Shelf(
        {
            "/book/a.vcf": card("a", "x", "090-1234-5678"),
            "/book/%E5%B1%B1.vcf": card("b", "y", "110"),
            "/book/c.vcf": "BEGIN:VCARD\nFN:open",
            "/book/d.vcf": "no card",
            "/book/e.vcf": card("e", "z", "03-1234-5678", "X-SCREENER-LIST:block"),
        }
    )
    async with server(shelf.answer) as url:
        found = await address_book(url).read(JAPAN, NOW)
    assert list(found.entries) == [TARO]
    assert sorted(found.faults.first) == [
        "card c.vcf: the card that begins here has no end, and is left out",
        "card d.vcf: holds no vCard: there is no line BEGIN:VCARD in it",
        "card e.vcf: was exported from the block list, and is left out",
        "card 山.vcf: 110 is an emergency number, which rings in any case",
    ]


async def test_a_card_of_our_own_allow_list_is_a_card_like_others() -> None:
    own = card("a", "x", "090-1234-5678", "X-SCREENER-LIST:allow", "X-SCREENER-ORIGIN:household")
    async with server(Shelf({"/book/a.vcf": own}).answer) as url:
        found = await address_book(url).read(JAPAN, NOW)
    assert [entry.origin for entry in found.entries.values()] == ["book carddav"]
    assert not found.exported


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (always(401), "refuses user and password"),
        (always(404), "there is no address book there"),
        (always(403), "answers 403 at /book/, and not as CardDAV does"),
        (always(200, b"<html>hello"), "answers 200 at /book/"),
        (always(207, b"<multistatus"), "answers with what is no XML"),
        (always(207, b"\xff\xfe\x00"), "answers with what is no XML"),
        (always(207, b'<x xmlns="DAV:"/>'), "there is no address book there"),
        (always(207, b"\x1f\x8b\x08\x00", **{"Content-Encoding": "gzip"}), "no XML"),
        (always(302, Location="/book/"), "redirects more than 5 times"),
        (always(301, Location="http://127.0.0.1:9/"), "where the password must not go"),
        (always(301, Location="https://[::1]/"), "where the password must not go"),
        (always(301, Location="https://example.org/"), "where the password must not go"),
        (always(301, Location="file:///etc/passwd"), "where the password must not go"),
        (always(301, Location="http://["), ""),
        (always(301), "redirects more than 5 times"),
    ],
    ids=range(15),
)
async def test_an_answer_that_is_none_is_told_on_one_line(answer: Answer, said: str) -> None:
    assert said in await complaint(answer)


async def test_a_document_with_entities_is_refused_before_they_unfold() -> None:
    nested = "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 1000}">' for n in range(9)
    )
    bomb = f"<!DOCTYPE d [{nested}]><d>&e8;</d>"
    assert "answers with a document type" in await complaint(always(207, bomb.encode()))


@pytest.mark.parametrize(
    "body",
    [
        b"<d:x>" * 100_000,
        b"<d:response/>" * 100_002,
    ],
    ids=["too deep", "too many"],
)
async def test_an_answer_of_many_elements_costs_little_memory(body: bytes) -> None:
    told = await complaint(always(207, b'<d:multistatus xmlns:d="DAV:">' + body))
    assert told == "answers with more than an address book is"


async def test_of_a_property_with_very_many_elements_the_first_are_read() -> None:
    shelf = Shelf({"/book/a.vcf": card("a", "x", "090-1234-5678")})
    shelf.version = "<d:x/>" * 100_000 + '"1"'
    async with server(shelf.answer) as url:
        assert await names(address_book(url)) == {TARO: "x"}


@pytest.mark.parametrize(
    "home", ["//example.org/", "http://127.0.0.1:9/", "https://h/", "http://["]
)
async def test_a_home_on_another_server_is_not_asked(home: str) -> None:
    homes = f"<c:addressbook-home-set><d:href>{home}</d:href></c:addressbook-home-set>"

    async def answer(_: web.Request) -> web.Response:
        return multistatus(response("/", homes))

    assert "password must not go" in await complaint(answer) or home == "http://["


async def test_an_endless_answer_is_left_after_some_megabytes() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(status=207)
        await stream.prepare(request)
        await stream.write(b'<d:multistatus xmlns:d="DAV:">')
        with contextlib.suppress(ConnectionError):
            while True:
                await stream.write(b"<d:response/>" * 1000)
        return stream

    assert await complaint(endless, Limits(largest=1 << 20)) == "answers with more than 1 MB"


async def test_a_card_that_is_too_large_is_left_out_and_the_others_come() -> None:
    cards = {f"/book/{n}.vcf": card("a", "x", f"090-1234-{n:04}") for n in range(5)}
    cards["/book/3.vcf"] = card("a", "x", "03-1234-5678", "PHOTO:" + "A" * 100_000)
    async with server(Shelf(cards).answer) as url:
        book = address_book(url, limits=Limits(largest=1 << 16))
        found = await book.read(JAPAN, NOW)
    assert len(found.entries) == 4
    assert found.faults.first == ["card 3.vcf: the server answers with more than 0.0625 MB for it"]


async def test_a_server_that_stalls_is_given_up() -> None:
    released = asyncio.Event()

    async def stalls(_: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    start = time.monotonic()
    async with server(stalls) as url:
        with pytest.raises(BookError, match="takes too long to answer"):
            await address_book(url, limits=Limits(seconds=0.2)).read(JAPAN, NOW)
        released.set()
    assert time.monotonic() - start < 5


async def test_an_answer_that_ends_half_way_is_told() -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(status=207, headers={"Content-Length": "1000"})
        await stream.prepare(request)
        await stream.write(b'<d:multistatus xmlns:d="DAV:">')
        assert request.transport is not None
        request.transport.abort()
        return stream

    assert await complaint(half)


async def test_a_server_that_is_not_there_is_told() -> None:
    async with server(always(404)) as url:
        pass
    with pytest.raises(BookError, match="Cannot connect to host") as refused:
        await address_book(url).read(JAPAN, NOW)
    assert str(refused.value).isprintable()


async def test_a_password_that_cannot_be_read_is_told() -> None:
    def missing() -> str:
        raise BookError("state/secrets/carddav-password: no such file")

    book = CardDavBook("http://127.0.0.1:9/", USER, missing, origin="book carddav")
    with pytest.raises(BookError, match="carddav-password: no such file"):
        await book.read(JAPAN, NOW)
