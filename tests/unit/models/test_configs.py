"""Configs reject impossible shapes with one line that names the value."""

import re

import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.models import SEQUENCE_MODELS, build_model


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("vit", {"patch_size": 5}, "patch_size 5 does not divide img_size 28: choose one of [1, 2, 4, 7, 14, 28]"),
        ("vit", {"patch_size": 0}, "patch_size 0 does not divide img_size 28"),
        ("vit", {"num_heads": 3}, "num_heads 3 does not divide embed_dim 128"),
        ("vit", {"depth": 0}, "depth 0 is too small"),
        ("vit", {"mlp_ratio": 0.0}, "mlp_ratio 0.0 leaves the MLP without units"),
        ("vit", {"mlp_ratio": 0.001}, "mlp_ratio 0.001 leaves the MLP without units"),
        ("vit", {"drop_path_rate": -0.1}, "drop_path_rate -0.1 is out of range"),
        ("vit", {"positions": "sincos"}, "'sincos' is not one of learned, sincos2d, sincos1d, none"),
        ("vit", {"embed_dim": 6, "num_heads": 1}, "embed_dim 6 is not a multiple of 4"),
        ("vit", {"embed_dim": 5, "num_heads": 1, "positions": "sincos1d"}, "embed_dim 5 is odd"),
        ("hybrid", {"mlp_ratio": -1.0}, "mlp_ratio -1.0 leaves the MLP without units"),
        ("hybrid", {"stem_widths": [8, 8]}, "stem_widths (8, 8) and stem_strides (1, 2, 1, 1, 2, 1) must have the same length"),
        ("hybrid", {"stem_widths": [], "stem_strides": []}, "at least 1"),
        ("hybrid", {"stem_strides": [1, 0, 2, 1, 2, 1]}, "stem_strides[1] 0 is too small"),
        ("hybrid", {"stem_widths": [8, 8, -8, 8, 8, 8]}, "stem_widths[2] -8 is too small"),
        ("cnn", {"widths": [8]}, "widths (8,) and blocks (0, 1, 2) must have the same length"),
        ("cnn", {"widths": [], "blocks": []}, "at least 1"),
        ("cnn", {"widths": [8, 0, 8]}, "widths[1] 0 is too small"),
        ("cnn", {"blocks": [0, -1, 2]}, "blocks (0, -1, 2) contains a negative number"),
        ("resnet20", {"blocks": [3, 3, 0]}, "blocks (3, 3, 0): every stage of a ResNet needs a block"),
        ("cnn", {"img_size": 3}, "img_size 3 is too small for 3 stages: each side needs at least 4 pixels"),
        ("cnn", {"img_size": [28, 3]}, "img_size 28x3 is too small for 3 stages"),
        ("vit", {"img_size": [28, 0]}, "img_size 28x0 is too small: each side needs at least 1 pixel"),
        ("vit", {"img_size": [28, 30]}, "patch_size 4 does not divide img_size 28x30: choose one of [1, 2]"),
        ("vit", {"img_size": "big"}, "model vit.img_size: expected a whole number or a list such as [1, 2], got 'big'"),
        ("hybrid", {"img_size": [28, 28, 3]}, "model hybrid.img_size: expected 2 values, got 3"),
    ],
)  # fmt: skip
def test_a_shape_that_cannot_be_is_one_line(name: str, values: dict, said: str) -> None:
    with pytest.raises(FittingRoomError, match=re.escape(said)) as caught:
        build_model(name, values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("transformer", {"max_len": 0}, "max_len 0 is too small"),
        ("transformer", {"depth_encoder": 0}, "depth_encoder 0 is too small"),
        ("transformer", {"depth_decoder": 0}, "depth_decoder 0 is too small"),
        ("transformer", {"num_heads": 5}, "num_heads 5 does not divide embed_dim 192"),
        ("transformer", {"mlp_ratio": 0.0}, "mlp_ratio 0.0 leaves the MLP without units"),
        ("transformer", {"norm": "both"}, "sequence model transformer.norm: 'both' is not one of pre, post"),
        ("transformer", {"positions": "none"}, "'none' is not one of sincos1d, learned"),
        ("transformer", {"embed_dim": 5, "num_heads": 1}, "embed_dim 5 is odd"),
        ("transformer", {"share_embeddings": True}, "src_vocab_size is 32 and tgt_vocab_size 43: make them equal"),
        ("transformer", {"depth": 3}, "unknown key 'depth'"),
        ("recurrent", {"hidden_dim": 0}, "hidden_dim 0 is too small"),
        ("recurrent", {"depth": 0}, "depth 0 is too small"),
        ("recurrent", {"cell": "rnn"}, "'rnn' is not one of gru, lstm"),
        ("recurrent", {"attention": "dot"}, "'dot' is not one of additive, multiplicative"),
        ("vit", {}, "unknown sequence model 'vit': known: "),
    ],
)
def test_a_sequence_model_that_cannot_be_is_one_line(name: str, values: dict, said: str) -> None:
    with pytest.raises(FittingRoomError, match=re.escape(said)) as caught:
        build_model(name, values, SEQUENCE_MODELS)
    assert "\n" not in str(caught.value)


def test_the_smallest_shapes_are_allowed() -> None:
    build_model("cnn", {"widths": [1], "blocks": [0], "img_size": 1})
    build_model("vit", {"img_size": 1, "patch_size": 1, "embed_dim": 4, "num_heads": 1, "depth": 1, "mlp_ratio": 0.25})
    build_model("hybrid", {"stem_widths": [1], "stem_strides": [1], "embed_dim": 4, "num_heads": 4, "depth": 1})
