"""What can be wrong with a shared list as a whole."""


class ListError(Exception):
    """A list cannot be taken or used; ``str()`` is one line: what is wrong, and where."""


class Damaged(ListError):
    """A compiled file is not what was written: cut off, changed, or of another kind."""


def too_large(most: int) -> str:
    """Say that something has more bytes than the settings allow."""
    return f"is larger than {most} bytes (see [lists] most_megabytes)"
