"""Parameters and multiply-adds against hand-computed values."""

import pytest
import torch
from torch import Tensor, nn

from fittingroom.models import build_model
from fittingroom.models.cost import num_macs, num_params
from fittingroom.models.layers.attention import SelfAttention
from fittingroom.models.layers.patches import to_tokens


class Attend(nn.Module):
    """Pixels as tokens, one attention layer."""

    def __init__(self, dim: int, num_heads: int, path: str) -> None:
        super().__init__()
        self.attention = SelfAttention(dim, num_heads, path=path)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        return self.attention(to_tokens(images))


def test_a_convolution_multiplies_its_filter_at_each_output_pixel() -> None:
    conv = nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1)
    assert num_macs(conv, (3, 28, 28)) == 14 * 14 * 8 * (3 * 3 * 3)
    assert num_params(conv) == 8 * 3 * 3 * 3 + 8


def test_a_linear_layer_multiplies_its_matrix_once() -> None:
    assert num_macs(nn.Sequential(nn.Flatten(), nn.Linear(12, 7)), (3, 2, 2)) == 12 * 7


@pytest.mark.parametrize("path", ["explicit", "fused", "auto"])
def test_attention_costs_its_projections_and_twice_tokens_squared(path: str) -> None:
    tokens, dim = 5 * 4, 12
    expected = tokens * dim * 3 * dim + 2 * tokens * tokens * dim + tokens * dim * dim
    assert num_macs(Attend(dim, 3, path), (dim, 5, 4)) == expected


def test_the_path_of_attention_does_not_change_a_models_cost() -> None:
    costs = {num_macs(build_model("vit", {"attention_path": path}), (1, 28, 28)) for path in ("explicit", "fused")}
    assert len(costs) == 1


def test_counting_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    num_macs(model, (1, 8, 8))
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_frozen_numbers_do_not_count() -> None:
    layer = nn.Linear(3, 2)
    layer.bias.requires_grad_(False)
    assert num_params(layer) == 6
