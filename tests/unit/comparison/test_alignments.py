"""`alignments.npz` of a comparison: the first finished run of each model is asked, and the report reads what it said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fittingroom.comparison.alignments import write_alignments

from fittingroom.core.errors import FittingRoomError
from fittingroom.evaluation.pronounce import pronounce
from fittingroom.explain.alignment import align
from fittingroom.report.alignment import read_alignments
from fittingroom.tasks.load import load_run
from tests.sequence_fixture import write_sequence_run

NAMES = ["transformer", "recurrent"]


@pytest.fixture
def record(tmp_path: Path) -> dict[str, Any]:
    """Of two models with two seeds; the first run of the recurrent one failed."""
    runs = []
    for name in ("transformer", "recurrent"):
        for seed in (0, 1):
            failed = (name, seed) == ("recurrent", 0)
            if not failed:
                write_sequence_run(tmp_path / "runs" / f"{name}-seed{seed}", name, seed=seed, sharp=2.0)
            status = "failed" if failed else "finished"
            runs.append({"model": name, "seed": seed, "folder": f"runs/{name}-seed{seed}", "status": status})
    return {"models": [{"name": "transformer"}, {"name": "recurrent"}], "runs": runs}


def test_the_report_reads_what_the_first_finished_runs_say(tmp_path: Path, record: dict[str, Any]) -> None:
    words = ["hello", " Tomato", "zzyzx"]
    assert write_alignments(tmp_path, record, words) == tmp_path / "alignments.npz"
    assert read_alignments(tmp_path, ["recurrent", "transformer"]) is None, "places would name the wrong models"
    found = read_alignments(tmp_path, NAMES)
    assert found is not None and found.words == ["hello", "Tomato", "zzyzx"]
    assert found.references == [["HH AH L OW", "HH EH L OW"], ["T AH M EY T OW", "T AH M AA T OW"], []]
    for look, run in zip(found.looks, ("transformer-seed0", "recurrent-seed1"), strict=True):
        model, source, target, _ = load_run(tmp_path / "runs" / run)
        for answer, expected in zip(look.answers, pronounce(model, source, target, words), strict=True):
            wanted = align(model, expected)
            assert answer.alignment.phonemes == wanted.phonemes and answer.alignment.letters == wanted.letters
            np.testing.assert_allclose(answer.alignment.weights, wanted.weights, atol=1e-6)
            assert answer.prob == pytest.approx(np.exp(expected.pronunciations[0].log_prob), rel=1e-3)


def test_right_answers_can_be_given(tmp_path: Path, record: dict[str, Any]) -> None:
    write_alignments(tmp_path, record, ["hello", "tomato"], {"hello": [("A", "B")]})
    found = read_alignments(tmp_path, NAMES)
    assert found is not None and found.references[0] == ["A B"] and found.references[1][0] == "T AH M EY T OW"


def test_without_a_finished_run_nothing_is_written(tmp_path: Path, record: dict[str, Any]) -> None:
    assert write_alignments(tmp_path, {**record, "runs": [record["runs"][2]]}, ["hello"]) is None
    assert not (tmp_path / "alignments.npz").exists()


@pytest.mark.parametrize("num", [0, 25])
def test_no_words_and_too_many_are_refused(tmp_path: Path, record: dict[str, Any], num: int) -> None:
    with pytest.raises(FittingRoomError, match=f"{num} words for the report: choose 1 to 24"):
        write_alignments(tmp_path, record, ["a"] * num)
