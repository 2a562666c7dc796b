"""`fittingroom models`: a name that is cut cannot be typed."""

import io

import pytest

from fittingroom.cli.console import Terminal
from fittingroom.cli.main import main
from fittingroom.cli.process import prepare
from fittingroom.models import MODELS, SEQUENCE_MODELS


@pytest.mark.thorough
@pytest.mark.parametrize("columns", [70, 80, 200])
def test_every_name_is_whole_however_narrow_the_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["models"]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert {*MODELS, *SEQUENCE_MODELS} <= listed


@pytest.mark.parametrize("columns", ["0", "1", "19"])
def test_a_terminal_without_a_width_gets_the_usual_one(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    prepare()
    console = Terminal(file=io.StringIO())
    assert console.width == 80
