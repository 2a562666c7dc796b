"""All predict functions are scored in the same way, and a sealed part opens only after its reason is logged."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import RunState, read_state, write_state
from fittingroom.data.images.batches import normalise
from fittingroom.evaluation.evaluators import Evaluated, Evaluator, evaluate
from fittingroom.evaluation.read_log import log_test_read
from fittingroom.evaluation.shipped import WEIGHTS
from fittingroom.evaluation.weights import in_layout, load_weights, save_weights, suits_channels_last
from fittingroom.tasks.base import Placed, Task
from fittingroom.tasks.classification.training import ClassificationTask
from fittingroom.tasks.load import load_run, open_task
from tests.image_fixture import tiny_image_config, write_image_run, write_npz


def task_of(folder: Path, **changes: Any) -> ClassificationTask:
    task = open_task(tiny_image_config(write_npz(folder, number=90), **changes))
    assert isinstance(task, ClassificationTask)
    return task


def refuse(why: str) -> None:
    raise PermissionError(why)


def run(predict: Any, task: Task, log: Any = lambda why: None, **options: Any) -> list[Evaluated]:
    return evaluate(predict, task.evaluators(), task.scoring.scores, log=log, **options)


# Any callable


def bright_rows(images: Tensor) -> Tensor:
    """Logits without a network: the brightness of the rows in which each class has its object."""
    return torch.stack([images[:, 0, 2 * place : 2 * place + 3].mean(dim=(1, 2)) for place in range(3)], dim=1) * 9


class Rows(nn.Module):
    """`bright_rows` as a network."""

    def forward(self, images: Tensor) -> Tensor:
        return bright_rows(images)


def rows_in_numpy(images: Tensor) -> np.ndarray:
    """`bright_rows` in numpy, like the output of an ONNX session."""
    array = images.numpy()
    return np.stack([array[:, 0, 2 * place : 2 * place + 3].mean(axis=(1, 2)) for place in range(3)], axis=1) * 9


@pytest.mark.parametrize(
    "predict",
    [
        bright_rows,
        Rows(),
        rows_in_numpy,
        lambda images: torch.from_numpy(rows_in_numpy(images)),
        lambda images: bright_rows(images).double(),
    ],
    ids=["a function", "a network", "numpy", "numpy as a tensor", "in fp64"],
)
def test_whatever_maps_images_to_logits_is_scored_like_a_model_of_ours(tmp_path: Path, predict: Any) -> None:
    task = task_of(tmp_path)
    ours = run(task.predictor(Placed(model=Rows())), task)
    theirs = run(predict, task)
    assert [each.name for each in theirs] == ["val", "test"]
    for one, other in zip(ours, theirs, strict=True):
        assert other.scores == one.scores and other.scores["accuracy"] > 0.9
        np.testing.assert_allclose(other.predictions.probs, one.predictions.probs, atol=1e-6)
        assert other.predictions.probs.dtype == np.float32
        np.testing.assert_allclose(other.predictions.probs.sum(axis=1), 1, atol=1e-5)
        assert np.array_equal(other.predictions.index, one.predictions.index) and other.seconds > 0


def test_scores_are_those_of_the_images_of_the_split(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    parts = {"val": task.splits.val, "test": task.data.load_test()}
    for found in run(bright_rows, task):
        part = parts[found.name]
        said = bright_rows(normalise(part.read(torch.arange(len(part))), task.spec)).argmax(dim=1)
        assert found.scores == {"accuracy": pytest.approx(float((said == part.labels).float().mean()))}
        assert found.predictions.labels.tolist() == part.labels.tolist()
        assert found.predictions.index.tolist() == part.index.tolist()


def test_a_model_answers_without_dropout_and_without_gradients(tmp_path: Path) -> None:
    write_image_run(tmp_path / "run", write_npz(tmp_path), model_config={"drop_rate": 0.5, "embed_dim": 16, "depth": 1})
    saved = load_run(tmp_path / "run")
    first, second = (run(saved.task.predictor(saved.placed), saved.task, open_sealed=False) for _ in range(2))
    assert np.array_equal(first[0].predictions.probs, second[0].predictions.probs)
    assert all(param.grad is None for param in saved.model.parameters())


# The seal


def test_a_sealed_entry_is_left_out_unless_it_is_to_be_opened(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    _ = task.splits.train  # The search for copies of test images is not a read: it uses no label and no score.
    found = run(bright_rows, task, log=refuse, open_sealed=False)
    assert [each.name for each in found] == ["val"]


def test_the_reason_is_written_down_before_the_part_is_opened(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    with pytest.raises(PermissionError):
        run(bright_rows, task, log=refuse)
    seen: list[str] = []

    def predict(images: Tensor) -> Tensor:
        seen.append("predict")
        return bright_rows(images)

    run(predict, task, log=lambda why: seen.append(f"log {why}"))
    assert seen == ["predict", "log evaluation", "predict"]


def test_a_data_set_stays_shut_where_the_log_refuses(tmp_path: Path) -> None:
    opened: list[str] = []

    def load_test() -> Any:
        opened.append("test")
        return found.load_test()

    found = task_of(tmp_path).data
    data = replace(found, load_test=load_test)
    with pytest.raises(PermissionError):
        data.open_test(refuse, "evaluation")
    assert opened == []
    data.open_test(lambda why: opened.append(why), "evaluation")
    assert opened == ["evaluation", "test"]


def test_entries_run_in_order_and_only_the_chosen_ones() -> None:
    seen: list[str] = []

    def entry(name: str, sealed: bool = False) -> Evaluator:
        def predictions(predict: Any, log: Any) -> str:
            if sealed:
                log(name)
            seen.append(name)
            return predict(name)

        return Evaluator(name=name, predictions=predictions, sealed=sealed)

    entries = [entry("b"), entry("hidden", sealed=True), entry("a")]
    found = evaluate(str.upper, entries, lambda said: {"length": float(len(said))}, log=seen.append, open_sealed=False)
    assert seen == ["b", "a"] and [(each.name, each.predictions) for each in found] == [("b", "B"), ("a", "A")]
    assert found[0].scores == {"length": 1.0}
    evaluate(str.upper, entries, lambda said: {}, log=seen.append)
    assert seen[2:] == ["b", "hidden", "hidden", "a"]
    assert evaluate(str.upper, [], lambda said: {}, log=refuse) == []


def test_every_task_seals_its_test_part_and_nothing_else(tmp_path: Path) -> None:
    assert [(each.name, each.sealed) for each in task_of(tmp_path).evaluators()] == [("val", False), ("test", True)]


def test_reads_are_added_to_the_state_and_change_nothing_else(run_folder: Path) -> None:
    before = RunState(run="mine", status="running", step=3)
    write_state(run_folder, before)
    for why in ("final epoch", "evaluate"):
        log_test_read(run_folder, why)
    state = read_state(run_folder)
    assert [read.why for read in state.test_reads] == ["final epoch", "evaluate"]
    assert all(read.when.endswith("+00:00") for read in state.test_reads)
    assert RunState(**{**vars(state), "test_reads": ()}) == before
    assert sorted(path.name for path in run_folder.iterdir()) == ["state.json"]


def test_reads_at_the_same_time_are_all_written_down(run_folder: Path) -> None:
    write_state(run_folder, RunState(status="finished"))
    code = (
        "import sys; from pathlib import Path; from fittingroom.evaluation.read_log import log_test_read\n"
        "for number in range(8): log_test_read(Path(sys.argv[1]), f'{sys.argv[2]} {number}')"
    )
    several = [subprocess.Popen([sys.executable, "-c", code, str(run_folder), name]) for name in "ab"]
    assert [each.wait(timeout=100) for each in several] == [0, 0]
    found = [read.why for read in read_state(run_folder).test_reads]
    assert sorted(found) == sorted(f"{name} {number}" for name in "ab" for number in range(8))


def test_reads_with_shipped_weights_are_written_to_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = (WEIGHTS / "vit" / "state.json").read_bytes()
    log_test_read(WEIGHTS / "vit", "evaluate")
    log_test_read(WEIGHTS / "vit", "again")
    assert (WEIGHTS / "vit" / "state.json").read_bytes() == before
    state = read_state(tmp_path / "fittingroom" / "test-reads" / "vit")
    assert [read.why for read in state.test_reads] == ["evaluate", "again"]


# Weights


@pytest.mark.parametrize("model", ["vit", "cnn", "hybrid"])
def test_weights_come_back_bit_for_bit_in_any_layout(tmp_path: Path, model: str) -> None:
    task = task_of(tmp_path, model=model)
    one, other = task.new_model(), open_task(tiny_image_config(task.config.data, model, seed=9)).new_model()
    save_weights(in_layout(one, channels_last=True), tmp_path)
    load_weights(other, tmp_path)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
    assert suits_channels_last(one) is (model != "vit")


def test_weights_that_are_missing_damaged_or_of_another_model_are_named(tmp_path: Path) -> None:
    model = task_of(tmp_path).new_model()
    with pytest.raises(FittingRoomError, match=r"model\.safetensors is missing: the run is not finished"):
        load_weights(model, tmp_path)
    save_weights(task_of(tmp_path, model="cnn").new_model(), tmp_path)
    with pytest.raises(FittingRoomError, match=r"model\.safetensors does not fit its config\.json") as caught:
        load_weights(model, tmp_path)
    assert "\n" not in str(caught.value)
    save_weights(model, tmp_path)
    content = (tmp_path / "model.safetensors").read_bytes()
    for damaged in (b"", b"x", content[: len(content) // 2], content[:4], b"\xff" * 64):
        (tmp_path / "model.safetensors").write_bytes(damaged)
        with pytest.raises(FittingRoomError, match=r"model\.safetensors does not fit its config\.json"):
            load_weights(model, tmp_path)
