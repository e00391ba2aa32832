"""What the operator has at hand for a call: lists, prompts, the call log, the clock."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from screener.audio.prompts import Prompt
from screener.domain.call_record import CallRecord, Recording
from screener.domain.caller import Caller
from screener.domain.household import Household
from screener.domain.lists import Lists
from screener.store.call_details import CallDetailsFiles
from screener.store.colleagues import Colleagues


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything an inbound call needs besides the call; made once, by the service.

    ``lists`` never fails and never waits long: where the database does not answer it returns
    what was last known. ``shows_numbers`` tells whether a caller on this line ever showed one.
    ``keep`` never waits. ``archive`` turns what was recorded under a call's id into the finished
    recording, None where nothing was; ``discard_raw`` drops what that was made from, once the call
    log holds it on disk; ``recorded_until`` is when its last sound was written, and
    ``recorded_seconds`` how much it is, None where there is none. ``caller_speaks`` listens to a
    finished recording. ``row`` is what the call log on disk holds of a call, ``take_row`` makes
    that ours; both raise StoreError. ``colleagues`` are the screeners that share the call log.
    ``details`` is what the dialplan tells of a call. ``dialled`` hears what the household dialled,
    and when, and raises StoreError.
    """

    identify: Callable[[str, str], Caller]
    lists: Callable[[], Awaitable[Lists]]
    household: Household
    shows_numbers: Callable[[str], bool]
    keep: Callable[[CallRecord], None]
    archive: Callable[[CallRecord], Awaitable[Recording | None]]
    discard_raw: Callable[[CallRecord], Awaitable[None]]
    recorded_until: Callable[[CallRecord], datetime | None]
    recorded_seconds: Callable[[CallRecord], float | None]
    caller_speaks: Callable[[Recording], Awaitable[bool]]
    row: Callable[[str], Awaitable[CallRecord | None]]
    take_row: Callable[[str], Awaitable[CallRecord | None]]
    details: CallDetailsFiles
    colleagues: Colleagues
    dialled: Callable[[str, datetime], Awaitable[None]]
    now: Callable[[], datetime]
    media: Callable[[Prompt], str]
    prompt_seconds: Callable[[Prompt], float]
    ring_seconds: int
    message_seconds: int
    record_known: bool
