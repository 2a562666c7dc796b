"""Our encoder blocks against torch.nn.TransformerEncoder with the same weights."""

import torch
from torch import nn

from fittingroom.models.layers.attention import causal_mask
from fittingroom.models.layers.blocks import Block, DropPath

DIM, HEADS = 32, 4


def torch_layer(block: Block) -> nn.TransformerEncoderLayer:
    layer = nn.TransformerEncoderLayer(
        DIM, HEADS, dim_feedforward=4 * DIM, dropout=0.0, activation="gelu", layer_norm_eps=1e-6, batch_first=True,
        norm_first=True,
    )  # fmt: skip
    ours = block.state_dict()
    names = {
        "self_attn.in_proj_weight": "attn.qkv.weight", "self_attn.in_proj_bias": "attn.qkv.bias",
        "self_attn.out_proj.weight": "attn.proj.weight", "self_attn.out_proj.bias": "attn.proj.bias",
        "linear1.weight": "mlp.fc1.weight", "linear1.bias": "mlp.fc1.bias",
        "linear2.weight": "mlp.fc2.weight", "linear2.bias": "mlp.fc2.bias",
        "norm1.weight": "norm1.weight", "norm1.bias": "norm1.bias",
        "norm2.weight": "norm2.weight", "norm2.bias": "norm2.bias",
    }  # fmt: skip
    layer.load_state_dict({theirs: ours[name] for theirs, name in names.items()})
    return layer


def test_three_blocks_are_torchs_encoder_with_and_without_a_mask() -> None:
    torch.manual_seed(0)
    blocks = [Block(DIM, HEADS) for _ in range(3)]
    for block in blocks:
        for parameter in block.parameters():
            nn.init.normal_(parameter, std=0.2)
    for mask in (None, causal_mask(11)):
        ours = theirs = torch.randn(2, 11, DIM)
        for block in blocks:
            ours = block(ours, mask)
            theirs = torch_layer(block)(theirs, src_mask=None if mask is None else ~mask)
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_stochastic_depth_drops_whole_images_and_keeps_the_expectation() -> None:
    torch.manual_seed(0)
    layer, ones = DropPath(0.25).train(), torch.ones(20_000, 2, 3)
    out = layer(ones)
    kept = out[:, 0, 0] > 0
    assert torch.equal(out, torch.where(kept[:, None, None], 1 / 0.75, 0.0).expand_as(out))
    assert abs(kept.float().mean() - 0.75) < 0.01
    assert torch.equal(layer.eval()(ones), ones)
