"""Our Transformer against torch.nn.Transformer with the same weights; positions and dropout against their formulas."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.models import SEQUENCE_MODELS, build_model
from fittingroom.models.layers.attention import capture_attention
from fittingroom.models.layers.dropout import Dropout, dropout
from fittingroom.models.layers.positions import sinusoidal_1d
from fittingroom.models.transformer import Transformer

DIM, HEADS = 32, 4


def ours(**values: Any) -> Transformer:
    torch.manual_seed(0)
    shape = {"embed_dim": DIM, "num_heads": HEADS, "depth_encoder": 2, "depth_decoder": 3, "tie_output": True}
    model = build_model("transformer", {**shape, **values}, SEQUENCE_MODELS).eval()
    assert isinstance(model, Transformer)
    for parameter in model.parameters():
        if parameter.ndim == 1:  # with biases of 0 and scales of 1, a missing one would go unnoticed
            nn.init.normal_(parameter, mean=0.5, std=0.3)
    return model


def torch_layer(block: nn.Module, order: str, activation: str) -> nn.Module:
    """torch's layer with the weights of an encoder or a decoder block."""
    crosses = hasattr(block, "cross_attn")
    layer = (nn.TransformerDecoderLayer if crosses else nn.TransformerEncoderLayer)(
        DIM, HEADS, dim_feedforward=3 * DIM, dropout=0.0, activation=activation, layer_norm_eps=1e-6, batch_first=True,
        norm_first=order == "pre",
    )  # fmt: skip
    weights = block.state_dict()
    names = {
        "attn.qkv.": "self_attn.in_proj_", "self_attn.qkv.": "self_attn.in_proj_", "attn.proj.": "self_attn.out_proj.",
        "self_attn.proj.": "self_attn.out_proj.", "cross_attn.proj.": "multihead_attn.out_proj.",
        "mlp.fc1.": "linear1.", "mlp.fc2.": "linear2.", "norm1.": "norm1.", "norm2.": "norm2.", "norm3.": "norm3.",
    }  # fmt: skip
    state = {
        theirs + kind: weights[name + kind]
        for name, theirs in names.items()
        for kind in ("weight", "bias")
        if name + kind in weights
    }
    if crosses:
        for kind in ("weight", "bias"):
            pair = [weights[f"cross_attn.q.{kind}"], weights[f"cross_attn.kv.{kind}"]]
            state[f"multihead_attn.in_proj_{kind}"] = torch.cat(pair)
    layer.load_state_dict(state, strict=True)
    return layer


def torch_transformer(model: Transformer) -> nn.Transformer:
    """torch's Transformer with the weights of `model`; in post-norm without last norms, as in the paper."""
    order, activation = model.config.norm, model.config.activation
    layers = [[torch_layer(block, order, activation) for block in stack] for stack in (model.encoder, model.decoder)]
    norms: Any = (model.encoder_norm, model.decoder_norm) if order == "pre" else (None, None)
    encoder = nn.TransformerEncoder(layers[0][0], len(layers[0]), norms[0], enable_nested_tensor=False)  # type: ignore[arg-type]
    decoder = nn.TransformerDecoder(layers[1][0], len(layers[1]), norms[1])  # type: ignore[arg-type]
    theirs = nn.Transformer(DIM, HEADS, batch_first=True, custom_encoder=encoder, custom_decoder=decoder)
    encoder.layers, decoder.layers = map(nn.ModuleList, layers)  # last, because nn.Transformer draws its matrices again
    return theirs.eval()


def example() -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    src, tgt = (torch.randint(0, 31, (3, length), generator=draw) for length in (9, 6))
    return src, torch.arange(9) < torch.tensor([9, 4, 1])[:, None], tgt


@pytest.mark.parametrize("order", ["pre", "post"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_logits_are_those_of_torchs_transformer(order: str, activation: str) -> None:
    model = ours(norm=order, activation=activation)
    theirs, (src, src_mask, tgt) = torch_transformer(model), example()
    positions = sinusoidal_1d(64, DIM)
    assert model.tgt_embed is not None
    table_src, table_tgt = model.src_embed.table.weight, model.tgt_embed.table.weight
    hidden = theirs(
        table_src[src] * DIM**0.5 + positions[:9],
        table_tgt[tgt] * DIM**0.5 + positions[:6],
        tgt_mask=nn.Transformer.generate_square_subsequent_mask(6).isinf(),
        src_key_padding_mask=~src_mask,
        memory_key_padding_mask=~src_mask,
    )
    logits = model(src, src_mask, tgt)
    torch.testing.assert_close(logits, hidden @ table_tgt.T, rtol=0, atol=1e-5)
    state, columns = model.start(model.encode(src, src_mask), src_mask), []
    for ids in tgt.T:
        column, state = model.step(ids, state)
        columns.append(column)
    torch.testing.assert_close(torch.stack(columns, dim=1), logits, rtol=0, atol=1e-5)


def test_cross_attention_is_torchs() -> None:
    model, (src, src_mask, tgt) = ours(norm="post"), example()
    with capture_attention(model) as weights:
        model(src, src_mask, tgt)
    memory, block = model.encode(src, src_mask), model.decoder[0]
    layer: Any = torch_layer(block, "post", "relu")
    assert model.tgt_embed is not None
    x = model.tgt_embed(tgt)
    causal = nn.Transformer.generate_square_subsequent_mask(6).isinf()
    x = layer.norm1(x + layer.self_attn(x, x, x, attn_mask=causal, need_weights=False)[0])
    expected = layer.multihead_attn(x, memory, memory, key_padding_mask=~src_mask, average_attn_weights=False)[1]
    torch.testing.assert_close(weights["decoder.0.cross_attn"][0], expected.detach(), rtol=0, atol=1e-5)


def test_one_table_serves_both_sides_and_the_output() -> None:
    model = ours(src_vocab_size=31, tgt_vocab_size=31, share_embeddings=True)
    assert model.tgt_embed is None
    assert model.head is None
    src, src_mask, tgt = example()
    before = model(src, src_mask, tgt)
    with torch.no_grad():
        model.src_embed.table.weight[7] += 1
    assert (model(src, src_mask, tgt) - before).abs()[..., 7].min() > 0
    with pytest.raises(FittingRoomError, match="src_vocab_size is 31 and tgt_vocab_size 43: make them equal"):
        ours(src_vocab_size=31, tgt_vocab_size=43, share_embeddings=True)


@pytest.mark.parametrize("positions", ["sincos1d", "learned"])
def test_a_sequence_beyond_the_last_position_is_refused_also_step_by_step(positions: str) -> None:
    model, (src, src_mask, tgt) = ours(max_len=9, positions=positions), example()
    model(src, src_mask, tgt)
    long = torch.zeros(3, 10, dtype=torch.long)
    with pytest.raises(FittingRoomError, match="a sequence of 10 symbols is longer than max_len 9"):
        model.encode(long, long == 0)
    state = model.start(model.encode(src, src_mask), src_mask)
    for _ in range(9):
        _, state = model.step(tgt[:, 0], state)
    with pytest.raises(FittingRoomError, match="10 symbols is longer than max_len 9"):
        model.step(tgt[:, 0], state)


def test_the_first_weights_have_the_deviations_that_are_claimed() -> None:
    torch.manual_seed(0)
    model: Any = build_model("transformer", {"embed_dim": 256, "src_vocab_size": 500}, SEQUENCE_MODELS)
    assert model.src_embed.table.weight.std().item() == pytest.approx(1 / 16, rel=0.02)
    block = model.decoder[0]
    square = 256**-0.5 * 2**-0.5  # Xavier for a square matrix: deviation 1 / sqrt(dim), times the gain 1 / sqrt(2)
    parts = (*block.self_attn.qkv.weight.chunk(3), block.cross_attn.q.weight, *block.cross_attn.kv.weight.chunk(2))
    assert [part.std().item() for part in parts] == pytest.approx([square] * 6, rel=0.02)
    assert block.self_attn.proj.weight.std().item() == pytest.approx(256**-0.5, rel=0.02)
    assert block.mlp.fc1.weight.std().item() == pytest.approx((2 / (256 + 768)) ** 0.5, rel=0.02)
    assert block.mlp.fc1.bias.abs().max() == 0


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_zeroes_that_share_and_keeps_the_expectation(rate: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    ones = torch.ones(4, 50_001, dtype=dtype, requires_grad=True)
    out = dropout(ones, rate)
    dropped = out == 0
    # Four neighbours share one draw but use different bits: all have the same rate, and they are independent.
    by_place = dropped.flatten()[:200_000].view(-1, 4).float()
    torch.testing.assert_close(by_place.mean(dim=0), torch.full((4,), rate), rtol=0, atol=0.01)
    assert (by_place.T.corrcoef() - torch.eye(4)).abs().max() < 0.02
    assert torch.equal(out[~dropped], torch.full_like(out[~dropped], 1 / (1 - rate)))
    out.float().sum().backward()
    assert ones.grad is not None and torch.equal(ones.grad, out.detach())


def test_dropout_is_on_in_training_only_and_follows_the_global_seed() -> None:
    layer, x = Dropout(0.3), torch.randn(7, 5)
    assert layer.eval()(x) is x
    assert Dropout(0.0).train()(x) is x
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(layer.train()(x))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_dropout_stands_where_the_paper_has_it() -> None:
    model = ours().train()
    found = [name for name, module in model.named_modules() if isinstance(module, Dropout) and module.rate == 0.1]
    blocks = [f"{stack}.{index}.drop" for stack, depth in (("encoder", 2), ("decoder", 3)) for index in range(depth)]
    assert sorted(found) == sorted(["src_embed.drop", "tgt_embed.drop", *blocks])
    assert not [name for name, module in model.named_modules() if isinstance(module, nn.Dropout) and module.p > 0]
