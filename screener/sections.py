"""The sections of the settings: every key with its default and with what is allowed for it.

The descriptions are the words of the error message; what a key is for stands beside it in
``config/screener.toml``.
"""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from screener.domain.caller import NumberClass
from screener.domain.hours import Period, parse_period
from screener.domain.household import SETTABLE
from screener.domain.numbers import Country, parse_entry
from screener.domain.verdict import Verdict
from screener.shared.formats import Format
from screener.shared.job import Source, Terms
from screener.shared.limits import Limits
from screener.shared.lists import FraudLists
from screener.shared.signature import public_key


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    bare = not (parts.query or parts.fragment or "@" in parts.netloc)
    printable = text.isprintable() and " " not in text
    if not (parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0):
        raise ValueError(text)
    if not (bare and printable):
        raise ValueError(text)
    return text.rstrip("/")


def _base_url_or_none(text: str) -> str:
    return _base_url(text) and text if text else ""


def _path(text: object) -> object:
    if isinstance(text, str) and not (text and text.isprintable()):
        raise ValueError(text)
    return text


def _path_or_none(text: object) -> object:
    return None if text == "" else _path(text)


FilePath = Annotated[Path, BeforeValidator(_path), Field(description="a path, not empty")]
OptionalFilePath = Annotated[
    Path | None,
    BeforeValidator(_path_or_none),
    Field(description='a path, or "" for none'),
]
# Part of an extension of the dialplan and of a regular expression there.
Application = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_.-]{1,48}$",
        description="1 to 48 letters, digits, _, . or -: what Asterisk was started with, alone or "
        "with a number behind it, as in screener-2",
    ),
]
Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="1 to 64 letters, digits, or any of _ . -",
    ),
]


OwnVerdict = Annotated[
    Verdict | Literal[""],
    Field(description='"pass", "screen", "message" or "block", or "" for what the profile says'),
]


def _period(text: object) -> Period:
    if not isinstance(text, str):
        raise ValueError(text)
    return parse_period(text)


def _place(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError(text)
    if "://" in text:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        if not usable or "@" in parts.netloc or " " in text:
            raise ValueError(text)
    return text


def _public_key(text: str) -> str:
    if text:
        public_key(text)
    return text


def _of_different_names(lists: "tuple[FraudSource, ...]") -> "tuple[FraudSource, ...]":
    if len({each.name for each in lists}) != len(lists):
        raise ValueError(lists)
    return lists


class Section(BaseModel):
    """What all sections have in common: nothing unknown, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Asterisk(Section):
    """How to reach Asterisk. The password, where it is not empty, goes before its file."""

    url: Annotated[
        str,
        AfterValidator(_base_url),
        Field(description="http://HOST:PORT or https://HOST:PORT, without user or query"),
    ] = "http://127.0.0.1:8088"
    application: Application = "screener"
    user: Name = "screener"
    password: Annotated[SecretStr, Field(description="text in quotes")] = SecretStr("")
    password_file: OptionalFilePath = Path("state/secrets/ari-password")


class Callers(Section):
    """What happens to callers who are on no list, by the class of their number."""

    internal: OwnVerdict = ""
    special: OwnVerdict = ""
    fixed_line: OwnVerdict = ""
    mobile: OwnVerdict = ""
    voip: OwnVerdict = ""
    toll_free: OwnVerdict = ""
    premium_rate: OwnVerdict = ""
    uan: OwnVerdict = ""
    pager: OwnVerdict = ""
    domestic_invalid: OwnVerdict = ""
    japan_via_international: OwnVerdict = ""
    international: OwnVerdict = ""
    international_fake: OwnVerdict = ""
    international_suspect: OwnVerdict = ""
    withheld: OwnVerdict = ""
    payphone: OwnVerdict = ""
    unavailable: OwnVerdict = ""
    malformed: OwnVerdict = ""

    def chosen(self) -> dict[NumberClass, Verdict]:
        """Return the verdicts in which the household differs from its profile."""
        own = {each: getattr(self, each) for each in SETTABLE}
        return {each: verdict for each, verdict in own.items() if verdict != ""}


class QuietHours(Section):
    """When the household wants its peace, and what strangers get then."""

    quiet: Annotated[
        tuple[Annotated[Period, BeforeValidator(_period)], ...],
        Field(description='a list of hours such as ["22:00-07:00", "sat, sun 13:00-15:00"]'),
    ] = ()
    verdict: Annotated[
        Literal["screen", "message", "block"], Field(description='"screen", "message" or "block"')
    ] = "message"


class Database(Section):
    """Where the call log and the household's lists are kept."""

    path: FilePath = Path("state/screener.db")


class Recordings(Section):
    """Where recordings are kept, of whom, and how much of the disk they leave free."""

    directory: FilePath = Path("recordings")
    record_known: Annotated[bool, Field(description="true or false")] = False
    reserve_mb: Annotated[int, Field(ge=0, le=10_000_000, description="0 to 10000000")] = 500


class Prompts(Section):
    """Where the prompts lie."""

    directory: FilePath = Path("prompts")


class FraudSource(Section):
    """One list of others: where it comes from, in which format, and how far it is trusted."""

    name: Annotated[
        str,
        Field(
            # It names a directory, and "." and ".." are none of our own.
            pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$",
            description="1 to 64 letters, digits, or any of _ . - but not . or - first",
        ),
    ]
    source: Annotated[
        str,
        AfterValidator(_place),
        Field(description="the path of a file or directory, or a URL without user and password"),
    ]
    format: Annotated[
        Literal["csv", "saracroche", "phoneblock", "ftc"],
        Field(description='"csv", "saracroche", "phoneblock" or "ftc"'),
    ] = "csv"
    key: Annotated[
        str,
        AfterValidator(_public_key),
        Field(description='a public key of minisign or Ed25519, or "" for none'),
    ] = ""
    token_file: OptionalFilePath = None
    least_reports: Annotated[
        int, Field(ge=1, le=10_000, description="a whole number from 1 to 10000")
    ] = 4
    oldest_days: Annotated[
        int, Field(ge=0, le=10_000, description="a whole number from 0 (any age) to 10000")
    ] = 30

    def built(self) -> Source:
        """Return the source as the update of lists knows it."""
        return Source(
            name=self.name,
            place=self.source,
            format=Format(self.format),
            key=public_key(self.key) if self.key else None,
            token_file=self.token_file,
            least_reports=self.least_reports,
            oldest_days=self.oldest_days,
        )


SHIPPED = FraudSource(name="shipped", source="config/fraud-list.csv", oldest_days=365)


class SharedLists(Section):
    """The lists that a household gets from others, and what none of them may do."""

    directory: FilePath = Path("state/lists")
    verdict: Annotated[
        Literal["screen", "message", "block"], Field(description='"screen", "message" or "block"')
    ] = "block"
    update_hours: Annotated[
        int, Field(ge=0, le=8760, description="a whole number from 0 (never) to 8760")
    ] = 24
    largest_change: Annotated[
        int, Field(ge=0, le=100_000, description="a whole number of percent from 0 to 100000")
    ] = 50
    smallest_change: Annotated[
        int, Field(ge=0, le=1_000_000, description="a whole number of entries from 0 to 1000000")
    ] = 100
    shortest: Annotated[int, Field(ge=1, le=15, description="a whole number from 1 to 15")] = 4
    shortest_domestic: Annotated[
        int, Field(ge=1, le=15, description="a whole number from 1 to 15")
    ] = 9
    most_megabytes: Annotated[
        int, Field(ge=1, le=4000, description="a whole number from 1 to 4000")
    ] = 250
    most_numbers: Annotated[
        int, Field(ge=1, le=20_000_000, description="a whole number from 1 to 20000000")
    ] = 3_000_000
    own: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=40)], ...],
        Field(description='a list of numbers such as ["0312345678"]'),
    ] = ()
    fraud: Annotated[
        tuple[FraudSource, ...],
        AfterValidator(_of_different_names),
        Field(
            description="a list of tables [[lists.fraud]], each with a name of its own and a source"
        ),
    ] = (SHIPPED,)

    def built(self, at_home: Country) -> FraudLists:
        """Return the lists of a household in this country; ValueError where ``own`` is wrong."""
        limits = Limits(
            country=at_home,
            shortest=self.shortest,
            shortest_domestic=self.shortest_domestic,
            own=[parse_entry(number, country=at_home) for number in self.own],
        )
        terms = Terms(
            limits=limits,
            largest_change=self.largest_change,
            smallest_change=self.smallest_change,
            most_bytes=self.most_megabytes * 1_000_000,
            most_numbers=self.most_numbers,
        )
        return FraudLists(self.directory, [each.built() for each in self.fraud], terms)


class Known(Section):
    """Whether dialled numbers become known, and for how many ``days``; 0 is for ever."""

    dialled: Annotated[bool, Field(description="true or false")] = True
    days: Annotated[int, Field(ge=0, le=3650, description="a whole number from 0 to 3650")] = 180


class Books(Section):
    """An address book on a CardDAV server, read every ``sync_hours`` hours, 0 is never."""

    carddav: Annotated[
        str,
        AfterValidator(_base_url_or_none),
        Field(description='http://HOST/PATH or https://HOST/PATH without user, or "" for none'),
    ] = ""
    user: Annotated[
        str, Field(pattern=r"^[^:\x00-\x1f]{0,200}$", description="text in quotes, without a colon")
    ] = ""
    password_file: OptionalFilePath = Path("state/secrets/carddav-password")
    name: Name = "carddav"
    sync_hours: Annotated[int, Field(ge=0, le=720, description="a whole number from 0 to 720")] = 6


class Call(Section):
    """The limits of calls: two in seconds, and ``max_calls`` at the same time."""

    ring_seconds: Annotated[
        int, Field(ge=5, le=120, description="a whole number from 5 to 120")
    ] = 30
    message_seconds: Annotated[
        int, Field(ge=10, le=600, description="a whole number from 10 to 600")
    ] = 120
    max_calls: Annotated[int, Field(ge=1, le=1000, description="a whole number from 1 to 1000")] = (
        100
    )


class Log(Section):
    """How the log looks, and from which level on it speaks."""

    format: Annotated[Literal["console", "json"], Field(description='"console" or "json"')] = (
        "console"
    )
    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description='"debug", "info", "warning" or "error"'),
    ] = "info"
