"""Text from outside made inert: visible characters on one line, whatever a caller put into it."""

ELLIPSIS = "…"
WIDE_SPACE = "\u3000"  # how Japanese names are spaced; not printable to Python, harmless to all


def inert(text: str, longest: int | None = None) -> str:
    r"""Return text that does nothing but be read, for a screen or a log.

    Control and escape characters, line ends, characters that turn the direction of writing and
    characters that nobody sees become escapes (``\x1b``, ``\n``, ``\u202e``); all others stay.
    With ``longest``, at most so many characters come back, the last of them ``…`` after a cut.
    """
    # Nothing grows shorter by being escaped, so a long text need not be read to its end.
    read = text if longest is None else text[: longest + 1]
    shown = "".join(_visible(character) for character in read)
    if longest is None or len(shown) <= longest:
        return shown
    return shown[: longest - 1] + ELLIPSIS


def _visible(character: str) -> str:
    if character.isprintable() or character == WIDE_SPACE:
        return character
    return character.encode("unicode_escape").decode("ascii")
