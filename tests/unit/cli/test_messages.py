"""What the terminal says of results."""

from dataclasses import replace
from pathlib import Path

from fittingroom.cli.messages import _unknown, finished_text
from fittingroom.core.records import RunState


def test_a_sealed_run_asked_for_again_says_how_it_is_scored() -> None:
    sealed = RunState(status="finished", evals={"val": {"accuracy": 0.5}})
    said = "my run: already finished, nothing trained"
    how = ". It was sealed: fittingroom evaluate 'my run' --split test scores it"
    assert finished_text(sealed, Path("my run"), test_wanted=True) == said + how
    assert finished_text(sealed, Path("my run"), test_wanted=False) == said
    scored = replace(sealed, evals={"val": {}, "test": {}})
    assert finished_text(scored, Path("my run"), test_wanted=True) == said


def test_words_that_were_read_in_another_way_are_counted() -> None:
    extras = {"num_unknown": 2.0, "num_read_as_known": 1_300.0}
    assert _unknown(extras) == " (2 unknown symbols, 1,300 words read with look-alike symbols)"
    assert _unknown({"num_unknown": 0.0}) == "" == _unknown({})
