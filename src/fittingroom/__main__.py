"""The program: `python -m fittingroom` or `fittingroom`."""

import _thread
import signal
import sys
import threading
from typing import Any


def run() -> int:
    """Call `main` and return its exit code. Ctrl-C prints one line at any moment, also while Python imports or ends."""
    sys.unraisablehook = _repeat_lost_interrupt
    try:
        from fittingroom.cli.main import main

        return main()
    except KeyboardInterrupt:
        print("\nfittingroom: interrupted", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Python remembers Ctrl-C in code that a library passed to exec() as text, and would end with the signal instead of our
        # exit code. The next exec() forgets it.
        exec("")


def _repeat_lost_interrupt(lost: Any) -> None:
    """Python drops an exception in a destructor, and with it Ctrl-C. Send it again, after the destructor and this function."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        again = threading.Timer(0.05, _thread.interrupt_main)
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(lost)


if __name__ == "__main__":
    sys.exit(run())
