"""Progress without a terminal."""

import pytest

from fittingroom.api import events


def test_lines_are_printed_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(events.time, "monotonic", lambda: now[0])
    with events.training_progress("cnn-seed0", True) as tell:
        assert tell is not None
        for step in range(1, 11):
            now[0] += 8
            tell(step, 10, 0.5 if step > 4 else None)
    assert capsys.readouterr().err.splitlines() == [
        "cnn-seed0: step 4 of 10",
        "cnn-seed0: step 8 of 10, validation 50.0%",
        "cnn-seed0: step 10 of 10, validation 50.0%",
    ]


def test_without_a_terminal_progress_must_be_asked_for() -> None:
    for show in (None, False):
        with events.training_progress("cnn-seed0", show) as tell:
            assert tell is None
