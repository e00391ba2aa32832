"""One SIP message as it went over the wire, with the moment at which it did."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A SIP request or response; ``at`` is the time of this machine's clock in seconds."""

    at: float
    sent: bool
    text: str

    @property
    def first_line(self) -> str:
        """The request line or the status line."""
        return self.text.partition("\n")[0].strip()

    @property
    def status(self) -> int:
        """The status of a response; 0 for a request."""
        words = self.first_line.split()
        return int(words[1]) if words[:1] == ["SIP/2.0"] and len(words) > 1 else 0

    @property
    def method(self) -> str:
        """The method of a request, or of the request that a response answers."""
        if self.status:
            return self.header("CSeq").split()[-1] if self.header("CSeq") else ""
        return self.first_line.partition(" ")[0]

    @property
    def target(self) -> str:
        """The URI of a request line; empty for a response."""
        words = self.first_line.split()
        return "" if self.status or len(words) < 2 else words[1]

    @property
    def call_id(self) -> str:
        """The Call-ID, which is one for all messages of a call leg."""
        return self.header("Call-ID")

    @property
    def body(self) -> str:
        """What follows the headers."""
        return self.text.replace("\r\n", "\n").partition("\n\n")[2]

    def header(self, name: str) -> str:
        """Return the first header of that name, or an empty text."""
        return next(iter(self.headers(name)), "")

    def headers(self, name: str) -> list[str]:
        """Return all headers of that name, topmost first."""
        found = []
        for line in self.text.replace("\r\n", "\n").partition("\n\n")[0].split("\n")[1:]:
            key, colon, value = line.partition(":")
            if colon and key.strip().lower() == name.lower():
                found.append(value.strip())
        return found

    def is_request(self, method: str) -> bool:
        """Say whether this is a request of that method."""
        return not self.status and self.method == method

    def __str__(self) -> str:
        return f"{self.at:.3f} {'>' if self.sent else '<'} {self.first_line}"
