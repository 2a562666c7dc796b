"""`alignments.npz` of a comparison: the first finished run of each model is asked, and the report reads what it said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fittingroom.comparison.pictures.alignments import write_alignments
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import CandidateRecord, ComparisonRecord, DataRecord, RunRow
from fittingroom.evaluation.pronounce import pronounce
from fittingroom.explain.alignment import align
from fittingroom.report.alignment import read_alignments
from fittingroom.tasks.load import load_run
from tests.comparison_fixture import make_record
from tests.sequence_fixture import write_sequence_run

NAMES = ["transformer", "recurrent"]


@pytest.fixture
def record(tmp_path: Path) -> ComparisonRecord:
    """Of two models with two seeds; the first run of the recurrent one failed."""
    rows = []
    for name in NAMES:
        for seed in (0, 1):
            run, failed = f"{name}-seed{seed}", (name, seed) == ("recurrent", 0)
            if not failed:
                write_sequence_run(tmp_path / "runs" / run, name, seed=seed, sharp=2.0)
            status = "failed" if failed else "finished"
            rows.append(RunRow(run=run, folder=f"runs/{run}", candidate=name, seed=seed, status=status))
    candidates = [CandidateRecord(name=name, title=name, model=name, family=name) for name in NAMES]
    return make_record("seq2seq", "CMUdict", DataRecord(name="cmudict"), candidates, 2, rows)


@pytest.mark.thorough
def test_the_report_reads_what_the_first_finished_runs_say(tmp_path: Path, record: ComparisonRecord) -> None:
    words = ["hello", " Tomato", "zzyzx"]
    assert write_alignments(tmp_path, record, words) == tmp_path / "alignments.npz"
    assert read_alignments(tmp_path, ["recurrent", "transformer"]) is None, "places would name the wrong models"
    found = read_alignments(tmp_path, NAMES)
    assert found is not None and found.words == ["hello", "Tomato", "zzyzx"]
    assert found.references == [["HH AH L OW", "HH EH L OW"], ["T AH M EY T OW", "T AH M AA T OW"], []]
    for look, run in zip(found.looks, ("transformer-seed0", "recurrent-seed1"), strict=True):
        saved = load_run(tmp_path / "runs" / run, "seq2seq")
        source, target = saved.task.vocabularies  # pyright: ignore[reportAttributeAccessIssue]
        model = saved.model
        for answer, expected in zip(look.answers, pronounce(model, source, target, words), strict=True):
            wanted = align(model, expected)
            assert answer.alignment.phonemes == wanted.phonemes and answer.alignment.letters == wanted.letters
            np.testing.assert_allclose(answer.alignment.weights, wanted.weights, atol=1e-6)
            assert answer.prob == pytest.approx(np.exp(expected.pronunciations[0].log_prob), rel=1e-3)


def test_right_answers_can_be_given(tmp_path: Path, record: ComparisonRecord) -> None:
    write_alignments(tmp_path, record, ["hello", "tomato"], {"hello": [("A", "B")]})
    found = read_alignments(tmp_path, NAMES)
    assert found is not None and found.references[0] == ["A B"] and found.references[1][0] == "T AH M EY T OW"


def test_without_a_finished_run_nothing_is_written(tmp_path: Path, record: ComparisonRecord) -> None:
    assert write_alignments(tmp_path, replace(record, runs=record.failed()), ["hello"]) is None
    assert not (tmp_path / "alignments.npz").exists()


@pytest.mark.parametrize("num", [0, 25])
def test_no_words_and_too_many_are_refused(tmp_path: Path, record: ComparisonRecord, num: int) -> None:
    with pytest.raises(FittingRoomError, match=f"{num} words for the report: choose 1 to 24"):
        write_alignments(tmp_path, record, ["a"] * num)
