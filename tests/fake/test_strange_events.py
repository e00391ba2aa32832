"""Events from Asterisk that are unknown, incomplete, repeated or out of order."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screener.ari.events import EVENT_TYPES, Event, parse
from screener.audio.recording import Recordings
from screener.domain.call_record import Disposition
from screener.store.database import Store
from tests.fake.asterisk import FakeAsterisk
from tests.fake.people import Handset
from tests.fake.screening import STRANGER, Screening

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
KEYS = st.sampled_from(
    ["type", "channel", "playback", "caller", "peer", "args", "id", "state", "cause", "soft",
     "dialstatus", "channelvars", "dialplan", "app_name", "app_data", "creationtime", "target_uri"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(EVENT_TYPES) | st.text(max_size=9), st.dictionaries(KEYS, JSON), JSON)
def test_whatever_asterisk_says_is_an_event_or_nothing(
    kind: str, fields: dict[str, Any], channel: Any
) -> None:
    for said in ({**fields, "type": kind}, {**fields, "channel": channel, "type": kind}):
        assert isinstance(parse(said), Event | None)


def strange(chance: random.Random, event: dict[str, Any]) -> dict[str, Any]:
    """Return an event bent: another kind, a key less, another channel, rubbish in a field."""
    bent: dict[str, Any] = json.loads(json.dumps(event))
    match chance.randrange(5):
        case 0:
            bent["type"] = chance.choice(["Unheard", "", "ChannelVarset", "RESTResponse"])
        case 1 if bent:
            del bent[chance.choice(sorted(bent))]
        case 2 if isinstance(bent.get("channel"), dict):
            del bent["channel"][chance.choice(sorted(bent["channel"]))]
        case 3 if isinstance(bent.get("channel"), dict):
            bent["channel"]["id"] = f"nobody-{chance.randrange(9)}"
        case _:
            bent[chance.choice(sorted(bent))] = chance.choice([None, [], {}, 7, "x" * 9000, [{}]])
    return bent


@pytest.mark.parametrize("seed", range(8))
async def test_strange_events_between_the_true_ones_change_nothing_for_the_caller(
    store: Store, recordings: Recordings, seed: int
) -> None:
    """Events of earlier calls come again, bent and in any order, while others are screened."""
    chance = random.Random(seed)  # noqa: S311  (to be repeated)
    async with FakeAsterisk() as asterisk:
        screening = Screening(asterisk, store, recordings)
        async with screening.at_work():
            told: list[dict[str, Any]] = []
            (line,) = asterisk.lines
            put = line.outgoing.put_nowait

            def tell(text: str) -> None:
                put(text)
                said = json.loads(text) if text.startswith("{") else {}
                # An answer belongs to whoever asked; ApplicationReplaced would end the screener.
                if said.get("type") not in {None, "RESTResponse", "ApplicationReplaced"}:
                    told.append(said)
                if told:
                    put(json.dumps(strange(chance, chance.choice(told))))

            line.outgoing.put_nowait = tell  # type: ignore[assignment, method-assign]
            for _ in range(3):
                caller = asterisk.offer(STRANGER, handset=Handset.ANSWERS)
                await screening.finished()
                row = screening.rows()[caller.id]
                assert caller.heard == ["warning"], asterisk.story()
                assert row.disposition is Disposition.ANSWERED, asterisk.story()
                # Those of a call that is over, once more and backwards: it is over.
                for said in reversed(told[-20:]):
                    put(json.dumps(said))
                await asterisk.settled()
            await screening.finished()
