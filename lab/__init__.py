"""A telephone exchange on one machine: Asterisk, the screener, callers and handsets on loopback."""


class LabError(Exception):
    """Something of the laboratory did not come about; str() says what, and what was seen."""
