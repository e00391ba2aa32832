"""Settings from a TOML file and the environment, checked once, before anything starts."""

import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import AfterValidator, Field, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from screener.domain.household import Household, Profile, verdicts_of
from screener.domain.inert import inert
from screener.domain.numbers import TrunkFormat, country
from screener.domain.verdict import Verdict
from screener.sections import (
    Asterisk,
    Books,
    Call,
    Callers,
    Database,
    Known,
    Log,
    Prompts,
    QuietHours,
    Recordings,
    Section,
    SharedLists,
)
from screener.shared.lists import FraudLists

DEFAULT_FILE = Path("config/screener.toml")
PREFIX = "SCREENER_"
LARGEST_FILE = 1_000_000  # characters; a settings file has two or three thousand


class SettingsError(Exception):
    """Settings that cannot be used; str() is one line: where, which key, what is allowed."""


def _known_country(code: str) -> str:
    return country(code).code


class Settings(BaseSettings):
    """All settings; made by ``load``, and never changed afterwards."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    country: Annotated[
        str,
        AfterValidator(_known_country),
        Field(description='the two-letter code of a country, such as "JP"'),
    ] = "JP"
    language: Annotated[
        str, Field(pattern="^[a-z]{2}$", description='two small letters, such as "ja" or "en"')
    ] = "ja"
    trunk_format: Annotated[TrunkFormat, Field(description='"national" or "e164"')] = (
        TrunkFormat.NATIONAL
    )
    profile: Annotated[
        Profile,
        Field(
            description='"standard", "as_the_box", "careful", "messages_only" or "watch_only"',
        ),
    ] = Profile.STANDARD
    callers: Callers = Callers()
    hours: QuietHours = QuietHours()
    asterisk: Asterisk = Asterisk()
    database: Database = Database()
    recordings: Recordings = Recordings()
    prompts: Prompts = Prompts()
    lists: SharedLists = SharedLists()
    known: Known = Known()
    books: Books = Books()
    call: Call = Call()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over what was read from the file, and read nothing else."""
        return env_settings, init_settings

    def household(self) -> Household:
        """Return how the household wants its callers treated."""
        return Household(
            verdicts={**verdicts_of(self.profile), **self.callers.chosen()},
            on_fraud_list=Verdict(self.lists.verdict),
            quiet=self.hours.quiet,
            quiet_verdict=Verdict(self.hours.verdict),
            police_endings=country(self.country).police_endings,
            enforced=self.profile is not Profile.WATCH_ONLY,
        )

    def fraud_lists(self) -> FraudLists:
        """Return the shared lists. Raises SettingsError where a number of ``own`` is none."""
        try:
            return self.lists.built(country(self.country))
        except ValueError as error:
            raise SettingsError(f"[lists] own: {error}") from None

    def ari_password(self) -> SecretStr:
        """Return the password of the ARI user: its key's, or else the first line of its file.

        Raises SettingsError where there is none, or where the file cannot be read.
        """
        if self.asterisk.password.get_secret_value():
            return self.asterisk.password
        file = self.asterisk.password_file
        if file is None:
            raise SettingsError(
                "[asterisk] has neither password nor password_file: set one of them"
            )
        return SecretStr(_first_line(file, "the ARI password"))

    def books_password(self) -> SecretStr:
        """Return the password of the address book: the first line of its file, or an empty one.

        Raises SettingsError where the file cannot be read or begins with nothing.
        """
        file = self.books.password_file
        return SecretStr("" if file is None else _first_line(file, "the address book's password"))


Place = tuple[str, ...]  # ("call", "ring_seconds") or ("country",)

SECTIONS = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
KEYS: dict[Place, FieldInfo] = {
    (name,): field for name, field in Settings.model_fields.items() if name not in SECTIONS
} | {
    (name, key): field
    for name, section in SECTIONS.items()
    for key, field in section.model_fields.items()
}
VARIABLES = {PREFIX + "__".join(place).upper(): place for place in KEYS}


def load(path: Path | None) -> Settings:
    """Return the settings: the environment first, then the file, then the defaults.

    ``path`` None means ``config/screener.toml`` below the current directory, if there is one.
    Raises SettingsError for the first thing that is wrong in either of them.
    """
    file = DEFAULT_FILE if path is None else path
    table = _read_toml(file, missing="" if path is None else None)
    for place, value in _flat(table, file):
        _check(place, value, _in_file(file, place), strict=True)
    for variable in sorted(os.environ):
        if variable.upper().startswith(PREFIX):
            if (found := VARIABLES.get(variable.upper())) is None:
                raise SettingsError(
                    f"{inert(variable, 80)}: no such setting; variables are named after the keys"
                    " of the file, like SCREENER_COUNTRY or SCREENER_CALL__RING_SECONDS"
                )
            _check(found, _in_variable(found, os.environ[variable]), variable, strict=False)
    return Settings(**table)


def _flat(table: dict[str, Any], file: Path) -> Iterator[tuple[Place, object]]:
    for name, value in table.items():
        if name not in SECTIONS:
            yield (name,), value
        elif isinstance(value, dict):
            yield from (((name, key), inner) for key, inner in value.items())
        else:
            raise SettingsError(f"{_in_file(file, (name,))}: is a section, written [{name}]")


def _check(place: Place, value: object, where: str, *, strict: bool) -> None:
    if (field := KEYS.get(place)) is None:
        beside = [key[-1] for key in KEYS if key[:-1] == place[:-1]]
        sections = [f"[{name}]" for name in SECTIONS] if len(place) == 1 else []
        known = ", ".join(beside + sections)
        raise SettingsError(f"{where}: no such setting; there are {known}")
    # JSON, because there a path or a choice may be text though "30" may not be a number.
    as_json = json.dumps(value, default=str)
    kind: Any = Annotated[field.annotation, field]
    try:
        TypeAdapter(kind).validate_json(as_json, strict=strict)
    except ValidationError as error:
        if (inner := _in_table(field, error.errors()[0])) is not None:
            raise SettingsError(f"{where} {inner}") from None
        secret = field.annotation is SecretStr or "@" in str(value)  # a URL with a password
        shown = "what stands there" if secret else inert(repr(value), 60)
        raise SettingsError(
            f"{where}: {shown} is not allowed; allowed is {field.description}"
        ) from None


def _in_table(field: FieldInfo, error: ErrorDetails) -> str | None:
    """Say what is wrong inside of one table of a list of tables, None where it is not there."""
    (kind, *_) = get_args(field.annotation) or (None,)
    if not (isinstance(kind, type) and issubclass(kind, Section)) or len(error["loc"]) < 2:
        return None
    at, key = int(error["loc"][0]) + 1, str(error["loc"][1])
    if (inner := kind.model_fields.get(key)) is None:
        known = ", ".join(kind.model_fields)
        return f"{at}: {inert(key, 40)}: no such setting; there are {known}"
    if error["type"] == "missing":
        return f"{at}: {key} is missing: {inner.description}"
    given = str(error["input"])
    shown = "what stands there" if "@" in given else inert(repr(error["input"]), 60)
    return f"{at}: {key}: {shown} is not allowed; allowed is {inner.description}"


def _in_variable(place: Place, text: str) -> object:
    """Return the value that a variable holds: a list is written as JSON, all else as it is."""
    if get_origin(KEYS[place].annotation) is not tuple:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _in_file(file: Path, place: Place) -> str:
    section = "".join(f"[{name}] " for name in place[:-1])
    return inert(f"{file}: {section}{place[-1]}", 200)


def _read_toml(file: Path, missing: str | None) -> dict[str, Any]:
    try:
        return tomllib.loads(_read_text(file, missing))
    except (ValueError, RecursionError) as error:
        raise SettingsError(inert(f"{file}: not TOML: {error}", 300)) from None


def _first_line(file: Path, what: str) -> str:
    lines = _read_text(file).splitlines()
    if not lines or not lines[0].strip():
        raise SettingsError(inert(f"{file}: the first line is {what}, and it is empty", 300))
    return lines[0].strip()


def _read_text(file: Path, missing: str | None = None) -> str:
    try:
        with file.open(encoding="utf-8-sig") as opened:
            text = opened.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        if missing is None:
            raise SettingsError(inert(f"{file}: no such file", 300)) from None
        return missing
    except OSError as error:
        raise SettingsError(
            inert(f"{file}: cannot be read: {error.strerror or error}", 300)
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(inert(f"{file}: not text in UTF-8", 300)) from None
    if len(text) > LARGEST_FILE:
        raise SettingsError(inert(f"{file}: over {LARGEST_FILE} characters, not such a file", 300))
    return text
