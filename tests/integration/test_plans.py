"""What a speed plan promises of real runs: the same weights each time, kept when resumed, and compiled nearly those of eager."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import seeded
from fittingroom.core.records import read_state
from fittingroom.core.rundir import read_json
from fittingroom.data.images.batches import eval_batches
from fittingroom.data.images.dataset import ImageData, Splits
from fittingroom.evaluation.predict import predict
from fittingroom.models import build_model
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.load import load_run
from fittingroom.training.fit import FitOptions, fit, plan_and_time
from fittingroom.training.speed import engine
from fittingroom.training.speed.plan import Plan, first_guess

TINY: dict[str, dict[str, Any]] = {
    "vit": {"embed_dim": 16, "depth": 1, "num_heads": 2, "patch_size": 14},
    "hybrid": {"embed_dim": 16, "depth": 1, "num_heads": 2, "stem_widths": [4, 8], "stem_strides": [2, 2]},
}
CONFIG = ClassificationConfig(
    model="hybrid", model_config={**TINY["hybrid"], "drop_rate": 0.1}, epochs=2.0, num_train=160, batch_size=32,
    ema_decay=0.9,
)  # fmt: skip
"""Ten steps of a network with convolutions and attention, dropout and an average."""


pytestmark = pytest.mark.usefixtures("torch_as_before", "few_images")


@pytest.fixture(scope="module")
def few_images() -> Iterator[None]:
    """500 validation images: scoring 5,000 takes longer than training."""
    whole = ImageData.split

    def split(data: ImageData, *args: Any, **kwargs: Any) -> Splits:
        splits = whole(data, *args, **kwargs)
        return replace(splits, val=splits.val.subset(torch.arange(500)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageData, "split", split)
        yield


def make(folder: Path, **options: Any) -> Path:
    """A run of CONFIG in that folder."""
    fit(CONFIG, FitOptions(folder=folder, open_test=False, **options))
    return folder


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def plan_of(folder: Path) -> dict[str, Any]:
    return read_json(folder / "environment.json")["plan"]


def other_precision() -> str:
    """The one that this machine would not take by itself, so that a plan which is lost shows."""
    return "fp32" if first_guess(CONFIG).precision == "bf16" else "bf16"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_plan_gives_the_same_weights_and_predictions_bit_for_bit(precision: str, tmp_path: Path) -> None:
    one, two = (make(tmp_path / name, plan={"precision": precision, "attention": "fused"}) for name in ("one", "two"))
    assert plan_of(one) == plan_of(two)
    assert (plan_of(one)["precision"], plan_of(one)["attention"]) == (precision, "fused")
    assert weights(one) == weights(two)
    assert (one / "predictions.npz").read_bytes() == (two / "predictions.npz").read_bytes()


def test_scores_are_those_of_the_saved_weights_in_fp32_whatever_the_run_computed_in(tmp_path: Path) -> None:
    """float16, in which they are kept, is exact to a two-thousandth; bf16 would be off by a hundredth."""
    folder = make(tmp_path / "run", plan={"precision": "bf16"})
    saved = load_run(folder)
    splits = saved.task.splits  # pyright: ignore[reportAttributeAccessIssue]
    probs = predict(saved.task.predictor(saved.placed), eval_batches(splits.val, splits.spec))
    with np.load(folder / "predictions.npz") as found:
        np.testing.assert_allclose(found["val_probs"], probs, 1e-3)


def test_the_environment_tells_the_plan_and_the_timings_behind_it(tmp_path: Path) -> None:
    found = read_json(make(tmp_path / "run", plan={"num_threads": "1"}) / "environment.json")
    assert Plan(**found["plan"]) == replace(first_guess(CONFIG), num_threads=1)
    assert found["probe"] == [], "so short a run is not measured"
    assert "1 thread" in found["processor"]


class Interrupted:
    """Ctrl-C at step 5."""

    def __call__(self, step: int, total: int, accuracy: float | None) -> None:
        if step == 5:
            raise KeyboardInterrupt


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """A run begun with a plan that this machine would not choose, stopped in the middle, a checkpoint behind it."""
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        make(folder, plan={"precision": other_precision()}, progress=Interrupted(), checkpoint_seconds=0.0)
    assert read_state(folder).status == "running"
    assert list((folder / "checkpoints").glob("*.ckpt"))
    return folder


def test_a_resumed_run_keeps_the_plan_with_which_it_began(interrupted: Path, tmp_path: Path) -> None:
    undisturbed = make(tmp_path / "undisturbed", plan={"precision": other_precision()})
    make(interrupted, resume=True)
    (resumed,) = read_json(interrupted / "environment.json")["resumed"]
    assert set(resumed) == {"commit", "processor", "started"}
    assert plan_of(interrupted)["precision"] == other_precision()
    assert weights(interrupted) == weights(undisturbed)


def test_resuming_with_another_plan_is_refused_and_touches_nothing(interrupted: Path) -> None:
    before = {path: path.read_bytes() for path in interrupted.rglob("*") if path.is_file()}
    guess = first_guess(CONFIG).precision
    with pytest.raises(
        FittingRoomError, match=f"was started with another plan than precision={guess}: omit --plan"
    ) as e:
        make(interrupted, plan={"precision": guess}, resume=True)
    assert "\n" not in str(e.value)
    assert before == {path: path.read_bytes() for path in interrupted.rglob("*") if path.is_file()}
    make(interrupted, plan={"precision": other_precision()}, resume=True)


def test_a_run_of_a_version_without_plans_is_not_resumed_but_named(interrupted: Path) -> None:
    place = interrupted / "environment.json"
    found = read_json(place)
    place.write_text(json.dumps({key: value for key, value in found.items() if key not in ("plan", "probe")}))
    with pytest.raises(FittingRoomError, match="has no speed plan: an older version started this run; delete"):
        make(interrupted, resume=True)


@pytest.mark.slow
def test_a_long_run_is_measured_for_real_once_and_trains_with_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PROBE_FROM_FLOPS", 0.0)
    monkeypatch.setattr(engine, "cache_folder", lambda name: tmp_path / name)
    monkeypatch.setattr(engine, "STEADY", float("inf"))  # what a busy machine measures would not be kept
    one = make(tmp_path / "one")
    table = read_json(one / "environment.json")["probe"]
    assert [row["part"] for row in table][:3] == ["precision", "attention", "channels_last"]
    assert all(row["step_seconds"] > 0 and row["agrees"] for row in table)
    seen = []
    monkeypatch.setattr(engine, "probe", lambda *args: seen.append(args))
    two = make(tmp_path / "two")
    assert seen == []
    assert plan_of(one) == plan_of(two) and weights(one) == weights(two)


def test_what_fit_would_take_can_be_asked_and_writes_no_run(tmp_path: Path) -> None:
    options = FitOptions(folder=tmp_path / "run", plan={"num_threads": "1"})
    plan, seconds, table = plan_and_time(CONFIG, options)
    assert Plan(**plan) == replace(first_guess(CONFIG), num_threads=1) and (seconds, table) == (None, [])
    assert not (tmp_path / "run").exists()


def test_where_all_is_chosen_by_hand_a_long_run_is_timed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or runs side by side would be chosen unmeasured."""
    monkeypatch.setattr(engine, "PROBE_FROM_FLOPS", 0.0)
    chosen = {key: json.dumps(value) for key, value in asdict(replace(first_guess(CONFIG), num_threads=1)).items()}
    _, seconds, table = plan_and_time(CONFIG, FitOptions(folder=tmp_path, plan=chosen))
    assert seconds is not None and 0 < seconds < 10 and table == []


def test_timings_that_were_measured_before_the_run_go_to_its_environment(tmp_path: Path) -> None:
    chosen = {key: json.dumps(value) for key, value in asdict(replace(first_guess(CONFIG), num_threads=1)).items()}
    folder = make(tmp_path / "run", plan=chosen, probe=[{"part": "precision"}])
    assert read_json(folder / "environment.json")["probe"] == [{"part": "precision"}]


@pytest.fixture
def compiler() -> Any:
    """A C++ compiler, and torch's memory of what it compiled emptied before and after."""
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("needs a C++ compiler: apt-get install g++")
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.slow
@pytest.mark.usefixtures("compiler")
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own compiler still asks for it
def test_a_compiled_run_is_the_eager_one_but_for_rounding_and_its_weights_keep_their_names(tmp_path: Path) -> None:
    """To a thousandth of the way that each weight tensor has come in ten steps. No dropout: compiled, it draws otherwise."""
    config = replace(CONFIG, model="vit", model_config=TINY["vit"])
    with seeded(config.seed, "init"):
        start = build_model(config.model, config.model_config).state_dict()
    found = {}
    for compile in ("true", "false"):
        folder = tmp_path / compile
        fit(config, FitOptions(folder=folder, open_test=False, plan={"precision": "fp32", "compile": compile}))
        assert plan_of(folder)["compile"] == (compile == "true")
        found[compile] = load_file(folder / "model.safetensors")
    assert found["true"].keys() == found["false"].keys() == start.keys()
    for name, eager in found["false"].items():
        assert (found["true"][name] - eager).norm() <= 1e-3 * (eager - start[name]).norm(), name
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 2, "the check of the compiler, and the model"


@pytest.mark.slow
@pytest.mark.usefixtures("compiler")
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_compiled_runs_agree_bit_for_bit_also_when_resumed(precision: str, tmp_path: Path) -> None:
    """With dropout and stochastic depth, which compiled code draws by itself."""
    shape = {**TINY["vit"], "depth": 2, "drop_rate": 0.1, "drop_path_rate": 0.1}
    config = replace(CONFIG, model="vit", model_config=shape)
    plan = {"precision": precision, "compile": "true", "num_threads": "1"}
    for name in ("one", "two"):
        fit(config, FitOptions(folder=tmp_path / name, open_test=False, plan=plan))
    stopped = FitOptions(
        folder=tmp_path / "stopped", open_test=False, plan=plan, progress=Interrupted(), checkpoint_seconds=0.0
    )
    with pytest.raises(KeyboardInterrupt):
        fit(config, stopped)
    torch.compiler.reset()  # as in the process that goes on
    fit(config, replace(stopped, progress=None, resume=True))
    assert plan_of(tmp_path / "one")["compile"] is True
    assert weights(tmp_path / "one") == weights(tmp_path / "two") == weights(tmp_path / "stopped")
