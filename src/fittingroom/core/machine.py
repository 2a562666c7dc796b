"""What this process may use of the machine."""

import os


def memory_bytes() -> int | None:
    """The memory that this process may use. None if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None
