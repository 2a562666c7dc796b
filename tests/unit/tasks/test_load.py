"""Runs from their folders, and what is said of folders that are not right."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import write_json
from fittingroom.evaluation import shipped as package
from fittingroom.evaluation.shipped import find_run, shipped
from fittingroom.evaluation.weights import in_layout, save_weights
from fittingroom.models import build_model, resolve_config
from fittingroom.tasks.load import load_run
from fittingroom.tasks.seq2seq.training import read_vocabularies
from tests.image_fixture import write_image_run, write_npz
from tests.sequence_fixture import LETTERS, PHONEMES, TINY, write_sequence_run


@pytest.mark.parametrize("name", list(TINY))
def test_a_run_comes_back_in_fp32_and_evaluation_mode(tmp_path: Path, name: str) -> None:
    run = load_run(write_sequence_run(tmp_path / "run", name, half=True), "seq2seq")
    assert not run.model.training and {each.dtype for each in run.model.parameters()} == {torch.float32}
    source, target = read_vocabularies(run.folder)
    assert source.to_list() == LETTERS and target.to_list() == PHONEMES
    assert (run.config.model, run.config.data, run.task.name) == (name, "cmudict", "seq2seq")


def test_a_run_of_another_task_is_refused_by_name(tmp_path: Path) -> None:
    words = write_sequence_run(tmp_path / "mine")
    with pytest.raises(
        FittingRoomError,
        match=r"run mine is a run of seq2seq, not of classification: give .*cnn, hybrid, vit, vit_cls",
    ):
        load_run(words, "classification")
    with pytest.raises(
        FittingRoomError, match="run cnn is a run of classification, not of seq2seq: give the folder of another run"
    ):
        load_run("cnn", "seq2seq")


def test_names_are_listed_to_whoever_they_suit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "WEIGHTS", tmp_path)
    shutil.copytree(Path(package.__file__).parents[1] / "weights" / "cnn", tmp_path / "cnn")
    for name in ("transformer", "recurrent"):
        write_sequence_run(tmp_path / name, name, half=True)
    assert shipped("classification") == ["cnn"] and shipped("seq2seq") == ["recurrent", "transformer"]
    assert shipped() == ["cnn", "recurrent", "transformer"]
    assert find_run("transformer", "seq2seq") == tmp_path / "transformer"
    with pytest.raises(FittingRoomError, match=r"no run at 'x'.*included network: known: cnn$"):
        find_run("x", "classification")
    with pytest.raises(FittingRoomError, match=r"no run at 'recurent'.*did you mean 'recurrent'\?"):
        find_run("recurent", "seq2seq")
    with pytest.raises(FittingRoomError, match=r"of classification, not of seq2seq: .*\(recurrent, transformer\)"):
        load_run("cnn", "seq2seq")


def test_where_no_weights_suit_none_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "WEIGHTS", tmp_path)
    with pytest.raises(FittingRoomError, match=r"give the folder of a finished run$"):
        find_run("transformer", "seq2seq")


@pytest.mark.parametrize(
    ("file", "contents", "words"),
    [
        ("config.json", "[]", "holds no JSON object"),
        ("config.json", '{"model": "transformer"}', "lacks 'model_config'"),
        ("config.json", '{"model": "transformer", "model_config": {}}', "lacks 'seed'"),
        ("config.json", "{", "cannot be read"),
        ("vocabularies.json", None, "vocabularies.json is missing"),
        ("vocabularies.json", '{"source": ["a"]}', 'lacks "source" or "target"'),
        ("vocabularies.json", '{"source": ["a"], "target": [1]}', "target: expected a list of symbols"),
        ("vocabularies.json", '{"source": ["a"], "target": ["B"]}', "source holds 5 ids, but the model has 32"),
        ("model.safetensors", None, "the run is not finished"),
        ("model.safetensors", "no weights", "does not fit its config.json"),
    ],
)
def test_a_damaged_folder_is_named_with_its_file(tmp_path: Path, file: str, contents: str | None, words: str) -> None:
    folder = write_sequence_run(tmp_path / "run")
    (folder / file).unlink()
    if contents is not None:
        (folder / file).write_text(contents)
    with pytest.raises(FittingRoomError, match=words) as raised:
        _ = load_run(folder, "seq2seq").model
    assert str(folder) in str(raised.value) and "\n" not in str(raised.value)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    folder = write_sequence_run(tmp_path / "run")
    config = json.loads((folder / "config.json").read_text())
    config["model_config"]["embed_dim"] = 64
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(FittingRoomError, match=r"does not fit its config\.json"):
        _ = load_run(folder, "seq2seq").model


def test_a_run_older_than_a_choice_has_what_was_done_before_it(tmp_path: Path) -> None:
    """Before the CNN could pool, it took strides: the default of its class, not of the variant `cnn`."""
    config = {"downsample": "stride", "widths": (4, 8), "blocks": (0, 1)}
    strided, pooled = (
        in_layout(build_model("cnn", {**config, "downsample": how}).eval(), channels_last=True)
        for how in ("stride", "pool")
    )
    save_weights(strided, tmp_path)
    older = to_dict(resolve_config("cnn", config))
    del older["downsample"]
    write_json(tmp_path / "config.json", {"model": "cnn", "model_config": older, "seed": 0, "epochs": 1.0})
    images = torch.randn(2, 1, 28, 28)
    model = load_run(tmp_path, "classification").model
    assert torch.equal(model(images), strided(images))
    assert not torch.equal(model(images), pooled(images))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label_smoothing": -0.5}, "config.json: label_smoothing -0.5"),
        ({"optim": {"lr": -1.0}}, "config.json: lr -1.0 is out of range"),
        ({"model": "vit9"}, "config.json: unknown sequence model 'vit9'"),
        ({"model_config": {"depth ": 1}}, "config.json: sequence model transformer: unknown key 'depth '"),
    ],
)
def test_a_bad_value_is_said_with_its_file(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = write_sequence_run(tmp_path / "run") / "config.json"
    write_json(path, {**json.loads(path.read_text()), **changes})
    with pytest.raises(FittingRoomError) as caught:
        _ = load_run(path.parent).model
    assert f"{path.parent}/{said}" in str(caught.value)


@pytest.mark.parametrize("files", [None, 5, "fruit.npz", {"a": 1, "b": 2}, ["fruit.npz", "other.npz"], ["/dev/null"]])
def test_a_damaged_list_of_files_is_not_used(tmp_path: Path, files: Any) -> None:
    write_image_run(tmp_path / "run", write_npz(tmp_path))
    path = tmp_path / "run" / "data.json"
    write_json(path, {**json.loads(path.read_text()), "files": files})
    assert load_run(path.parent).task.located.data == str(tmp_path / "fruit.npz")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channels": 3, "mean": [0.5] * 3, "std": [0.2] * 3}, "the model has in_chans 1, the data 3"),
        ({"height": 9}, r"the model has img_size 8, the data \(9, 8\)"),
        ({"class_names": ["fig", "pear"]}, "the model has num_classes 3, the data 2"),
        ({"channels": 2}, "channels 2, .* describe no images"),
        ({"class_names": []}, "0 class names describe no images"),
        ({"mean": [0.5, 0.5]}, r"mean \(0\.5, 0\.5\) and std .*: write one number per channel"),
        ({"std": [0.0]}, "std above 0"),
    ],
)
def test_data_that_the_model_cannot_read_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    write_image_run(tmp_path / "run", write_npz(tmp_path))
    path = tmp_path / "run" / "data.json"
    values = json.loads(path.read_text())
    write_json(path, {**values, "spec": {**values["spec"], **changes}})
    with pytest.raises(FittingRoomError, match=rf"run/data\.json: .*{said}"):
        _ = load_run(path.parent).model


@pytest.mark.parametrize(("key", "value"), [("seed", 1), ("model", "cnn")])
def test_files_of_two_runs_are_not_taken_for_one(tmp_path: Path, key: str, value: Any) -> None:
    """With another seed, the validation images would be images that the network was trained on."""
    write_image_run(tmp_path / "run", write_npz(tmp_path))
    path = tmp_path / "run" / "config.json"
    values = json.loads(path.read_text())
    write_json(path, {**values, key: value, **({"model_config": {}} if key == "model" else {})})
    said = f"config.json has {key} {value}, and state.json {values[key]}: use the files of one run"
    with pytest.raises(FittingRoomError, match=said):
        load_run(tmp_path / "run")


def test_a_comparison_is_told_apart_from_a_run(tmp_path: Path) -> None:
    write_json(tmp_path / "comparison.json", {})
    with pytest.raises(FittingRoomError, match=r"is a comparison: give one of its runs$"):
        load_run(tmp_path)
