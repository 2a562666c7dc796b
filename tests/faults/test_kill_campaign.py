"""SIGKILL at random moments of trainings and comparisons leaves no trace: a small campaign now, and the record of a large one."""

import sys
from pathlib import Path

import pytest

from lab.kill_campaign import RECORD, campaign, is_clean, read_kills

KINDS = ("vit", "cnn", "hybrid", "transformer", "compare")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the processes of a trial in /proc")
def test_after_ten_kills_all_ends_as_if_undisturbed(tmp_path: Path) -> None:
    record = tmp_path / "kills.json"
    rows = campaign(KINDS, 10, seed=7, record=record)
    assert [row for row in rows if not is_clean(row)] == []
    assert read_kills(record) == rows and len(rows) >= 10


def test_the_recorded_campaign_has_two_hundred_kills_of_every_kind_and_none_had_a_consequence() -> None:
    rows = read_kills(RECORD)
    assert len(rows) >= 200
    assert [row for row in rows if not is_clean(row)] == []
    assert {row["kind"] for row in rows} == set(KINDS)
    assert {row["victim"] for row in rows if row["kind"] == "compare"} == {"command", "child"}
    assert {row["status"] for row in rows} >= {"absent", "running", "finished", "0 finished"}
