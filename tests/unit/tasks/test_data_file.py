"""data.json: what a run folder says about its data, so that the data set's code is needed for evaluation only."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fittingroom.core.config import config_hash, from_dict, to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import RunState, SplitRecord
from fittingroom.core.rundir import read_json
from fittingroom.core.upgrade import SCHEMA
from fittingroom.data.images import load as image_load
from fittingroom.data.spec import DataSpec
from fittingroom.evaluation.shipped import WEIGHTS, shipped
from fittingroom.evaluation.weights import save_weights
from fittingroom.tasks.base import TASKS, DataRequest, Task
from fittingroom.tasks.classification import training
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.load import load_run, open_task
from fittingroom.tasks.seq2seq.config import Seq2seqConfig
from fittingroom.tasks.seq2seq.training import Seq2seqSpec, Seq2seqTask
from fittingroom.training.folder import holds
from tests.image_fixture import CLASS_NAMES, image_arrays, write_image_run, write_npz
from tests.pairs_fixture import GREEK, TINY, made_up, write_tsv


def forbid_data(*args: Any, **options: Any) -> Any:
    raise AssertionError("the data set was opened")


def first_images(task: Task) -> torch.Tensor:
    """Of the first training batch."""
    return next(task.batches.from_step(0))[0]


@pytest.mark.parametrize("channels", [1, 3])
def test_the_description_of_images_comes_back_as_it_was(tmp_path: Path, channels: int) -> None:
    task = write_image_run(tmp_path / "run", write_npz(tmp_path, channels=channels), seed=3, num_train=30)
    saved = read_json(tmp_path / "run" / "data.json")
    assert saved["schema"] == SCHEMA and saved["task"] == "classification"
    assert from_dict(DataSpec, saved["spec"]) == task.spec == load_run(tmp_path / "run").task.spec
    split = from_dict(SplitRecord, saved["split"])
    assert split == task.split_record()
    assert (split.seed, split.num_train, split.num_test) == (3, 30, task.spec.num_test)


def test_the_description_of_pairs_comes_back_as_it_was(tmp_path: Path) -> None:
    files = [
        str(write_tsv(tmp_path / f"{part}.tsv", made_up(GREEK, 30, seed=place)))
        for place, part in enumerate(("train", "dev", "test"))
    ]
    config = Seq2seqConfig(
        model="recurrent", model_config=TINY["recurrent"], epochs=1, batch_size=8,
        data=files[0], dev=files[1], test=files[2],
    )  # fmt: skip
    task = open_task(config)
    task.write_data(tmp_path)
    saved = read_json(tmp_path / "data.json")
    assert saved["task"] == "seq2seq" and from_dict(Seq2seqSpec, saved["spec"]) == task.spec
    assert task.spec.dev == files[1] and task.spec.digest == task.config.digest != ""
    assert from_dict(SplitRecord, saved["split"]) == task.split_record()


def test_predicting_needs_no_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_npz(tmp_path)
    write_image_run(tmp_path / "run", path)
    path.unlink()
    monkeypatch.setattr(training, "open_images", forbid_data)
    run = load_run(tmp_path / "run")
    assert run.task.spec.class_names == CLASS_NAMES and run.task.title == "fruit"
    said = run.task.predict_new(run.placed, image_arrays(5)["images"], batch_size=2)
    assert said.probs.shape == (5, 3) and set(said.names) <= set(CLASS_NAMES)
    assert run.task.config == run.config  # resolved from data.json alone


def test_evaluating_without_the_file_or_with_another_one_is_refused(tmp_path: Path) -> None:
    path = write_npz(tmp_path)
    before = write_image_run(tmp_path / "run", path)
    assert first_images(load_run(tmp_path / "run").task).equal(first_images(before))
    arrays = image_arrays()
    arrays["images"][0, 0, 0, 0] ^= 1
    np.savez(path, **arrays)
    with pytest.raises(
        FittingRoomError, match=r"fruit\.npz has changed since .*run was trained: put the old data back"
    ):
        load_run(tmp_path / "run").task.evaluators()
    path.unlink()
    with pytest.raises(FittingRoomError, match=r"fruit\.npz, the data of .*run, is missing: put it back, or .* --data"):
        load_run(tmp_path / "run").task.evaluators()


def write_pair_run(folder: Path, path: Path, dev: str | None = None, test: str | None = None) -> Seq2seqTask:
    """A finished run on the pairs in that file, or in three, with untrained weights; its task as it was in training."""
    config = Seq2seqConfig(
        model="recurrent", model_config=TINY["recurrent"], epochs=1, batch_size=8, data=str(path), dev=dev, test=test
    )  # fmt: skip
    task = Seq2seqTask(config)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(to_dict(task.config)))
    task.write_data(folder)
    task.write_extra_files(folder)
    save_weights(task.new_model(), folder)
    return task


def test_pairs_that_have_changed_are_refused_at_evaluation(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "pairs.tsv", made_up(GREEK, 300))
    task = write_pair_run(tmp_path / "run", path)
    assert load_run(tmp_path / "run").task.evaluators()[0].predictions(lambda encoded: [], lambda why: None)
    write_tsv(path, made_up(GREEK, 301))
    run = load_run(tmp_path / "run")
    assert run.task.spec == task.spec  # what the folder says is enough
    assert run.task.predict_new(run.placed, ["αβ"], 1)
    with pytest.raises(FittingRoomError, match="changed"):
        run.task.evaluators()[0].predictions(lambda encoded: [], lambda why: None)


def opens_val(task: Any) -> bool:
    """Whether the task finds its data, and the data is what it was trained on."""
    return len(task.splits.val) > 0


@pytest.mark.parametrize(
    "how", ["where it was", "run moved away", "relative", "moved together", "copied beside", "--data"]
)
def test_a_run_finds_its_pairs_again(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, away = tmp_path / "old", tmp_path / "new", tmp_path / "away"
    old.mkdir()
    away.mkdir()
    write_tsv(old / "pairs.tsv", made_up(GREEK, 300))
    monkeypatch.chdir(old)
    write_pair_run(old / "run", Path("pairs.tsv"))
    assert read_json(old / "run" / "data.json")["files"] == [str(old / "pairs.tsv")]
    run, data = old / "run", None
    write_tsv(away / "pairs.tsv", made_up(GREEK, 299))  # another file of that name, where the command starts
    monkeypatch.chdir(away)
    if how == "relative":
        run = Path("../old/run")
    elif how == "run moved away":
        run = run.rename(away / "run")
    elif how == "moved together":
        run = old.rename(new) / "run"
    elif how == "copied beside":
        (new / "data").mkdir(parents=True)
        run = (old / "run").rename(new / "data" / "run")
        (old / "pairs.tsv").rename(new / "pairs.tsv")
    elif how == "--data":
        data = DataRequest(data=str((old / "pairs.tsv").rename(away / "renamed.tsv")))
    task: Any = load_run(run, data=data).task
    assert opens_val(task)
    assert task.evaluators()[1].predictions(lambda encoded: [], [].append).sources


def test_other_data_at_evaluation_is_refused(tmp_path: Path) -> None:
    write_pair_run(tmp_path / "run", write_tsv(tmp_path / "pairs.tsv", made_up(GREEK, 300)))
    other = str(write_tsv(tmp_path / "other.tsv", made_up(GREEK, 299)))
    for request in (
        DataRequest(data=other),
        DataRequest(data="cmudict"),
        DataRequest(train=other, dev=other, test=other),
    ):
        with pytest.raises(FittingRoomError, match=r"is not the data of .*run: give .*pairs.tsv, from any folder"):
            load_run(tmp_path / "run", data=request)
    with pytest.raises(FittingRoomError, match=r"gone.tsv cannot be read"):
        load_run(tmp_path / "run", data=DataRequest(data=str(tmp_path / "gone.tsv")))


def test_each_of_three_files_is_asked_for_with_its_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = made_up(GREEK, 60)
    for name, part in (("a.tsv", words[:40]), ("b.tsv", words[40:50]), ("c.tsv", words[50:])):
        write_tsv(Path(name), part)
    write_pair_run(Path("run"), Path("a.tsv"), dev="b.tsv", test="c.tsv")
    with pytest.raises(
        FittingRoomError, match=r"a.tsv is not the data of run: give --train a.tsv --dev b.tsv --test c.tsv,"
    ):
        load_run("run", data=DataRequest(data="a.tsv"))


def test_a_run_finds_its_images_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_npz(tmp_path)
    before = write_image_run(tmp_path / "run", path)
    moved = path.rename(tmp_path / "renamed.npz")
    found = load_run(tmp_path / "run", data=DataRequest(data=str(moved))).task
    assert first_images(found).equal(first_images(before))
    (tmp_path / "project").mkdir()
    (tmp_path / "run").rename(tmp_path / "project" / "run")
    moved.rename(tmp_path / "project" / path.name)
    monkeypatch.chdir(tmp_path / "project")
    assert first_images(load_run("run").task).equal(first_images(before))
    with pytest.raises(FittingRoomError, match="fashion-mnist is not the data of"):
        load_run("run", data=DataRequest(data="fashion-mnist"))


@pytest.mark.parametrize("kind", ["pairs", "images"])
def test_the_path_does_not_identify_a_run_but_the_content_does(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if kind == "pairs":
        path = write_tsv(tmp_path / "pairs.tsv", made_up(GREEK, 300)).name
        base: Any = Seq2seqConfig(model="recurrent", model_config=TINY["recurrent"], epochs=1, batch_size=8, data=path)
        changed = str(write_tsv(tmp_path / "other.tsv", made_up(GREEK, 301)))
    else:
        path = write_npz(tmp_path).name
        base = ClassificationConfig(model="cnn", epochs=1, data=path)
        arrays = image_arrays()
        arrays["images"][0, 0, 0, 0] ^= 1
        np.savez(tmp_path / "other.npz", **arrays)
        changed = str(tmp_path / "other.npz")
    config = open_task(base).config
    for name in (f"./{path}", str(tmp_path / path)):
        again = open_task(replace(base, data=name)).config
        assert config_hash(again) == config_hash(config) and again.data == name
    assert config_hash(open_task(replace(base, data=changed)).config) != config_hash(config)
    # A run that an older version wrote has a digest of images in data.json only.
    folder = tmp_path / "run"
    folder.mkdir()
    open_task(base).write_data(folder)
    older = {key: value for key, value in to_dict(config).items() if kind == "pairs" or key != "digest"}
    (folder / "config.json").write_text(json.dumps(older))
    state = RunState(run="x", task=config.task, model=config.model, seed=0, config_hash="of an older version")
    assert holds(folder, state, open_task(replace(base, data=f"./{path}")).config)
    assert not holds(folder, state, open_task(replace(base, data=changed)).config)


def test_a_run_older_than_data_json_loads_with_the_data_set_as_it_is(tmp_path: Path) -> None:
    task = write_image_run(tmp_path / "run", write_npz(tmp_path))
    (tmp_path / "run" / "data.json").unlink()
    run = load_run(tmp_path / "run")
    assert run.task.saved_data() is None and run.task.spec == task.spec
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(run.model(images), load_run(tmp_path / "run").model(images))
    pairs = write_pair_run(tmp_path / "pairs", write_tsv(tmp_path / "pairs.tsv", made_up(GREEK, 300)))
    (tmp_path / "pairs" / "data.json").unlink()
    words = load_run(tmp_path / "pairs")
    assert words.task.spec == pairs.spec and words.task.predict_new(words.placed, ["αβ"], 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spec": None}, r"data\.json lacks 'spec': use the file of a finished run"),
        ({"spec": {"name": "x"}}, r"data\.json: key 'title' is missing"),
        ({}, r"data\.json lacks 'spec'"),
        (
            {"spec": {}, "schema": SCHEMA + 1},
            r"data\.json was written by a newer version of fittingroom: update fittingroom",
        ),
    ],
)
def test_a_damaged_data_json_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    write_image_run(tmp_path / "run", write_npz(tmp_path))
    (tmp_path / "run" / "data.json").write_text(json.dumps({"schema": SCHEMA, "task": "classification", **change}))
    with pytest.raises(FittingRoomError, match=said) as caught:
        _ = load_run(tmp_path / "run").task.spec
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", shipped())
def test_weights_that_come_with_the_package_say_all_about_their_data(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_load, "_open", forbid_data)
    task = load_run(name).task
    saved = read_json(WEIGHTS / name / "data.json")
    assert saved["schema"] == SCHEMA and TASKS.get(saved["task"]) is type(task)
    found, known = to_dict(task.spec), saved["spec"]
    known = {
        **known,
        **({"preprocessing": found["preprocessing"] | known["preprocessing"]} if "preprocessing" in known else {}),
    }
    assert known.items() <= found.items(), "keys that are newer have their defaults"
    from_dict(SplitRecord, saved["split"])


@pytest.mark.parametrize("key", ["num_val", "num_test"])
def test_other_parts_than_those_of_the_run_are_refused(tmp_path: Path, key: str) -> None:
    """An edited setting, such as the folds, would score images that the network was trained on."""
    write_image_run(tmp_path / "run", write_npz(tmp_path))
    path = tmp_path / "run" / "data.json"
    values = read_json(path)
    load_run(tmp_path / "run").task.evaluators()
    values["split"][key] += 5
    path.write_text(json.dumps(values))
    number = values["split"][key]
    with pytest.raises(
        FittingRoomError, match=rf"data\.json has {key} {number}, and with config\.json it is {number - 5}"
    ):
        load_run(tmp_path / "run").task.evaluators()
