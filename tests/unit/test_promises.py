"""tests/promises.md names tests that exist."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
ID = re.compile(r"`([\w/]+\.py)::(\w+)`")


def test_each_promise_names_a_test_that_exists() -> None:
    rows = [line for line in (TESTS / "promises.md").read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 150
    for row in rows:
        named = ID.findall(row)
        assert named, row
        for file, name in named:
            assert f"def {name}(" in (TESTS / file).read_text(), row
