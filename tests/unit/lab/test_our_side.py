"""Our side of the benchmarks is what `fit`, `evaluate` and `explain` do, at the contender's shape."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from fittingroom.core.records import RunState
from fittingroom.models import build_model
from fittingroom.models.cost import num_params
from fittingroom.recipes import recipe
from fittingroom.training.speed.plan import first_guess
from fittingroom.training.speed.probe import Trial
from lab.benchmarks import explaining, sequences
from lab.benchmarks import ours as our_side
from lab.benchmarks.contenders import VALIDATION_IMAGES, Contender
from lab.benchmarks.measure import about

TINY = (("embed_dim", 12), ("depth", 1), ("num_heads", 3), ("patch_size", 14))
FIXED = (("precision", "fp32"), ("num_threads", 1))
PLAN = tuple(asdict(replace(first_guess(recipe("vit", epochs=1)), precision="fp32", num_threads=1)).items())

pytestmark = pytest.mark.usefixtures("torch_as_before")


def tiny(**changes: object) -> Contender:
    values = {"name": "tiny", "kind": "ours", "shape": TINY, "batch_size": 4, "plan": PLAN, **changes}
    return Contender(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_turn_of_ours_is_a_step_of_fit_that_changes_the_network(optimizer: str) -> None:
    contender = tiny(optimizer=optimizer)
    steps = our_side.OurSteps(contender)
    before = [param.detach().clone() for param in steps.trial.state.model.parameters()]
    assert steps.train() > 0 and steps.predict() > 0 and steps.train() > 0
    assert steps.trial.state.num_steps == 2 and steps.trial.state.model.training
    after = list(steps.trial.state.model.parameters())
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert steps.trial.state.task.config.optim.name == optimizer
    found = about(steps, contender)
    assert found["num_params"] == num_params(build_model("vit", dict(TINY))) and found["num_macs"] > 0


def test_images_have_the_size_that_the_contender_asks_for() -> None:
    steps = our_side.OurSteps(tiny(shape=(*TINY, ("img_size", 42))))
    assert steps.images.shape == (4, 1, 42, 42)
    assert steps.predict() > 0


@pytest.mark.thorough
def test_a_whole_fit_is_an_epoch_on_its_images_with_the_test_part_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[RunState] = []
    fit = our_side.fit

    def kept(*words: object) -> RunState:
        states.append(fit(*words))  # type: ignore[arg-type]
        data = json.loads((Path(words[1].folder) / "data.json").read_text())  # type: ignore[attr-defined]
        assert data["split"]["num_train"] == 32
        return states[-1]

    monkeypatch.setattr(our_side, "fit", kept)
    whole = our_side.WholeFit(tiny(kind="fit", images=32, batch_size=16, plan=FIXED))
    assert len(whole.splits.train) == 32 and len(whole.splits.val) == VALIDATION_IMAGES
    assert whole.train() > 0
    (state,) = states
    assert (state.status, state.steps, state.num_params) == ("finished", 2, whole.num_params)
    assert list(state.evals) == ["val"] and state.test_reads == ()


@pytest.mark.thorough
def test_our_side_of_the_sequences_is_a_trial_with_the_optimizer_asked_for() -> None:
    task, plan = sequences.the_task()
    small = {"embed_dim": 16, "depth_encoder": 1, "depth_decoder": 1, "num_heads": 2}
    task = type(task)(replace(task.config, batch_size=8, model_config=small))
    plan = replace(first_guess(task.config), num_threads=plan.num_threads, precision="fp32")
    batches = [task.batches.batch(0, step) for step in range(2)]
    for optimizer in ("muon", "adamw"):
        trial = sequences.ours(task, batches, plan, optimizer)
        assert isinstance(trial, Trial) and trial.step() > 0 and trial.step() > 0
        assert trial.state.task.config.optim.name == optimizer
        assert trial.state.total_steps == sequences.SCHEDULE_STEPS


@pytest.mark.parametrize("name", ["cnn", "vit"])
def test_methods_are_timed_on_the_network_that_ships(name: str) -> None:
    assert explaining.seconds(name, "gradcam" if name == "cnn" else "rollout", 1) > 0
