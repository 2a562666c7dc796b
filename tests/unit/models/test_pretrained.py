"""Files of weights, and how they get into a model."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import seeded
from fittingroom.models import build_model
from fittingroom.models.pretrained import features_of, head_name, head_of, put_weights, read_weights

TINY = {"widths": [4, 8], "blocks": [0, 1], "num_classes": 5}


def tiny(seed: int = 0, **values: Any) -> nn.Module:
    with seeded(seed, "init"):
        return build_model("cnn", {**TINY, **values}).eval()


def in_file(path: Path, found: Any) -> Path:
    save_file(found, path) if path.suffix == ".safetensors" else torch.save(found, path)
    return path


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_both_kinds_of_file_hold_the_same(tmp_path: Path, name: str) -> None:
    weights = tiny().state_dict()
    found = read_weights(in_file(tmp_path / name, weights))
    assert found.keys() == weights.keys() and all(torch.equal(found[key], weights[key]) for key in weights)


def test_what_training_programs_wrap_around_weights_is_taken_off(tmp_path: Path) -> None:
    weights = tiny().state_dict()
    wrapped = {"epoch": 3, "state_dict": {f"module.{name}": each for name, each in weights.items()}}
    assert read_weights(in_file(tmp_path / "w.pth", wrapped)).keys() == weights.keys()


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this must not run",)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"hello", "cannot be read"),
        (b"", "cannot be read"),
        (b"PK\x03\x04 and no more", "cannot be read"),
        (pickle.dumps(Hostile(), protocol=2), "could run code"),
    ],
)
def test_a_file_that_holds_no_weights_is_one_clear_line(
    tmp_path: Path, content: bytes, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(FittingRoomError) as caught:
        read_weights(path)
    assert str(path) in str(caught.value) and told in str(caught.value) and "\n" not in str(caught.value)
    assert "must not run" not in capsys.readouterr().out


def test_a_torch_file_without_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FittingRoomError, match="holds no named tensors"):
        read_weights(in_file(tmp_path / "w.pth", [torch.zeros(2)]))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FittingRoomError, match=r"nope\.pth"):
        read_weights(tmp_path / "nope.pth")


def test_the_head_stays_new_where_the_classes_are_others() -> None:
    source, model = tiny(0), tiny(1, num_classes=3)
    before = head_of(model).weight.clone()
    put_weights(model, source.state_dict(), "w")
    assert torch.equal(head_of(model).weight, before)
    assert torch.equal(model.get_parameter("stem.0.weight"), source.get_parameter("stem.0.weight"))


def test_the_head_comes_along_where_the_classes_are_as_many() -> None:
    source, model = tiny(0), tiny(1)
    put_weights(model, source.state_dict(), "w")
    assert torch.equal(head_of(model).weight, head_of(source).weight)


def without(name: str) -> dict[str, torch.Tensor]:
    return {key: each for key, each in tiny().state_dict().items() if key != name}


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (without("stem.0.weight"), "1 missing (stem.0.weight)"),
        ({**tiny().state_dict(), "neck.weight": torch.zeros(1)}, "1 unknown (neck.weight)"),
        ({**tiny().state_dict(), "stem.0.weight": torch.zeros(4, 3, 3, 3)}, "stem.0.weight [4, 3, 3, 3] instead of [4, 1, 3, 3]"),
        ({f"x{number}": torch.zeros(1) for number in range(9)}, "9 unknown (x0, x1, x2, ...)"),
    ],
)  # fmt: skip
def test_weights_of_another_network_are_refused_with_what_does_not_fit(weights: Any, told: str) -> None:
    model = tiny(1)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    with pytest.raises(FittingRoomError) as caught:
        put_weights(model, weights, "weights=w.pth")
    assert told in str(caught.value) and str(caught.value).startswith("weights=w.pth does not fit FastCNN")
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


@pytest.mark.parametrize("name", ["cnn", "vit", "hybrid", "efficientnet_lite0"])
def test_features_are_what_the_head_reads(name: str) -> None:
    model = build_model(name).eval()
    images = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = features_of(model, images)
        torch.testing.assert_close(head_of(model)(features), model(images))
    assert head_name(model) == "head"


def test_a_network_without_a_linear_head_is_refused() -> None:
    with pytest.raises(FittingRoomError, match="no linear layer as its head"):
        head_name(nn.Sequential(nn.Conv2d(1, 2, 1)))
