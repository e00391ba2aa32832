"""How long a call waits, and for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All in seconds. A ring needs none, as Dial ends it, nor does a talk, as people do."""

    claimed: float = 2.0  # for StasisStart after a call was claimed
    playback_slack: float = 3.0  # for a sound to end, beyond its length
    hangup: float = 0.1  # for a hangup to show that a failing command already met
    retry: float = 0.1  # before a call is handed back once more; doubled from try to try
    longest_retry: float = 0.5
    pause: float = 1.0  # between two tries of anything else that was refused
    look: float = 60.0  # without a word about a call in the dialplan, before Asterisk is asked
    details: float = 1.0  # between two looks for calls that the dialplan carried alone
    courtesy: float = 0.2  # to whoever follows a call that comes back to a screener that is away
    fresh: float = 10.0  # for another screener to write down a call that is over
    company: float = 0.25  # between two looks whether the other screeners are there
    settle: float = 0.2  # between two looks for what one of them held
    let_go: float = 2.0  # for handing a call back when the screener stops
