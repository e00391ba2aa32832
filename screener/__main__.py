"""The ``screener`` command, quiet from its first moment to its last when it is interrupted."""

import signal


def main() -> None:
    """Run the command."""
    # While the parts are being loaded there is nothing to put in order: Ctrl-C simply ends it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # see supervisor/worker.py
    from screener.service import main as run  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
