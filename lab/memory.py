"""How much memory a program and those it started hold, and which they are."""

import os
from pathlib import Path

from lab.asterisk import Asterisk
from lab.process import Process


def family(process: Process) -> list[int]:
    """Return the ids of a program and of all that it started, the oldest first."""
    found, following = [], [process.pid]
    while following:
        pid = following.pop(0)
        found.append(pid)
        following += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return found


def held_by(process: Process) -> int:
    """Return the bytes of memory that a program and its children hold."""
    pages = (Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in family(process))
    return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE")


async def held_by_asterisk(asterisk: Asterisk) -> int:
    """Return the bytes that Asterisk holds once it gave back what it only kept for later."""
    await asterisk.cli("malloc trim")
    return held_by(asterisk.process)
