"""Training on pairs: what is learnt, counted, saved and kept sealed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fittingroom.api.settings import apply_settings
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import RunState, read_state
from fittingroom.core.rundir import read_json
from fittingroom.data.seq2seq.batches import PairBatch, SourceBatch
from fittingroom.data.seq2seq.load import digest_of
from fittingroom.data.seq2seq.splits import part_of
from fittingroom.data.seq2seq.tsv import MAX_SYMBOLS, group
from fittingroom.evaluation.error_rates import error_rates
from fittingroom.evaluation.evaluators import evaluate
from fittingroom.evaluation.generate import most_symbols
from fittingroom.evaluation.pronounce import longest
from fittingroom.models import build_model
from fittingroom.tasks.base import Placed
from fittingroom.tasks.config import ScheduleConfig
from fittingroom.tasks.load import run_config
from fittingroom.tasks.seq2seq.config import Seq2seqConfig
from fittingroom.tasks.seq2seq.training import EvalPairLoader, Seq2seqTask, ValidationBatch, symbol_loss
from fittingroom.training.fit import FitOptions, fit
from fittingroom.training.loop import train
from fittingroom.training.module import TrainingModule
from fittingroom.training.optim import build_optimizer
from fittingroom.training.results import write_results
from fittingroom.training.speed import probe as speed_probe
from fittingroom.training.speed.plan import Plan
from tests.pairs_fixture import GREEK, TINY, made_up, write_tsv
from tests.unit.training.machine import all_weights

PLAN = Plan(
    device="cpu", precision="fp32", channels_last=False, attention="explicit", compile=False, num_threads=1
)  # fmt: skip
MODELS = ("transformer", "recurrent")
FIXED = {"num_threads": "1", "precision": "fp32"}


@pytest.fixture(scope="module")
def greek(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 words in one file."""
    return write_tsv(tmp_path_factory.mktemp("pairs") / "greek.tsv", made_up(GREEK, 300))


def config(model: str, data: Path, **changes: Any) -> Seq2seqConfig:
    """A small run."""
    values = {"model": model, "model_config": TINY[model], "data": str(data), "epochs": 2.0, "batch_size": 32}
    return Seq2seqConfig(**{**values, **changes})


@pytest.mark.parametrize("model", MODELS)
def test_the_data_decide_the_sizes_and_the_resolved_config_resolves_to_itself(model: str, greek: Path) -> None:
    found = Seq2seqTask(config(model, greek)).config
    assert found.model_config["src_vocab_size"] == found.model_config["tgt_vocab_size"] == 4 + len(GREEK)
    assert found.model_config.get("max_len", 258) == 258
    assert len(found.digest) == 12
    assert Seq2seqTask(found).config == found
    assert run_config({**vars(found), "optim": vars(found.optim), "schedule": vars(found.schedule)}) == found


def test_every_turn_of_the_probe_is_on_one_batch(greek: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine where a step takes as long as its batch has symbols, and all plans alike, no plan wins."""

    def step(trial: speed_probe.Trial) -> float:
        trial.seconds.append(float(next(trial.batches)[0].numel()))
        trial.losses.append(1.0)
        return trial.seconds[-1]

    monkeypatch.setattr(speed_probe.Trial, "step", step)
    task = Seq2seqTask(config("transformer", greek, batch_size=8))
    plan, table = speed_probe.probe(task, replace(PLAN, num_threads=2), frozenset())
    assert [row.part for row in table] == ["precision", "attention", "num_threads"]
    assert {(row.speedup, row.spread) for row in table} == {(1.0, 1.0)}
    assert plan == replace(PLAN, num_threads=2)


@pytest.mark.parametrize("which", ["data", "test"])
def test_a_test_part_that_changed_while_the_run_trained_is_not_opened(which: str, tmp_path: Path) -> None:
    words = made_up(GREEK, 300)
    files = {
        name: str(write_tsv(tmp_path / f"{name}.tsv", part))
        for name, part in {"data": words[:200], "dev": words[200:250], "test": words[250:]}.items()
    }
    task = Seq2seqTask(config("transformer", Path(files["data"]), dev=files["dev"], test=files["test"]))
    assert task.config.digest, "training has begun"
    predict, reads = task.predictor(Placed(model=task.new_model().eval())), []
    with Path(files[which]).open("a", encoding="utf-8") as file:
        file.write("ζω\t3B6 3C9\n")
    (val,) = evaluate(predict, task.evaluators(), task.scoring.scores, log=reads.append, open_sealed=False)
    assert val.name == "val"
    with pytest.raises(FittingRoomError, match="has changed since the run began"):
        evaluate(predict, task.evaluators(), task.scoring.scores, log=reads.append)
    assert reads == [], "no read of the test part is logged, for there was none"


def test_no_more_pairs_a_step_than_there_are(greek: Path) -> None:
    task = Seq2seqTask(config("transformer", greek, batch_size=200))
    assert task.splits.train.num_pairs > 200
    assert task.batches.mean_batch_size == task.splits.train.num_pairs / 2
    task = Seq2seqTask(config("transformer", greek, batch_size=10_000))
    assert task.config.batch_size == task.splits.train.num_pairs
    assert task.batches.steps_per_epoch == 1


def test_a_file_that_changed_since_the_run_began_is_noticed(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "greek.tsv", made_up(GREEK, 300))
    begun = Seq2seqTask(config("transformer", path)).config
    write_tsv(path, made_up(GREEK, 301))
    with pytest.raises(FittingRoomError, match=r"greek\.tsv has changed since the run began: put it back"):
        _ = Seq2seqTask(begun).splits


def test_a_line_that_moves_from_one_file_to_the_next_is_noticed(tmp_path: Path) -> None:
    """Byte after byte the three files are what they were."""
    words = made_up(GREEK, 300)
    before = [write_tsv(tmp_path / name, words[place : place + 100]) for place, name in enumerate("abc")]
    digest = digest_of(*map(str, before))
    after = [
        write_tsv(tmp_path / "d", words[:99]), write_tsv(tmp_path / "e", [words[99], *words[1:101]]), before[2]
    ]  # fmt: skip
    assert b"".join(path.read_bytes() for path in before) == b"".join(path.read_bytes() for path in after)
    assert digest_of(*map(str, after)) != digest


@pytest.mark.parametrize("which", ["data", "dev", "test"])
def test_a_sequence_that_is_too_long_for_the_model_is_refused_before_anything_is_trained(
    which: str, tmp_path: Path
) -> None:
    words = made_up(GREEK, 300)
    parts = {"data": words[:200], "dev": words[200:250], "test": words[250:]}
    parts[which] = [*parts[which], ("α" * 20, "3B1")]
    files = {name: write_tsv(tmp_path / f"{name}.tsv", part) for name, part in parts.items()}
    short = {**TINY["transformer"], "max_len": 20}
    made = config("transformer", files["data"], dev=str(files["dev"]), test=str(files["test"]), model_config=short)
    with pytest.raises(FittingRoomError, match="max_len 20 is too small for these pairs: choose 21 or more"):
        fit(made, FitOptions(folder=tmp_path / "run", plan=FIXED))
    assert not (tmp_path / "run").exists()
    fits = Seq2seqTask(replace(made, model_config={**short, "max_len": 21})).config
    assert fits.model_config["max_len"] == 21


def test_a_run_whose_scoring_fails_has_its_weights(
    greek: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise FittingRoomError("the test part is gone")

    monkeypatch.setattr(Seq2seqTask, "evaluators", fails)
    with pytest.raises(FittingRoomError, match="is gone"):
        fit(config("transformer", greek, epochs=0.5), FitOptions(folder=tmp_path / "run", plan=FIXED))
    assert read_json(tmp_path / "run" / "state.json")["status"] == "failed"
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_checkpoints_without_a_state_are_not_gone_on_from(greek: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    for resume in (False, True):
        with pytest.raises(FittingRoomError, match=r"run has checkpoints but no state\.json: choose"):
            fit(config("transformer", greek), FitOptions(folder=tmp_path / "run", plan=FIXED, resume=resume))


def test_padding_counts_nothing_in_the_loss_and_smoothing_raises_it() -> None:
    logits, targets = torch.randn(2, 3, 7), torch.tensor([[4, 2, 0], [5, 6, 2]])
    alone = [symbol_loss(logits[:1, :2], targets[:1, :2]) * 2, symbol_loss(logits[1:], targets[1:]) * 3]
    assert symbol_loss(logits, targets).item() == pytest.approx(sum(alone).item() / 5)  # type: ignore[union-attr]
    sure = torch.nn.functional.one_hot(targets, 7).float() * 20
    assert symbol_loss(sure, targets) < 1e-6 < symbol_loss(sure, targets, smoothing=0.1)


@pytest.mark.thorough
@pytest.mark.parametrize("model", MODELS)
def test_a_trials_steps_are_the_trainers_bit_for_bit(
    model: str, greek: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Seq2seqTask(config(model, greek, ema_decay=0.9, clip_norm=0.1, schedule=ScheduleConfig(warmup_rate=0.5)))
    monkeypatch.setattr(speed_probe, "SCHEDULE_STEPS", 8)
    trial = speed_probe.new_trial(task, PLAN)
    for _ in range(8):
        trial.step()
    module = TrainingModule(task, PLAN, total_steps=8)
    train(module, folder=tmp_path)
    found, wanted = all_weights(trial.state), all_weights(module.state)
    assert any(name.startswith("average.") for name in wanted) and found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.thorough
@pytest.mark.parametrize("model", MODELS)
def test_a_run_learns_the_rule_and_its_folder_holds_what_was_written(model: str, greek: Path, tmp_path: Path) -> None:
    """Each letter has one symbol: what was never seen together can be written."""
    wide = {"embed_dim": 32, **({"hidden_dim": 32} if model == "recurrent" else {})}
    made = config(model, greek, epochs=15.0, model_config={**TINY[model], **wide, "drop_rate": 0.0})
    state = fit(made, FitOptions(folder=tmp_path / "run", plan=FIXED))
    test = state.evals["test"]
    assert test["phoneme_error_rate"] < 0.4, "a model that learnt nothing has over 0.8"
    assert test["phoneme_error_rate"] < test["word_error_rate"]
    assert state.items_per_second and state.num_macs and state.extras["decode_seconds"] > 0
    assert state.extras["num_unknown"] == 0
    assert read_state(tmp_path / "run") == state
    words = dict(made_up(GREEK, 300))
    with np.load(tmp_path / "run" / "predictions.npz") as found:
        for split in ("val", "test"):
            sources, predicted, references = (
                found[f"{split}_{name}"].tolist() for name in ("sources", "predicted", "references")
            )
            assert sorted(sources) == sorted(word for word in words if part_of(word) == split)
            assert references == [words[word] for word in sources]
            rates = error_rates([each.split() for each in predicted], [[each.split()] for each in references])
            assert rates.word_error_rate == state.evals[split]["word_error_rate"]
            assert rates.phoneme_error_rate == state.evals[split]["phoneme_error_rate"]
    vocabularies = read_json(tmp_path / "run" / "vocabularies.json")
    assert vocabularies["source"] == sorted(GREEK)
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    assert header.endswith("val_loss,val_word_error_rate,val_phoneme_error_rate")


def test_validation_on_the_way_is_that_of_all_words_together(greek: Path, tmp_path: Path) -> None:
    """Batches differ in size and length; their mean weighted by words, and by phonemes, is the whole's."""
    task = Seq2seqTask(config("recurrent", greek, epochs=1.0))
    module = TrainingModule(task, PLAN, total_steps=9)
    whole = task.val_batches(task.num_val)
    task.val_batches = lambda number: EvalPairLoader(whole.pairs, whole.places, batch_size=4)  # type: ignore[method-assign]
    metrics = train(module, folder=tmp_path)
    on_the_way = dict(metrics.rows[9])
    state = write_results(module, tmp_path, RunState(status="running"), metrics, open_test=False)
    final = metrics.rows[9]
    assert {name: final[f"val_{name}"] for name in state.evals["val"]} == state.evals["val"]
    for name in ("val_loss", "val_word_error_rate", "val_phoneme_error_rate"):
        assert on_the_way[name] == pytest.approx(final[name], rel=1e-5)


def test_the_test_part_stays_sealed_where_that_is_wanted(greek: Path, tmp_path: Path) -> None:
    state = fit(config("transformer", greek, epochs=0.2), FitOptions(folder=tmp_path / "run", open_test=False))
    assert list(state.evals) == ["val"] and state.status == "finished"
    assert read_json(tmp_path / "run" / "state.json")["test_reads"] == []
    with np.load(tmp_path / "run" / "predictions.npz") as found:
        assert all(name.startswith("val_") for name in found)


@pytest.mark.thorough
def test_symbols_and_lengths_that_training_lacks_are_no_crash(greek: Path, tmp_path: Path) -> None:
    dev = write_tsv(tmp_path / "dev.tsv", [("αβ", "3B1 3B2"), ("żółw", "17C F3"), ("α" * 256, " ".join(["3B1"] * 256))])
    test = write_tsv(tmp_path / "test.tsv", [("ab", "61 62"), ("ω" * 200, "3C9")])
    for model in MODELS:
        made = config(model, greek, dev=str(dev), test=str(test), epochs=0.2)
        state = fit(made, FitOptions(folder=tmp_path / model))
        assert state.evals["test"]["word_error_rate"] == 1.0
        assert state.extras["num_unknown"] == 4, "two letters and two symbols of ab"


class Interrupted:
    """Ctrl-C at a step."""

    def __call__(self, step: int, total: int, score: float | None) -> None:
        if step == 7:
            raise KeyboardInterrupt


@pytest.mark.thorough
@pytest.mark.parametrize("model", MODELS)
def test_a_run_that_is_interrupted_and_resumed_ends_with_the_very_same_weights(
    model: str, greek: Path, tmp_path: Path
) -> None:
    made = config(model, greek, model_config={**TINY[model], "drop_rate": 0.2}, ema_decay=0.5)
    fit(made, FitOptions(folder=tmp_path / "whole", plan=FIXED))
    options = FitOptions(folder=tmp_path / "parts", plan=FIXED, checkpoint_seconds=0.0, progress=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        fit(made, options)
    assert not (tmp_path / "parts" / "model.safetensors").exists()
    fit(made, replace(options, resume=True, progress=None))
    for name in ("model.safetensors", "predictions.npz"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_muon_moves_each_gate_and_keys_and_values_apart(cell: str) -> None:
    """An orthogonal update of a stack of matrices is not the stack of their orthogonal updates."""
    registry, gates = Seq2seqConfig.registry, {"gru": 3, "lstm": 4}[cell]
    for model, name, blocks in (
        (build_model("recurrent", {**TINY["recurrent"], "cell": cell}, registry), "decoder.weight_hh_l0", gates),
        (build_model("transformer", TINY["transformer"], registry), "decoder.0.cross_attn.kv.weight", 2),
    ):
        param = dict(model.named_parameters())[name]
        before = param.detach().clone()
        param.grad = torch.randn_like(param)
        made = Seq2seqConfig(model="recurrent", epochs=1.0).optim
        build_optimizer(model, replace(made, weight_decay=0.0)).step()
        for part in (param.detach() - before).chunk(blocks):
            values = torch.linalg.svdvals(part)
            assert values.max() / values.min() < 2.5, "all singular values are about the same"


def test_the_score_of_additive_attention_is_a_vector_and_no_matrix_of_muons() -> None:
    model = build_model("recurrent", TINY["recurrent"], Seq2seqConfig.registry)
    optimizer = build_optimizer(model, Seq2seqConfig(model="recurrent", epochs=1.0).optim)
    (group,) = [g for g in optimizer.param_groups if any(p is model.attention.score.weight for p in g["params"])]  # type: ignore[union-attr]
    assert group["method"] == "adamw"


def test_batches_keep_their_kind_when_placed(greek: Path) -> None:
    task, placed = Seq2seqTask(config("transformer", greek)), Placed(model=None)
    batch = task.batches.batch(0, 0)
    moved = placed.place(batch)
    assert isinstance(moved, PairBatch) and torch.equal(moved.tgt_out, batch.tgt_out)
    both = next(iter(task.val_batches(4)))
    moved = placed.place(both)
    assert isinstance(moved, ValidationBatch) and isinstance(moved.sources, SourceBatch)
    assert isinstance(moved.pairs, PairBatch) and torch.equal(moved.pairs.tgt_out, both.pairs.tgt_out)
    assert placed.place((torch.ones(1),)) == (torch.ones(1),)


def test_a_drawn_part_that_teaches_nothing_is_refused(greek: Path) -> None:
    with pytest.raises(
        FittingRoomError, match=r"greek.tsv, num_train 1: all training pairs have the target .*nothing to learn"
    ):
        _ = Seq2seqTask(config("recurrent", greek, num_train=1)).splits


@pytest.mark.parametrize("items", [5, None, b"ab", [b"ab"], [float("nan")]])
def test_what_is_no_word_is_refused(items: Any, greek: Path) -> None:
    task = Seq2seqTask(config("recurrent", greek))
    with pytest.raises(FittingRoomError, match="give words as text"):
        task.predict_new(Placed(model=None), items, 1)


def test_the_option_for_folds_is_named() -> None:
    with pytest.raises(FittingRoomError, match="--folds is for images, and recurrent reads other data: omit it"):
        apply_settings(config("recurrent", Path("pairs.tsv")), {"folds": "3"})


def test_whatever_a_run_may_train_on_is_read_and_written_whole() -> None:
    assert longest(torch.nn.Identity()) > MAX_SYMBOLS + 1  # pyright: ignore[reportArgumentType]
    assert most_symbols(group([("ab", ("A", "B") * (MAX_SYMBOLS // 2))]), {}) > MAX_SYMBOLS
