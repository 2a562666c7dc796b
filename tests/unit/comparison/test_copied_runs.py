"""A run folder that was replaced by another run's is noticed."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from fittingroom.comparison.summary import check_same_run
from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import RunRow, RunState
from fittingroom.core.rundir import write_json


def test_a_copy_under_the_name_of_another_run_is_not_scored_for_it(tmp_path: Path) -> None:
    row = RunRow(
        run="vit-seed0", folder="runs/vit-seed0", candidate="vit", seed=0, status="finished", config_hash="one"
    )
    check_same_run(tmp_path, row)  # an old run without a state
    for held, fits in (("one", True), ("", True), ("two", False)):
        write_json(
            tmp_path / "runs" / "vit-seed0" / "state.json", to_dict(RunState(config_hash=held, status="finished"))
        )
        with (
            nullcontext()
            if fits
            else pytest.raises(FittingRoomError, match=r"holds another run \(.*\) than vit-seed0 of this")
        ):
            check_same_run(tmp_path, row)
