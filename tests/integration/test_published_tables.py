"""No published number is typed by hand: the pages equal what the records give."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_tables_in_readme_and_docs_are_those_of_the_records() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "published_tables.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_record_read_the_test_split_once_and_finished() -> None:
    states = sorted((ROOT / "results").rglob("state.json"))
    assert len(states) >= 9  # three runs of five epochs, six of the quick comparison
    for path in states:
        state = json.loads(path.read_text())
        assert (state["status"], len(state["test_reads"])) == ("finished", 1), path
