"""What the terminal says of results."""

from dataclasses import replace
from pathlib import Path

from fittingroom.cli.messages import finished_text
from fittingroom.core.records import RunState


def test_a_sealed_run_asked_for_again_says_how_it_is_scored() -> None:
    sealed = RunState(status="finished", evals={"val": {"accuracy": 0.5}})
    said = "my run: already finished, nothing trained"
    how = ". It was sealed: fittingroom evaluate 'my run' --split test scores it"
    assert finished_text(sealed, Path("my run"), test_wanted=True) == said + how
    assert finished_text(sealed, Path("my run"), test_wanted=False) == said
    scored = replace(sealed, evals={"val": {}, "test": {}})
    assert finished_text(scored, Path("my run"), test_wanted=True) == said
