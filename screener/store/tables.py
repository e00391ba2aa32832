"""The tables of the database, and how text and times of any kind are kept in them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, DateTime, Dialect, Float, Index, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator

REVISION = "0003"
"""The newest migration; a test holds it against the scripts."""


class AnyText(TypeDecorator[str]):
    """Text that comes back as it was, lone surrogates and NUL included.

    A trunk can send bytes that are no UTF-8; they reach us as lone surrogates, which no database
    takes as text. Such a text is kept as bytes (UTF-8 with the surrogates passed through), which
    SQLite allows in a text column; every other text stays readable text.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Return the text, or its bytes where it cannot be encoded."""
        if value is None:
            return None
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogatepass")
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Return the text again."""
        if isinstance(value, bytes):
            return value.decode("utf-8", "surrogatepass")
        return None if value is None else str(value)


class UtcTime(TypeDecorator[datetime]):
    """A moment: aware of its zone outside, kept as UTC so that rows sort by time."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC; ValueError for a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone is no moment")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment, aware that it is UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData()

calls = Table(
    "calls",
    metadata,
    Column("id", AnyText, primary_key=True),
    Column("line", AnyText, nullable=False),
    Column("caller_given", AnyText, nullable=False),
    Column("caller_name", AnyText, nullable=False),
    Column("caller_e164", AnyText),
    Column("caller_class", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("reason", AnyText, nullable=False),
    # The list entry as it was when it decided; the list itself may have changed since.
    Column("entry", JSON(none_as_null=True)),
    Column("instead_of", Text),
    Column("started_at", UtcTime, nullable=False),
    Column("warned", Boolean, nullable=False),
    Column("rang_at", UtcTime),
    Column("answered_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("ended_by", Text),
    Column("disposition", Text),
    Column("recording_path", AnyText),
    Column("recording_seconds", Float),
    Column("recording_sha256", Text),
    # Whose call it is, where several screeners share the database; "" before there were several.
    Column("screener", Text, nullable=False, server_default=""),
    Index("ix_calls_started_at", "started_at"),
)

# One row a number, pattern or country, so that allowing and blocking it exclude each other.
list_entries = Table(
    "list_entries",
    metadata,
    Column("number", AnyText, primary_key=True),
    Column("list_name", Text, nullable=False),
    Column("note", AnyText, nullable=False),
    Column("origin", AnyText, nullable=False),
    Column("added_at", UtcTime),
    Column("expires_at", UtcTime),
)
