"""The four things that can happen to a call."""

from enum import StrEnum


class Verdict(StrEnum):
    """What is to happen to a call, from the mildest to the strictest.

    ``pass``: it rings at once. ``screen``: the caller is warned, then it rings and is recorded.
    ``message``: it does not ring, the caller can leave a message. ``block``: it is refused.
    """

    PASS = "pass"  # noqa: S105  (a verdict, not a password)
    SCREEN = "screen"
    MESSAGE = "message"
    BLOCK = "block"

    def is_stricter_than(self, other: "Verdict") -> bool:
        """Tell whether less of a call is left by this verdict than by the other."""
        return _FROM_MILD_TO_STRICT.index(self) > _FROM_MILD_TO_STRICT.index(other)


_FROM_MILD_TO_STRICT = tuple(Verdict)
