"""Features in the cache: computed once, found by the image, whole or absent."""

from pathlib import Path

import pytest
import torch
from torch import nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import seeded
from fittingroom.data.spec import DataSpec, ImageSet
from fittingroom.models import build_model
from fittingroom.tasks.classification.features import FeatureBatches, feature_key, features

KEY = "0123456789abcdef"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "fittingroom" / "features" / KEY


@pytest.fixture
def spec() -> DataSpec:
    return DataSpec(
        name="x", title="x", source="x", digest="0", class_names=("a", "b"), channels=1, height=8, width=8, mean=(0.5,),
        std=(0.5,), num_val=1, num_test=1,
    )  # fmt: skip


class Counted:
    """A network, and how many images it has seen."""

    def __init__(self) -> None:
        with seeded(0, "init"):
            self.model = build_model("cnn", {"widths": [4], "blocks": [0], "num_classes": 2, "img_size": 8}).eval()
        self.number = 0
        self.model.register_forward_pre_hook(lambda module, inputs: self._count(len(inputs[0])))

    def _count(self, number: int) -> None:
        self.number += number

    def __call__(self) -> nn.Module:
        return self.model


def images(number: int = 20) -> ImageSet:
    pixels = torch.randint(0, 256, (number, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return ImageSet(pixels, torch.arange(number) % 2, torch.arange(number))


def test_an_image_is_computed_once_whatever_its_part_and_place(spec: DataSpec) -> None:
    network, whole = Counted(), images()
    first = features(whole.subset(torch.arange(12)), network, spec, KEY)
    assert first.shape == (12, 4) and network.number == 12
    again = features(whole.subset(torch.tensor([5, 3, 3, 15])), network, spec, KEY)
    assert network.number == 13, "only the image that is new"
    assert torch.equal(again[:3], first[[5, 3, 3]])


def test_equal_images_are_computed_once(spec: DataSpec) -> None:
    network, one = Counted(), images(3).subset(torch.tensor([1, 1, 1, 0]))
    found = features(one, network, spec, KEY)
    assert network.number == 2 and torch.equal(found[0], found[2]) and not torch.equal(found[0], found[3])


def test_a_damaged_file_is_computed_again(spec: DataSpec, folder: Path) -> None:
    network, whole = Counted(), images()
    first = features(whole, network, spec, KEY)
    (path,) = folder.glob("*.npz")
    path.write_bytes(path.read_bytes()[:200])
    assert torch.equal(features(whole, network, spec, KEY), first)
    assert network.number == 40


def test_no_two_ways_to_make_features_share_them(spec: DataSpec) -> None:
    from dataclasses import replace

    larger = replace(spec, preprocessing=replace(spec.preprocessing, input_size=(16, 16)))
    brighter = replace(spec, mean=(0.4,))
    settings = {"widths": [4], "num_classes": 2, "drop_rate": 0.1}
    keys = [
        feature_key("cnn", settings, "w1", spec), feature_key("cnn", settings, "w2", spec),
        feature_key("cnn", settings, "w1", larger), feature_key("cnn", settings, "w1", brighter),
        feature_key("vit", settings, "w1", spec), feature_key("cnn", {**settings, "widths": [8]}, "w1", spec),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert feature_key("cnn", {**settings, "num_classes": 9, "drop_rate": 0.0}, "w1", spec) == keys[0]


def test_a_batch_depends_only_on_seed_and_step() -> None:
    def batches(seed: int) -> FeatureBatches:
        return FeatureBatches(
            features=torch.arange(10.0)[:, None], labels=torch.arange(10) % 2, num_classes=2, seed=seed, batch_size=4,
            label_smoothing=0.0,
        )  # fmt: skip

    whole = batches(0).from_step(0)
    first = [next(whole)[0].flatten().tolist() for _ in range(5)]
    assert next(batches(0).from_step(3))[0].flatten().tolist() == first[3]
    assert next(batches(1).from_step(3))[0].flatten().tolist() != first[3]
    assert sorted(first[0] + first[1]) == sorted(set(first[0] + first[1])), "an image comes once an epoch"


def test_a_batch_larger_than_the_training_part_is_refused() -> None:
    with pytest.raises(FittingRoomError, match="batch_size 11 does not suit 10 training images"):
        FeatureBatches(
            features=torch.zeros(10, 1), labels=torch.zeros(10, dtype=torch.int64), num_classes=2, seed=0, batch_size=11,
            label_smoothing=0.0,
        )  # fmt: skip
