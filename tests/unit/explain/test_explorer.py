"""The arrays of the report's explorer: shapes, types, and weights that survive being stored in a byte."""

import io
from typing import Any

import numpy as np
import pytest
import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.capture import attention_layers
from fittingroom.explain.explorer import explorer_arrays, quantise
from fittingroom.explain.methods import saliency
from fittingroom.explain.tokens import pool_weights
from tests.unit.explain.networks import CNNS, TOKENS, draw_images, hugging_face, tiny

EVERYWHERE = {"probs", "saliency", "method", "caption"}
ATTENTION = {"attention", "scale", "pool", "grid"}


def check_everywhere(model: Any, arrays: dict[str, np.ndarray]) -> None:
    with torch.no_grad():
        expected = model(draw_images()).softmax(-1).numpy()
    np.testing.assert_allclose(arrays["probs"], expected, atol=1e-6)
    assert arrays["probs"].dtype == np.float32
    assert arrays["saliency"].shape == (3, 8, 8) and arrays["saliency"].dtype == np.float16
    np.testing.assert_array_equal(arrays["saliency"].max(axis=(1, 2)), 1)
    targets = torch.from_numpy(expected.argmax(axis=1))
    maps = saliency(model, draw_images(), targets, str(arrays["method"]))
    np.testing.assert_allclose(arrays["saliency"], maps / maps.max(axis=(1, 2), keepdims=True), atol=1e-3)
    assert arrays["method"].shape == arrays["caption"].shape == () and str(arrays["caption"]).endswith(".")


@pytest.mark.parametrize("name", TOKENS)
def test_a_network_of_tokens(name: str) -> None:
    model, images = tiny(name), draw_images()
    arrays = explorer_arrays(model, images)
    assert set(arrays) == EVERYWHERE | ATTENTION | {"similarity", "positions"}
    check_everywhere(model, arrays)
    prefix = 1 if name == "vit_cls" else 0
    tokens = 16 + prefix
    assert arrays["attention"].shape == (3, 2, 2, tokens, tokens) and arrays["attention"].dtype == np.uint8
    assert arrays["scale"].shape == (3, 2, 2, tokens) and arrays["scale"].dtype == np.float32
    weights = arrays["attention"] / 255 * arrays["scale"][..., None]
    for number, layer in enumerate(attention_layers(model, images)):
        assert np.abs(weights[:, number] - layer.numpy()).max() <= arrays["scale"].max() / 509
    np.testing.assert_allclose(arrays["pool"], pool_weights(model, images), rtol=1e-6)
    assert arrays["grid"].tolist() == [4, 4, prefix, 2] and arrays["grid"].dtype == np.int64
    assert arrays["similarity"].shape == (4, 4, 4, 4) and arrays["similarity"].dtype == np.uint8
    assert arrays["similarity"][2, 1, 2, 1] == 255
    assert str(arrays["positions"]) == ("learned" if name == "vit_cls" else "sincos2d")


@pytest.mark.parametrize("name", CNNS)
def test_a_cnn_has_its_map_only(name: str) -> None:
    model = tiny(name)
    arrays = explorer_arrays(model, draw_images())
    assert set(arrays) == EVERYWHERE and str(arrays["method"]) == "gradcam"
    check_everywhere(model, arrays)


def test_a_network_without_positions_or_of_another_library() -> None:
    assert set(explorer_arrays(tiny("vit", positions="none"), draw_images())) == EVERYWHERE | ATTENTION
    theirs = explorer_arrays(hugging_face(), draw_images())
    assert str(theirs["positions"]) == "learned" and theirs["grid"].tolist() == [4, 4, 1, 2]


def test_chunks_change_nothing_and_the_file_needs_no_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("hybrid")
    whole = explorer_arrays(model, draw_images(), beats_random=False)
    assert "not shown to do better here than a random map" in str(whole["caption"])
    monkeypatch.setattr("fittingroom.explain.eval_mode.CHUNK", 2)
    parts, file = explorer_arrays(model, draw_images(), beats_random=False), io.BytesIO()
    np.savez_compressed(file, **parts)  # type: ignore[arg-type]
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        for key, array in whole.items():
            assert stored[key].dtype == array.dtype
            if array.dtype.kind in "if":
                np.testing.assert_allclose(stored[key], array, atol=2e-3)


def test_no_image_is_an_error_and_an_empty_row_stays_empty() -> None:
    with pytest.raises(FittingRoomError, match="at least one"):
        explorer_arrays(tiny("vit"), draw_images(0))
    stored, scale = quantise(np.array([[0.0, 0.0], [0.25, 0.5]], dtype=np.float32))
    assert stored.tolist() == [[0, 0], [128, 255]] and scale.tolist() == [0, 0.5]
