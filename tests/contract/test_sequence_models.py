"""Contracts of every registered sequence model. A new one needs a line in SIZES, and one in SHAPES for each way to build it."""

import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from fittingroom.core.config import from_dict, to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import seeded
from fittingroom.evaluation.decoding import beam_search, greedy
from fittingroom.models import MODELS, SEQUENCE_MODELS, build_model, resolve_config
from fittingroom.models.cost import num_params
from fittingroom.models.layers.attention import capture_attention
from fittingroom.models.sequence import SequenceModel

SIZES = {
    "transformer": 2_694_912,
    "transformer_1head": 2_694_912,
    "transformer_learned": 2_694_912 + 2 * 64 * 192,
    "recurrent": 2_784_032,
}
SMALL = {"src_vocab_size": 12, "tgt_vocab_size": 12}
TINY = {
    **{name: {"embed_dim": 32, **SMALL} for name in ("transformer", "transformer_1head", "transformer_learned")},
    "recurrent": {"embed_dim": 24, "hidden_dim": 20, **SMALL},
}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in SEQUENCE_MODELS},
    "transformer_learned": ("transformer_learned", {"depth_encoder": 1, "depth_decoder": 2}),
    "post-norm": ("transformer", {"norm": "post", "activation": "gelu", "tie_output": True}),
    "one table": ("transformer", {"share_embeddings": True, "tie_output": True, "qkv_bias": False}),
    "fused": ("transformer", {"attention_path": "fused"}),
    "lstm": ("recurrent", {"cell": "lstm", "tie_output": False}),
    "luong": ("recurrent", {"attention": "multiplicative", "depth": 1}),
    "luong lstm": ("recurrent", {"cell": "lstm", "attention": "multiplicative"}),
}
EVERY = pytest.mark.parametrize("shape", list(SHAPES))
EVERY_NAME = pytest.mark.parametrize("name", list(SEQUENCE_MODELS))
LENGTHS = torch.tensor([6, 2, 1, 4])
EOS = 2


def built(shape: str, **values: Any) -> Any:
    """A small network of that shape, with the same weights each time."""
    name, others = SHAPES[shape]
    with seeded(0, "init"):
        return build_model(name, {**TINY[name], **others, **values}, SEQUENCE_MODELS)


def numbers(*shape: int, seed: int = 0, lowest: int = 3) -> torch.Tensor:
    return torch.randint(lowest, 12, shape, generator=torch.Generator().manual_seed(seed))


def batch(num_columns: int = 6) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sources of lengths 6, 2, 1 and 4, their mask, and targets of 5 symbols."""
    mask = torch.arange(num_columns) < LENGTHS[:, None]
    src = F.pad(numbers(4, 6), (0, num_columns - 6)).masked_fill(~mask, 0)
    return src, mask, torch.cat([torch.ones(4, 1, dtype=torch.long), numbers(4, 4, seed=1)], dim=1)


def started(model: Any, src: torch.Tensor, src_mask: torch.Tensor) -> Any:
    return model.start(model.encode(src, src_mask), src_mask)


def assert_close(found: torch.Tensor, expected: torch.Tensor, atol: float = 2e-6) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def test_sizes_are_pinned_alike_and_fit_six_megabytes_in_half_precision() -> None:
    found = {name: num_params(build_model(name, registry=SEQUENCE_MODELS)) for name in SEQUENCE_MODELS}
    assert found == SIZES
    assert max(found.values()) <= 1.1 * min(found.values())
    assert 2 * max(found.values()) < 6e6


def test_no_image_model_is_among_them() -> None:
    assert not set(MODELS) & set(SEQUENCE_MODELS)


@EVERY
def test_it_has_the_interface_and_the_shapes(shape: str) -> None:
    model, (src, mask, tgt) = built(shape).eval(), batch()
    assert isinstance(model, SequenceModel)
    logits = model(src, mask, tgt)
    assert logits.shape == (4, 5, 12)
    assert logits.isfinite().all()
    assert model.encode(src, mask).shape[:2] == (4, 6)
    assert model.step(tgt[:, 0], started(model, src, mask))[0].shape == (4, 12)


@EVERY
def test_every_parameter_gets_a_gradient(shape: str) -> None:
    model, (src, mask, tgt) = built(shape), batch()
    F.cross_entropy(model(src, mask, tgt).flatten(0, 1), numbers(20, seed=2)).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or p.grad.abs().max() == 0] == []


@EVERY
@pytest.mark.parametrize("place", [1, 3, 4])
def test_later_target_symbols_change_nothing_before_them(shape: str, place: int) -> None:
    model, (src, mask, tgt) = built(shape).eval(), batch()
    changed = tgt.clone()
    changed[:, place] = 3 + (tgt[:, place] - 2) % 9
    assert (changed[:, place] != tgt[:, place]).all()
    before, after = model(src, mask, tgt), model(src, mask, changed)
    assert torch.equal(before[:, :place], after[:, :place])
    assert (before[:, place:] != after[:, place:]).any(dim=-1).all()


@EVERY
def test_padding_of_the_source_and_what_stands_in_it_change_nothing(shape: str) -> None:
    model, (src, mask, tgt) = built(shape).eval(), batch()
    expected = model(src, mask, tgt)
    wider, wide_mask, _ = batch(num_columns=11)
    assert_close(model(wider, wide_mask, tgt), expected)
    assert_close(model(torch.where(wide_mask, wider, numbers(4, 11, seed=5)), wide_mask, tgt), expected)


@EVERY
def test_what_a_source_says_and_where_changes_the_logits(shape: str) -> None:
    model, (src, mask, tgt) = built(shape).eval(), batch()
    logits = model(src, mask, tgt)
    turned = src.clone()
    turned[0] = src[0].flip(0)
    assert (model(turned, mask, tgt)[0] - logits[0]).abs().max() > 1e-3


@EVERY
def test_padding_changes_no_gradient(shape: str) -> None:
    found = []
    for columns in (6, 11):
        model, (src, mask, tgt) = built(shape, drop_rate=0.0).double(), batch(columns)
        F.cross_entropy(model(src, mask, tgt).flatten(0, 1), numbers(20, seed=2)).backward()
        found.append({name: parameter.grad for name, parameter in model.named_parameters()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=0, atol=1e-9, msg=name)


@EVERY
def test_a_row_does_not_feel_its_batch(shape: str) -> None:
    model, (src, mask, tgt) = built(shape).eval(), batch()
    logits = model(src, mask, tgt)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = src[row : row + 1, :length], mask[row : row + 1, :length], tgt[row : row + 1]
        assert_close(model(*alone)[0], logits[row])


@EVERY
def test_step_by_step_equals_all_at_once(shape: str) -> None:
    model, (src, mask, tgt) = built(shape).eval(), batch()
    state, logits = started(model, src, mask), []
    for ids in tgt.T:
        column, state = model.step(ids, state)
        logits.append(column)
    assert_close(torch.stack(logits, dim=1), model(src, mask, tgt))


@EVERY
def test_a_reordered_state_goes_on_as_the_chosen_rows_would(shape: str) -> None:
    model, (src, mask, tgt) = built(shape).eval(), batch()
    rows = torch.tensor([3, 0, 0])
    logits, state = model.step(tgt[:, 0], started(model, src, mask))
    early = model.step(tgt[rows, 0], model.reorder(started(model, src, mask), rows))[0]
    assert_close(early, logits[rows])
    chosen, old = model.reorder(state, rows), model.step(tgt[:, 1], state)[0]
    assert_close(model.step(tgt[rows, 1], chosen)[0], old[rows])
    assert torch.equal(model.step(tgt[:, 1], state)[0], old)  # the old state still works


@EVERY
def test_captured_attention_equals_fast_attention(shape: str) -> None:
    model, (src, mask, tgt) = built(shape).eval(), batch()
    fast = model(src, mask, tgt)
    with capture_attention(model) as weights:
        assert_close(model(src, mask, tgt), fast, atol=1e-5)
    layers = {name: torch.cat(calls, dim=2) for name, calls in weights.items()}
    assert (5, 6) in [layer.shape[2:] for layer in layers.values()]  # every target symbol to every source symbol
    for layer in (each for each in layers.values() if each.shape[3] == 6):
        assert_close(layer.sum(-1), torch.ones(layer.shape[:-1]))
        assert layer.masked_select(~mask[:, None, None].expand_as(layer)).abs().max() == 0  # none goes to padding


@EVERY
def test_alignments_are_caught_while_writing_too(shape: str) -> None:
    model, (src, mask, tgt) = built(shape).eval(), batch()
    with capture_attention(model) as at_once:
        model(src, mask, tgt)
    state = started(model, src, mask)
    with capture_attention(model) as by_step:
        for ids in tgt.T:
            state = model.step(ids, state)[1]
    for name in set(by_step) - {name for name in by_step if name.endswith("self_attn")}:
        assert_close(torch.cat(by_step[name], dim=2), torch.cat(at_once[name], dim=2))


@EVERY
def test_weights_and_config_make_the_same_model_again(shape: str) -> None:
    name, others = SHAPES[shape]
    config = resolve_config(name, {**TINY[name], **others}, SEQUENCE_MODELS)
    assert from_dict(type(config), to_dict(config)) == config
    first, second = (SEQUENCE_MODELS.get(name).build(from_dict(type(config), to_dict(config))) for _ in range(2))
    second.load_state_dict(first.state_dict(), strict=True)
    assert torch.equal(first.eval()(*batch()), second.eval()(*batch()))
    pointers = [tensor.data_ptr() for tensor in first.state_dict().values()]
    assert len(set(pointers)) == len(pointers)  # safetensors cannot save a weight under two names


@EVERY
def test_a_seed_decides_weights_and_dropout(shape: str) -> None:
    drawn = []
    for seed in (0, 0, 1):
        with seeded(seed, "dropout"):
            drawn.append(built(shape, drop_rate=0.3).train()(*batch()))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    name = SHAPES[shape][0]
    weights = []
    for seed in (0, 1):
        with seeded(seed, "init"):
            model = build_model(name, TINY[name], SEQUENCE_MODELS)
            weights.append(torch.cat([p.detach().flatten() for p in model.parameters() if p.ndim > 1]))
    assert (weights[0] != weights[1]).all()


@EVERY
def test_it_learns_and_writes_in_bfloat16(shape: str) -> None:
    model, (src, mask, tgt) = built(shape, drop_rate=0.0), batch()
    expected = model(src, mask, tgt)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(src, mask, tgt)
        found = greedy(model.step, model.reorder, started(model, src, mask), tgt[:, 0], eos_id=EOS, max_len=6)
    assert_close(logits.float(), expected, atol=0.1)
    logits.float().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in model.parameters())
    assert len(found) == 4


@EVERY
def test_writing_with_a_cache_gives_what_reading_all_again_gives(shape: str) -> None:
    model, (src, mask, _) = built(shape).eval(), batch()
    first = torch.ones(4, dtype=torch.long)
    cached = {
        "greedy": greedy(model.step, model.reorder, started(model, src, mask), first, eos_id=EOS, max_len=6),
        "beam": beam_search(model.step, model.reorder, started(model, src, mask), first, eos_id=EOS, max_len=6),
    }

    def read_again(ids: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        rows, before = state
        before = torch.cat([before, ids[:, None]], dim=1)
        return model(src[rows], mask[rows], before)[:, -1], (rows, before)

    def take(state: Any, index: torch.Tensor) -> Any:
        return tuple(each[index] for each in state)

    state = torch.arange(4), torch.zeros(4, 0, dtype=torch.long)
    plain = {
        "greedy": greedy(read_again, take, state, first, eos_id=EOS, max_len=6),
        "beam": beam_search(read_again, take, state, first, eos_id=EOS, max_len=6),
    }
    assert [each.ids for each in cached["greedy"]] == [each.ids for each in plain["greedy"]]
    for row, expected in zip(cached["beam"], plain["beam"], strict=True):
        assert [each.ids for each in row] == [each.ids for each in expected]
        assert [each.score for each in row] == pytest.approx([each.score for each in expected], abs=1e-5)


@EVERY
def test_what_is_written_for_a_source_does_not_depend_on_padding_or_batch(shape: str) -> None:
    model, (src, mask, _) = built(shape).eval(), batch(num_columns=9)

    def write(rows: slice, columns: int) -> list[list[tuple[int, ...]]]:
        state = started(model, src[rows, :columns], mask[rows, :columns])
        first = torch.ones(len(src[rows]), dtype=torch.long)
        found = beam_search(model.step, model.reorder, state, first, eos_id=EOS, max_len=6, num_beams=3)
        return [[each.ids for each in row] for row in found]

    together = write(slice(None), 9)
    assert [write(slice(row, row + 1), length)[0] for row, length in enumerate(LENGTHS.tolist())] == together


@EVERY_NAME
@pytest.mark.parametrize(
    "values", [{"src_vocab_size": 0}, {"tgt_vocab_size": -1}, {"embed_dim": 0}, {"drop_rate": 1.0}, {"nonsense": 1}]
)
def test_values_that_cannot_be_are_one_clear_line(name: str, values: dict[str, float]) -> None:
    with pytest.raises(FittingRoomError) as caught:
        resolve_config(name, values, SEQUENCE_MODELS)
    assert "\n" not in str(caught.value)
    assert next(iter(values)) in str(caught.value)


@EVERY_NAME
def test_configs_are_frozen(name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        resolve_config(name, registry=SEQUENCE_MODELS).embed_dim = 3


@pytest.mark.slow
@EVERY
def test_it_overfits_32_pairs(shape: str) -> None:
    sources, targets = numbers(32, 7, seed=8), numbers(32, 5, seed=9)
    model = built(shape, drop_rate=0.0)
    src_mask = torch.ones(32, 7, dtype=torch.bool)
    tgt_in, tgt_out = F.pad(targets, (1, 0), value=1), F.pad(targets, (0, 1), value=EOS)
    optimizer = torch.optim.Adam(model.parameters(), 0.005)
    for _ in range(300):
        loss = F.cross_entropy(model(sources, src_mask, tgt_in).flatten(0, 1), tgt_out.flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    written = greedy(model.step, model.reorder, started(model, sources, src_mask), tgt_in[:, 0], eos_id=EOS, max_len=9)
    assert [each.ids for each in written] == [tuple(row) for row in targets.tolist()]
