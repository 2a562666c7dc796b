"""Grad-CAM against captum's, on maps and on tokens laid out as maps."""

import numpy as np
import pytest
import torch
from captum import attr as captum
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.gradcam import grad_cam, gradcam_layer
from tests.unit.explain.networks import CNNS, TOKENS, draw_images, hugging_face, timm_like, tiny

TARGETS = torch.tensor([0, 2, 3])


class ToMaps(nn.Module):
    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.prefix = prefix

    def forward(self, tokens: Tensor) -> Tensor:
        side = int((tokens.shape[1] - self.prefix) ** 0.5)
        return tokens[:, self.prefix :].transpose(1, 2).reshape(len(tokens), -1, side, side)


class AsMaps(nn.Module):
    """`norm`, and its patch tokens through maps and back, so that captum finds maps to look at."""

    def __init__(self, norm: nn.Module, prefix: int) -> None:
        super().__init__()
        self.norm, self.to_maps, self.prefix = norm, ToMaps(prefix), prefix

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(x)
        return torch.cat([tokens[:, : self.prefix], self.to_maps(tokens).flatten(2).transpose(1, 2)], dim=1)


def by_captum(model: nn.Module, layer: nn.Module, targets: Tensor = TARGETS) -> np.ndarray:
    found = captum.LayerGradCam(model, layer).attribute(draw_images(), target=targets, relu_attributions=True)
    assert isinstance(found, Tensor)
    return found[:, 0].detach().numpy()


@pytest.mark.parametrize("name", CNNS)
def test_on_a_cnn_it_is_captums(name: str) -> None:
    model = tiny(name)
    found = grad_cam(model, draw_images(), TARGETS)
    side = 1 if name == "efficientnet_lite0" else 4
    assert found.shape == (3, side, side) and found.dtype == np.float32 and found.max() > 0
    np.testing.assert_allclose(found, by_captum(model, model.stages), rtol=1e-4, atol=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [*(lambda name=name: tiny(name) for name in TOKENS), timm_like])
def test_on_tokens_it_is_captums_on_their_maps(make) -> None:  # type: ignore[no-untyped-def]
    model = make()
    found = grad_cam(model, draw_images(), TARGETS)
    others = grad_cam(model, draw_images(), (TARGETS + 1) % 4)
    assert found.shape == (3, 4, 4) and found.min() >= 0 and max(found.max(), others.max()) > 0
    wrapped = AsMaps(model.blocks[-1].norm1, getattr(model, "num_prefix_tokens", 0))
    model.blocks[-1].norm1 = wrapped
    for maps, targets in ((found, TARGETS), (others, (TARGETS + 1) % 4)):
        np.testing.assert_allclose(maps, by_captum(model, wrapped.to_maps, targets), rtol=1e-4, atol=1e-6)


def test_other_networks_have_a_layer_too() -> None:
    assert grad_cam(hugging_face(), draw_images(), TARGETS).shape == (3, 4, 4)
    plain = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 5, 3, stride=2), nn.Flatten(), nn.Linear(20, 4))
    assert gradcam_layer(plain) is plain[2]
    found = grad_cam(plain, draw_images(), TARGETS)
    np.testing.assert_allclose(found, by_captum(plain, plain[2]), rtol=1e-4, atol=1e-6)
    early = grad_cam(plain, draw_images(), TARGETS, layer=plain[0])
    np.testing.assert_allclose(early, by_captum(plain, plain[0]), rtol=1e-4, atol=1e-6)


def test_it_leaves_no_hook_no_gradient_and_the_mode_as_it_was() -> None:
    model = tiny("cnn").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        first = grad_cam(model, draw_images(), TARGETS)
    assert model.training and not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    np.testing.assert_allclose(grad_cam(model.bfloat16(), draw_images(), TARGETS), first, atol=0.1 * first.max())


def test_a_layer_that_does_not_run_is_an_error() -> None:
    with pytest.raises(FittingRoomError, match="did not run"):
        grad_cam(tiny("cnn"), draw_images(), TARGETS, layer=nn.Conv2d(1, 1, 1))
    with pytest.raises(FittingRoomError, match="no default layer"):
        grad_cam(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), draw_images(), TARGETS)
