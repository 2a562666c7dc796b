"""`fittingroom models`: a name that is cut cannot be typed."""

import pytest

from fittingroom.cli.main import main
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
