"""Which letters: rows sum to 1, padding gets nothing, and what is caught is what the models use."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.vocabulary import BOS_ID, EOS_ID, Vocabulary
from fittingroom.evaluation.pronounce import pronounce
from fittingroom.explain.alignment import align, cross_attention
from fittingroom.explain.capture import capture_attention
from fittingroom.explain.findings import END
from fittingroom.tasks.load import load_run
from fittingroom.tasks.seq2seq.training import read_vocabularies
from tests.sequence_fixture import LETTERS, write_sequence_run

SHAPES: dict[str, tuple[str, dict[str, Any], tuple[int, int]]] = {
    "transformer": ("transformer", {}, (2, 2)),
    "fused": ("transformer", {"attention_path": "fused"}, (2, 2)),
    "additive": ("recurrent", {}, (1, 1)),
    "multiplicative": ("recurrent", {"attention": "multiplicative", "depth": 2}, (1, 1)),
}
EVERY = pytest.mark.parametrize("shape", list(SHAPES))
Asked = tuple[Any, Vocabulary, Vocabulary]


@pytest.fixture(scope="module", autouse=True)
def _short() -> Iterator[None]:
    """A model without positions knows no end of its own: untrained ones would ramble on to the most that data may hold."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fittingroom.evaluation.pronounce.MAX_SYMBOLS", 20)
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Asked]:
    folder = tmp_path_factory.mktemp("runs")
    runs = {
        shape: load_run(write_sequence_run(folder / shape, name, sharp=2.0, **values))
        for shape, (name, values, _) in SHAPES.items()
    }
    return {shape: (run.model, *read_vocabularies(run.folder)) for shape, run in runs.items()}


@pytest.mark.thorough
@EVERY
@settings(max_examples=20)
@given(word=st.text(alphabet=[*LETTERS, "é"], min_size=1, max_size=12))
def test_a_row_for_each_symbol_and_the_end_sums_to_one(models: dict[str, Asked], shape: str, word: str) -> None:
    model, source, target = models[shape]
    (answer,) = pronounce(model, source, target, [word])
    found, pronunciation = align(model, answer), answer.pronunciations[0]
    ends = (END,) if pronunciation.finished else ()
    assert found.letters == (*word, END) and found.phonemes == (*pronunciation.symbols, *ends)
    assert found.weights.shape == (*SHAPES[shape][2], len(found.phonemes), len(found.letters))
    assert found.weights.dtype == np.float32 and found.weights.min() >= 0
    np.testing.assert_allclose(found.weights.sum(axis=-1), 1.0, atol=1e-5)
    np.testing.assert_allclose(found.mean, found.weights[-1].mean(axis=0))


@EVERY
def test_padding_gets_nothing_and_company_changes_nothing(models: dict[str, Asked], shape: str) -> None:
    model = models[shape][0]
    src = torch.tensor([[4, 5, 6, 7, EOS_ID], [8, 9, EOS_ID, 0, 0]])
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    tgt_in = torch.tensor([[BOS_ID, 4, 5, 6], [BOS_ID, 7, 0, 0]])
    found = cross_attention(model, src, mask, tgt_in)
    assert found.shape == (2, *SHAPES[shape][2], 4, 5)
    assert not found[1, :, :, :, 3:].any() and found[0].all()
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(found.shape[:-1]))
    alone = cross_attention(model, src[1:, :3], mask[1:, :3], tgt_in[1:, :2])
    torch.testing.assert_close(found[1:, :, :, :2, :3], alone, rtol=0, atol=2e-5)


@EVERY
def test_symbols_given_one_by_one_look_at_the_same_letters(models: dict[str, Asked], shape: str) -> None:
    """Row j must be the look that wrote symbol j: the prefix before it decides it, what comes after changes nothing."""
    model = models[shape][0]
    src, mask = torch.tensor([[4, 5, 6, 7, EOS_ID]]), torch.ones(1, 5, dtype=torch.bool)
    tgt_in = torch.tensor([[BOS_ID, 4, 9, 6]])
    whole = cross_attention(model, src, mask, tgt_in)
    for length in range(1, 5):
        part = cross_attention(model, src, mask, tgt_in[:, :length])
        torch.testing.assert_close(part[..., -1, :], whole[..., length - 1, :], rtol=0, atol=2e-5)
    assert not torch.allclose(whole[..., 0, :], whole[..., 1, :], atol=1e-4)


@EVERY
def test_it_is_what_the_model_looked_at_while_it_wrote(models: dict[str, Asked], shape: str) -> None:
    """Caught during decoding itself, a symbol a step: row j belongs to the step that wrote symbol j."""
    model, source, target = models[shape]
    with capture_attention(model) as weights:
        (answer,) = pronounce(model, source, target, ["hello"])
    cross = [calls for name, calls in weights.items() if "self_attn" not in name and not name.startswith("encoder")]
    seen = torch.stack([torch.cat(calls, dim=2)[0] for calls in cross])
    found = align(model, answer)
    assert len(found.phonemes) > 2
    torch.testing.assert_close(torch.from_numpy(found.weights), seen, rtol=0, atol=2e-5)


def test_a_recurrent_models_context_is_its_memory_by_these_weights(models: dict[str, Asked]) -> None:
    """Against the equation (Bahdanau, 5 and 6), written once more."""
    model = models["multiplicative"][0]
    src, mask = torch.tensor([[4, 5, 6, EOS_ID]]), torch.ones(1, 4, dtype=torch.bool)
    with torch.no_grad():
        memory = model.encode(src, mask)
        state = model.start(memory, mask)
        _, after = model.step(torch.tensor([BOS_ID]), state)
        scores = after.hidden[0][-1] @ model.attention.keys(memory)[0].T
    found = cross_attention(model, src, mask, torch.tensor([[BOS_ID]]))
    torch.testing.assert_close(found[0, 0, 0], scores.softmax(dim=-1), rtol=0, atol=1e-5)


def test_self_attention_is_left_out_even_where_its_shape_is_the_same(models: dict[str, Asked]) -> None:
    model = models["transformer"][0]
    src, mask = torch.tensor([[4, 5, EOS_ID]]), torch.ones(1, 3, dtype=torch.bool)
    found = cross_attention(model, src, mask, torch.tensor([[BOS_ID, 4, 5]]))
    assert found.shape[1] == 2 and found[..., 0, 2].min() > 0  # a causal row would be zero there


def test_the_model_keeps_its_mode_and_a_model_of_images_is_refused(models: dict[str, Asked]) -> None:
    model = models["transformer"][0]
    model.train()
    src, mask = torch.tensor([[4, EOS_ID]]), torch.ones(1, 2, dtype=torch.bool)
    first, second = (cross_attention(model, src, mask, torch.tensor([[BOS_ID]])) for _ in range(2))
    assert model.training and torch.equal(first, second) and not first.requires_grad
    model.eval()

    vit = load_run("vit").model
    vit.forward = lambda src, src_mask, tgt_in: vit.forward_features(torch.zeros(1, 1, 28, 28))
    with pytest.raises(FittingRoomError, match="has no attention from a target to a source: choose a sequence model"):
        cross_attention(vit, src, mask, torch.tensor([[BOS_ID]]))
