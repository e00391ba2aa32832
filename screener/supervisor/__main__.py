"""``python -m screener.supervisor FORMAT LEVEL COMMAND...``: what `screener run` turns into."""

import os
import sys

from screener.supervisor.plain_log import PlainLog
from screener.supervisor.supervisor import Supervisor


def main() -> int:
    """Supervise until told to stop; return the exit code."""
    fmt, level, *command = sys.argv[1:]
    return Supervisor(command, dict(os.environ), PlainLog(fmt, level, sys.stderr)).run()


if __name__ == "__main__":
    sys.exit(main())
