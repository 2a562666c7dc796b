"""The recurrent network against torch.nn.GRU and LSTM, row by row without padding, and against the papers' formulas."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fittingroom.models import SEQUENCE_MODELS, build_model
from fittingroom.models.layers.attention import capture_attention
from fittingroom.models.recurrent import Recurrent

DIM, HIDDEN = 10, 6
CELLS = pytest.mark.parametrize("cell", ["gru", "lstm"])


def ours(**values: Any) -> Recurrent:
    torch.manual_seed(0)
    model = build_model("recurrent", {"embed_dim": DIM, "hidden_dim": HIDDEN, **values}, SEQUENCE_MODELS).eval()
    assert isinstance(model, Recurrent)
    for name, parameter in model.named_parameters():
        if "bias" in name:
            nn.init.normal_(parameter, std=0.5)
    return model


def example() -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    src, tgt = (torch.randint(0, 31, (3, length), generator=draw) for length in (7, 4))
    return src, torch.arange(7) < torch.tensor([4, 7, 1])[:, None], tgt


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@CELLS
def test_the_encoder_is_torchs_on_each_word_alone(cell: str) -> None:
    model, (src, src_mask, _) = ours(cell=cell), example()
    theirs = {"gru": nn.GRU, "lstm": nn.LSTM}[cell](DIM, HIDDEN, 2, batch_first=True, bidirectional=True)
    theirs.load_state_dict(model.encoder.state_dict(), strict=True)
    memory = model.encode(src, src_mask)
    for row, length in enumerate(src_mask.sum(dim=1).tolist()):
        vectors = model.src_embed.table.weight[src[row : row + 1, :length]] * DIM**0.5
        assert_close(memory[row, :length], theirs(vectors)[0][0])
        assert memory[row, length:].abs().sum() == 0


def attended(model: Recurrent, state: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """Weights and context of one state (hidden_dim) over the memory of one word (letters, 2 * hidden_dim)."""
    attention: Any = model.attention
    if model.is_additive:  # e_j = v tanh(W s + U h_j), Bahdanau, appendix A.1.2
        w, u, v = attention.query.weight, attention.keys.weight, attention.score.weight[0]
        scores = [v @ (w @ state + u @ vector).tanh() for vector in memory]
    else:  # s W h_j, Luong, equation 8
        scores = [state @ attention.keys.weight @ vector for vector in memory]
    weights = torch.stack(scores).softmax(dim=0)
    return weights, sum(weight * vector for weight, vector in zip(weights, memory, strict=True))  # type: ignore[return-value]


@CELLS
@pytest.mark.parametrize("attention", ["additive", "multiplicative"])
def test_the_decoder_is_the_papers_loop_over_torchs_cells(cell: str, attention: str) -> None:
    model, (src, src_mask, tgt) = ours(cell=cell, attention=attention, depth=1), example()
    width = DIM + 2 * HIDDEN if attention == "additive" else DIM
    step: Any = {"gru": nn.GRUCell, "lstm": nn.LSTMCell}[cell](width, HIDDEN)
    step.load_state_dict({name.removesuffix("_l0"): weight for name, weight in model.decoder.state_dict().items()})
    with capture_attention(model) as caught:
        logits = model(src, src_mask, tgt)
    caught_weights = torch.cat(caught["attention"], dim=2)
    table = model.tgt_embed.table.weight
    for row, length in enumerate(src_mask.sum(dim=1).tolist()):
        memory = model.encode(src, src_mask)[row, :length]
        state = model.bridge(memory[0, HIDDEN:]).tanh()
        cell_state = torch.zeros(HIDDEN)
        for column, symbol in enumerate(tgt[row].tolist()):
            vector = table[symbol] * DIM**0.5
            weights, context = attended(model, state, memory)
            x = torch.cat([vector, context]) if attention == "additive" else vector
            if cell == "lstm":
                state, cell_state = step(x, (state, cell_state))
            else:
                state = step(x, state)
            read = [state, context, vector]
            if attention == "multiplicative":  # Luong attends with the new state, Bahdanau with the previous one
                weights, context = attended(model, state, memory)
                read = [state, context]
            assert_close(logits[row, column], table @ model.readout(torch.cat(read)).tanh())
            assert_close(caught_weights[row, 0, column, :length], weights.detach())


@CELLS
def test_each_decoder_layer_starts_from_its_share_of_the_bridge(cell: str) -> None:
    model, (src, src_mask, _) = ours(cell=cell, depth=3), example()
    memory = model.encode(src, src_mask)
    hidden = model.start(memory, src_mask).hidden
    expected = model.bridge(memory[:, 0, HIDDEN:]).tanh()
    for layer in range(3):
        assert_close(hidden[0][layer], expected[:, layer * HIDDEN : (layer + 1) * HIDDEN])
    assert len(hidden) == (2 if cell == "lstm" else 1)


@CELLS
def test_the_first_recurrent_matrices_are_orthogonal_gate_by_gate(cell: str) -> None:
    torch.manual_seed(0)
    model = build_model("recurrent", {"cell": cell, "hidden_dim": 16}, SEQUENCE_MODELS)
    assert isinstance(model, Recurrent)
    for gate in model.encoder.weight_hh_l1_reverse.split(16):  # type: ignore[union-attr, operator]
        assert_close(gate @ gate.T, torch.eye(16))
    forget = model.decoder.bias_ih_l0.view(-1, 16)[1]  # type: ignore[union-attr, operator]
    assert forget.tolist() == [1.0 if cell == "lstm" else 0.0] * 16
