"""First-layer filters, and the principal components of a patch projection against numpy's own."""

from typing import Any

import numpy as np
import pytest
from torch import nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.filters import conv_filters, patch_components
from tests.unit.explain.networks import CNNS, hugging_face, tiny


@pytest.mark.parametrize("name", [*CNNS, "hybrid", "vit"])
def test_conv_filters_are_a_copy_of_the_first_layer(name: str) -> None:
    model = tiny(name)
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    found = conv_filters(model)
    np.testing.assert_array_equal(found, first.weight.detach().numpy())
    found[:] = 0
    assert first.weight.abs().max() > 0


def test_components_are_those_of_the_covariance_matrix() -> None:
    model: Any = tiny("vit", patch_size=4)
    components, explained = patch_components(model, 5)
    assert components.shape == (5, 1, 4, 4) and explained.shape == (5,)
    filters = model.patch_embed.proj.weight.detach().double().numpy().reshape(16, 16)
    values, vectors = np.linalg.eigh(np.cov(filters.T))
    np.testing.assert_allclose(explained, values[::-1][:5] / values.sum(), rtol=1e-5)
    for found, expected in zip(components.reshape(5, 16), vectors.T[::-1], strict=False):
        assert found[np.abs(found).argmax()] > 0
        np.testing.assert_allclose(abs(found @ expected), 1, rtol=1e-5)


def test_there_are_no_more_components_than_pixels() -> None:
    components, explained = patch_components(tiny("vit"))
    assert components.shape == (4, 1, 2, 2)
    assert explained.sum() == pytest.approx(1)
    assert patch_components(hugging_face())[0].shape == (4, 1, 2, 2)


def test_what_has_no_patches_or_no_filters_says_so() -> None:
    for name in ("cnn", "hybrid"):
        with pytest.raises(FittingRoomError, match="projects no patches"):
            patch_components(tiny(name))
    with pytest.raises(FittingRoomError, match="has no convolution"):
        conv_filters(nn.Linear(1, 1))
    with pytest.raises(FittingRoomError, match="num 0"):
        patch_components(tiny("vit"), 0)
