"""Whose rows they are, where several screeners share the call log and one is gone."""

from collections.abc import Iterable

from screener.domain.call_record import CallRecord
from screener.store.call_log import CallLog
from screener.store.colleagues import Colleagues


async def unfinished(
    calls: CallLog, colleagues: Colleagues, recorded: Iterable[str]
) -> list[CallRecord]:
    """Return our rows without an end, and those of ``recorded`` calls; raises StoreError.

    What belonged to screeners that are gone is ours from here on.
    """
    rows = await calls.unfinished()
    living = colleagues.others() | {colleagues.name}
    gone = {record.screener for record in rows} - living
    for name in gone:
        with colleagues.in_place_of(name) as free:
            if free:
                await calls.take_over(name, colleagues.name)
    if gone:
        rows = await calls.unfinished()
    ours = [record for record in rows if record.screener == colleagues.name]
    for call_id in set(recorded) - {record.id for record in rows}:
        record = await calls.get(call_id)
        if record and record.screener not in living:
            record = await taken(calls, colleagues, call_id)
        if record and record.screener == colleagues.name:
            ours.append(record)
    return ours


async def taken(calls: CallLog, colleagues: Colleagues, call_id: str) -> CallRecord | None:
    """Return the row of a call, ours from here on; None if there is none. Raises StoreError."""
    record = await calls.get(call_id)
    if record and record.screener != colleagues.name:
        await calls.take(call_id, colleagues.name)
        record = await calls.get(call_id)
    return record
