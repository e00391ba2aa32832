"""Brings what a source has: the file, the files of a directory, or a URL, with its signature."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from yarl import URL

from screener.domain.inert import inert
from screener.shared.compiled import FraudList, Head
from screener.shared.errors import ListError, too_large
from screener.shared.fetch import Fetched, Request, fetch
from screener.shared.job import Job, Source
from screener.shared.signature import LARGEST_SIGNATURE, PublicKey, verify

# PhoneBlock asks for the whole list once a month at most, and for increments once a day.
WHOLE_AGAIN: Final = timedelta(days=30)
MOST_FILES: Final = 1000
_LONGEST_TOKEN: Final = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What a source gave: files to read in order, and what is known of them."""

    files: Sequence[Path]
    dated: datetime
    signature: str = ""
    fetched: Fetched = field(default_factory=Fetched)
    increment: bool = False

    def digest(self) -> str:
        """Return what stands for the content of all files."""
        total = hashlib.sha256()
        for path in self.files:
            try:
                with path.open("rb") as file:
                    total.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                raise ListError(f"cannot be read: {error.strerror}") from None
        return total.hexdigest()


def at_once(source: Source, now: datetime, most: int) -> Got | None:
    """Return what a file of at most so many bytes gives, read where it is; None if it is none."""
    path = Path(source.place)
    try:
        if source.remote or path.stat().st_size > most or not path.is_file():
            return None
        signature = _verified(path, path, source.key)
        return Got(files=[path], dated=_modified(path, now), signature=signature)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


async def obtain(job: Job, before: FraudList | None, incoming: Path) -> Got:
    """Bring what a source has now into the directory ``incoming``, its signature verified.

    Where the list that counts was taken under the same terms, only what is new is asked for.
    """
    source, most = job.source, job.terms.most_bytes
    if not source.remote:
        return _copied(source, incoming, most, job.now)
    head = before.head if before and before.head.terms == job.conditions else None
    url, headers, increment = _question(source, head, job.now)
    request = Request(url=url, headers=headers, most=most, patience=job.terms.patience)
    into, signature = incoming / "list", ""

    def told(come: int, of: int | None) -> None:
        job.progress(f"fetching {source.name}", come, of)

    fetched = await fetch(request, into, told)
    if source.key and not fetched.unchanged:
        signature = await _fetch_signature(source, source.key, request, into)
    return Got(
        files=[into],
        dated=_http_date(fetched.last_modified, job.now),
        signature=signature,
        fetched=fetched,
        increment=increment,
    )


async def _fetch_signature(source: Source, key: PublicKey, request: Request, into: Path) -> str:
    parts = urlsplit(request.url)
    url = parts._replace(path=parts.path + key.suffix).geturl()
    beside = into.with_name(into.name + key.suffix)
    headers = _authorization(source)
    try:
        await fetch(replace(request, url=url, headers=headers, most=LARGEST_SIGNATURE), beside)
    except ListError as error:
        raise ListError(f"its signature {error}") from None
    return verify(into, beside, key)


def _question(source: Source, head: Head | None, now: datetime) -> tuple[str, dict[str, str], bool]:
    """Return what to ask for: the whole list, or what is new in it, or only whether anything is."""
    headers = _authorization(source)
    if head is not None and head.since is not None and head.source == source.place:
        if now - datetime.fromisoformat(head.full_at) < WHOLE_AGAIN:
            return str(URL(source.place).update_query(since=str(head.since))), headers, True
    elif head is not None and head.source == source.place:
        if head.etag:
            headers["If-None-Match"] = head.etag
        if head.last_modified:
            headers["If-Modified-Since"] = head.last_modified
    return source.place, headers, False


def _authorization(source: Source) -> dict[str, str]:
    if source.token_file is None:
        return {}
    try:
        with source.token_file.open(encoding="ascii") as file:
            token = file.readline(_LONGEST_TOKEN).strip()
    except (OSError, ValueError) as error:
        raise ListError(f"its token_file {_shown(source.token_file)}: {error}") from None
    if not token or not token.isprintable():
        raise ListError(
            f"its token_file {_shown(source.token_file)} has no token in its first line"
        )
    return {"Authorization": f"Bearer {token}"}


def _copied(source: Source, incoming: Path, most: int, now: datetime) -> Got:
    """Copy the files: what is verified must be what is read, whoever writes to them meanwhile."""
    copies, dated, signature = [], datetime.fromtimestamp(0, UTC), ""
    for at, path in enumerate(_files(Path(source.place))):
        copy = incoming / f"{at:04}"
        try:
            if path.stat().st_size > most:
                raise ListError(f"{_shown(path)} {too_large(most)}")
            shutil.copyfile(path, copy)
            signature = _verified(path, copy, source.key)
            dated = max(dated, _modified(path, now))
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None
        copies.append(copy)
    return Got(files=copies, dated=dated, signature=signature)


def _files(place: Path) -> list[Path]:
    """Return the file, or the files of the directory in the order of their names."""
    try:
        if not place.is_dir():
            return [place]
        found = sorted(
            path
            for path in place.iterdir()
            if path.is_file() and path.name[0] != "." and path.suffix not in {".sig", ".minisig"}
        )
    except (OSError, ValueError) as error:
        raise _unreadable(place, error) from None
    if not 0 < len(found) <= MOST_FILES:
        raise ListError(f"{_shown(place)} holds {len(found)} files; 1 to {MOST_FILES} are read")
    return found


def _verified(original: Path, copy: Path, key: PublicKey | None) -> str:
    if key is None:
        return ""
    return verify(copy, original.with_name(original.name + key.suffix), key)


def _unreadable(path: Path, error: OSError | ValueError) -> ListError:
    reason = getattr(error, "strerror", None) or str(error)
    return ListError(f"{_shown(path)} cannot be read: {reason}")


def _shown(path: Path) -> str:
    return inert(str(path), 200)


def _modified(path: Path, now: datetime) -> datetime:
    return min(datetime.fromtimestamp(path.stat().st_mtime, UTC), now)


def _http_date(text: str, now: datetime) -> datetime:
    try:
        return min(parsedate_to_datetime(text), now)
    except (ValueError, TypeError):
        return now
