"""Parse JSON that people, editors and disks may have damaged."""

import json
from typing import Any

MOST_LEVELS = 100
"""Our files have about ten. Python's own functions fail somewhere below a thousand."""


def parse_json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError if it is no JSON, or has more than `MOST_LEVELS` levels."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return value
    raise ValueError(TOO_DEEP)


TOO_DEEP = f"more than {MOST_LEVELS} levels of brackets"
