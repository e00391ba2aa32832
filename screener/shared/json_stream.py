"""The elements of a long JSON array one by one, so that its length does not matter to memory."""

import codecs
import json
from collections.abc import Iterator
from typing import IO, Final

from screener.shared.errors import ListError

LONGEST: Final = 1 << 20  # characters of one value that is read whole
_PIECE: Final = 1 << 16
_SPACE: Final = " \t\r\n"
_DECODER: Final = json.JSONDecoder()


class _Text:
    """The text that has been read but not yet understood."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._at = 0
        self._ended = False

    def _more(self) -> bool:
        piece = self._file.read(_PIECE)
        self._ended = not piece
        try:
            more = self._decoder.decode(piece, final=self._ended)
        except UnicodeDecodeError:
            raise ListError("is not JSON in UTF-8") from None
        self._text, self._at = self._text[self._at :] + more, 0
        return not self._ended

    def peek(self) -> str:
        """Return the next character that is no space, without taking it."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                raise ListError("is cut off: its end is missing")

    def take(self, *allowed: str) -> str:
        """Take the next character, which must be one of these."""
        found = self.peek()
        if found not in allowed:
            raise ListError(f"is not JSON: {found!r} where one of {' '.join(allowed)} is expected")
        self._at += 1
        return found

    def value(self) -> object:
        """Take one value whole."""
        self.peek()
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except (json.JSONDecodeError, RecursionError) as error:
                if isinstance(error, RecursionError) or len(self._text) - self._at > LONGEST:
                    raise ListError("is not JSON, or one value in it is too long") from None
            else:
                # A number at the very end of what was read may go on in the next piece.
                if end < len(self._text) or self._ended:
                    self._at = end
                    return found
            if not self._more() and self._ended:
                self._last()

    def _last(self) -> None:
        try:
            _DECODER.raw_decode(self._text, self._at)
        except (json.JSONDecodeError, RecursionError):
            raise ListError("is not JSON, or is cut off: its end is missing") from None


def elements(file: IO[bytes], array: str, others: dict[str, str | int]) -> Iterator[object]:
    """Yield the elements of an array that is the whole file, or stands in an object under a name.

    The object's other texts and numbers are put into ``others`` as they are met.
    ListError where it is not such JSON, or is cut off.
    """
    text = _Text(file)
    if text.peek() == "[":
        yield from _array(text)
        return
    text.take("{")
    found = False
    mark = text.peek()
    while mark != "}":
        name = text.value()
        text.take(":")
        if name == array and text.peek() == "[":
            found = True
            yield from _array(text)
        else:
            value = text.value()
            if isinstance(value, str | int):
                others[str(name)] = value
        if (mark := text.take(",", "}")) == ",":
            mark = text.peek()
    if not found:
        raise ListError(f"has no array {array!r}")


def _array(text: _Text) -> Iterator[object]:
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield text.value()
        if text.take(",", "]") == "]":
            return
