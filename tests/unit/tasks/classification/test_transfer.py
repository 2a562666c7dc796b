"""Pretrained networks: what a run starts from, which images its network gets, and what of it changes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from fittingroom.api.runs import configure
from fittingroom.core.config import config_hash, from_dict, to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.models import build_model
from fittingroom.models.pretrained import head_of
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.classification.probe import ProbeTask
from fittingroom.tasks.classification.training import ClassificationTask
from fittingroom.tasks.classification.transfer import keep_statistics, rate_shares, weights_digest
from fittingroom.tasks.load import load_run, open_task
from fittingroom.training.optim import build_optimizer
from tests.image_fixture import tiny_image_config, write_image_run, write_npz


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A finished run on grey images of 8 x 8 pixels."""
    write_image_run(tmp_path / "source", write_npz(tmp_path), "cnn")
    return tmp_path / "source"


def transfer(source: Path, mode: str, data: Path, **changes: Any) -> ClassificationConfig:
    """A run that starts from `source`. Its settings come from there."""
    return tiny_image_config(data, "cnn", mode=mode, weights=str(source), model_config={}, **changes)


def task_on(config: ClassificationConfig) -> ClassificationTask:
    found = open_task(config)
    assert isinstance(found, ClassificationTask)
    return found


def test_a_run_from_scratch_has_the_identity_that_it_always_had(tmp_path: Path) -> None:
    """Folders that earlier versions wrote are still recognised."""
    config = tiny_image_config("fashion-mnist", "cnn")
    assert not {"mode", "weights", "weights_digest", "input_size", "finetune"} & config.identity().keys()
    values = to_dict(config)
    for name in ("mode", "weights", "weights_digest", "input_size", "finetune"):
        values.pop(name)
    assert config_hash(from_dict(ClassificationConfig, values)) == config_hash(config)


def test_the_body_comes_from_the_run_and_the_head_is_new(source: Path, tmp_path: Path) -> None:
    other = write_npz(tmp_path, "other", seed=1)
    before = load_run(source).model
    for mode in ("finetune", "probe"):
        task = task_on(transfer(source, mode, other))
        model = task.new_model()
        assert torch.equal(model.get_parameter("stem.0.weight"), before.get_parameter("stem.0.weight"))
        assert task.config.model_config["widths"] == [4, 8], "the shape is that of the run"
        assert task.config.weights_digest == weights_digest(before.state_dict())


def test_other_images_are_brought_to_the_size_channels_and_scale_of_the_first(source: Path, tmp_path: Path) -> None:
    other = write_npz(tmp_path, "other", channels=3, size=12)
    task = task_on(transfer(source, "finetune", other))
    first = load_run(source).task.spec
    assert task.spec.image_shape == (3, 12, 12) and task.spec.input_shape == (1, 8, 8)
    assert (task.spec.mean, task.spec.std) == (first.mean, first.std)
    images, _ = task.batches.batch(0, 0)
    assert images.shape[1:] == (1, 8, 8)


def test_a_finished_run_needs_neither_the_weights_nor_their_folder(source: Path, tmp_path: Path) -> None:
    write_image_run(tmp_path / "run", write_npz(tmp_path, "other", channels=3, size=12), "cnn", mode="finetune",
                    weights=str(source), model_config={})  # fmt: skip
    source.rename(tmp_path / "gone")
    run = load_run(tmp_path / "run")
    assert run.task.spec.input_shape == (1, 8, 8)
    found = run.task.predict_new(run.placed, np.zeros((2, 12, 12, 3), np.uint8), 10)
    assert found.probs.shape == (2, 3)


@pytest.mark.parametrize(
    ("model", "weights", "told"),
    [
        ("cnn", "nowhere", "there is no finished run"),
        ("resnet20", "auto", "there is no included network resnet20"),
        ("vit", "SOURCE", "that run trained cnn, not vit"),
        ("efficientnet_lite0", "gone.safetensors", "there is no such file"),
    ],
)
def test_weights_that_cannot_be_are_one_clear_line(model: str, weights: str, told: str, source: Path) -> None:
    data = source.parent / "fruit.npz"
    given = str(source) if weights == "SOURCE" else weights
    with pytest.raises(FittingRoomError) as caught:
        _ = open_task(configure(f"{model}+probe", str(data), settings={"weights": given})).config
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_weights_without_a_way_to_use_them_are_refused() -> None:
    with pytest.raises(FittingRoomError, match=r"write cnn\+finetune or cnn\+probe"):
        configure("cnn", settings={"weights": "cnn"})


def test_rates_rise_from_the_first_layer_to_the_head() -> None:
    model = build_model("cnn")
    shares = rate_shares(model, 0.1, 0.01)
    names = [name for name, _ in model.named_parameters()]
    found = [shares.get(name, 1.0) for name in names]
    assert found == sorted(found)
    assert found[0] == pytest.approx(0.01) and shares[names[-3]] == pytest.approx(0.1)
    assert {shares.get(f"head.{part}", 1.0) for part in ("weight", "bias")} == {1.0}


def test_each_parameter_has_its_rate_once(source: Path, tmp_path: Path) -> None:
    task = task_on(transfer(source, "finetune", write_npz(tmp_path, "other")))
    model = task.new_model()
    groups = build_optimizer(model, task.config.optim, shares=task.rate_shares(model)).param_groups
    of = {id(param): group["lr"] for group in groups for param in group["params"]}
    assert len(of) == len(list(model.parameters())) == sum(len(group["params"]) for group in groups)
    assert of[id(model.get_parameter("stem.0.weight"))] < of[id(head_of(model).weight)]


def norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [each for each in model.modules() if isinstance(each, nn.BatchNorm2d)]


def test_frozen_norms_stay_as_they_are_while_the_rest_trains() -> None:
    model = build_model("cnn")
    keep_statistics(model)
    model.train()
    before = {name: each.clone() for name, each in model.named_buffers()}
    model(torch.randn(4, 1, 28, 28))
    assert model.training and not any(each.training for each in norms(model))
    assert before and all(torch.equal(each, before[name]) for name, each in model.named_buffers())


@pytest.mark.parametrize(("batch_size", "chosen", "frozen"), [(12, None, True), (64, None, False), (12, False, False)])
def test_norms_are_frozen_where_batches_are_small(
    batch_size: int, chosen: bool | None, frozen: bool, source: Path, tmp_path: Path
) -> None:
    config = transfer(source, "finetune", write_npz(tmp_path, "other", number=300), batch_size=batch_size)
    model = task_on(replace(config, finetune=replace(config.finetune, frozen_norms=chosen))).new_model().train()
    assert all(each.training != frozen for each in norms(model))


def test_a_probe_trains_nothing_but_its_head(source: Path, tmp_path: Path) -> None:
    task = task_on(transfer(source, "probe", write_npz(tmp_path, "other")))
    assert isinstance(task, ProbeTask)
    model = task.new_model()
    task.loss(model, next(task.batches.from_step(0))).backward()
    assert {name for name, each in model.named_parameters() if each.grad is not None} == {"head.weight", "head.bias"}


def test_a_probe_scores_features_as_the_whole_network_scores_images(source: Path, tmp_path: Path) -> None:
    config = transfer(source, "probe", write_npz(tmp_path, "other"))
    probe, plain = task_on(config), ClassificationTask(open_task(config).config)
    from fittingroom.tasks.base import Placed

    placed = Placed(model=probe.new_model().eval())
    for one, other in zip(probe.evaluators(), plain.evaluators(), strict=True):
        found, expected = (
            each.predictions(task.predictor(placed), lambda why: None)
            for each, task in ((one, probe), (other, plain))
        )  # fmt: skip
        np.testing.assert_allclose(found.probs, expected.probs, atol=1e-5)
        assert found.index.tolist() == expected.index.tolist()


def test_an_image_size_that_the_weights_do_not_take_is_refused(source: Path) -> None:
    config = transfer(source, "finetune", source.parent / "fruit.npz", input_size=16)
    with pytest.raises(FittingRoomError, match="reads only images of 8x8"):
        _ = open_task(config).config


def test_a_resolved_config_resolves_to_itself(source: Path, tmp_path: Path) -> None:
    """Runs of a comparison get their config resolved: sizes that were chosen must not look like sizes that were asked for."""
    for number in range(20):
        place = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 5), (12 * number, 0, 0)).save(place)
    for options in ({}, {"input_size": 8}):
        once = open_task(transfer(source, "probe", tmp_path / "photos", **options)).config
        assert once == open_task(once).config
        assert once.input_size == (8, 8) and once.pictures.image_size == (5, 5)


def test_a_network_from_scratch_can_get_images_of_another_size(tmp_path: Path) -> None:
    task = task_on(tiny_image_config(write_npz(tmp_path), "cnn", input_size=16))
    images, _ = task.batches.batch(0, 0)
    assert images.shape[1:] == (1, 16, 16) and task.config.model_config["img_size"] == 16
    assert task.hints == ("cnn: images of 8x8 are enlarged to 16x16",)
