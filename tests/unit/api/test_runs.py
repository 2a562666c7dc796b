"""`train`, `load_run` and what a `Run` answers, on a data set of a few fruits."""

import builtins
import json
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from matplotlib.figure import Figure
from PIL import Image

import fittingroom as fr
from fittingroom.api.runs import Metrics
from fittingroom.api.settings import apply_settings, seconds_of, several
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import read_state
from fittingroom.recipes import recipe
from tests.image_fixture import CLASS_NAMES, TINY_MODELS, image_arrays, write_image_run, write_npz

TINY = {**TINY_MODELS["vit"], "batch_size": 12}
FIXED = {"device": "cpu", "precision": "fp32", "attention": "explicit", "num_threads": "1", "channels_last": "false"}


def refused(call: Any, *args: Any, **options: Any) -> str:
    """The one line with which the call is refused."""
    with pytest.raises(FittingRoomError) as caught:
        call(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def run(place: Path, torch_as_before: None) -> fr.Run:
    """A run of three epochs, trained once."""
    return fr.train(
        "vit", write_npz(place, number=90), epochs=3, settings=TINY, plan=FIXED, folder=place / "mine", progress=False
    )  # fmt: skip


# Training


def test_a_run_is_trained_and_evaluated(run: fr.Run, place: Path) -> None:
    assert run.state.status == "finished" and run.config.epochs == 3
    assert run.name == "mine" and run.folder == place / "mine"
    assert set(run.scores) == {"val", "test"} and 0 <= run.scores["test"]["accuracy"] <= 1
    assert [read.why for read in run.state.test_reads] == ["final epoch"]
    assert run.spec.class_names == CLASS_NAMES and not run.model.training


def test_the_same_call_returns_the_finished_run(run: fr.Run, place: Path) -> None:
    before = (run.folder / "state.json").stat().st_mtime_ns
    data = fr.load_data(place / "fruit.npz")
    again = fr.train("vit", data, epochs=3, plan=FIXED, folder=str(place / "mine"), progress=False, **TINY)
    assert again.config == run.config and again.state == run.state
    assert (run.folder / "state.json").stat().st_mtime_ns == before


def test_without_a_folder_a_run_is_filed_under_its_length_seed_and_id(
    run: fr.Run, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"vit-3-epochs-seed0-{run.state.config_hash[:6]}"
    shutil.copytree(run.folder, tmp_path / "runs" / name)
    again = fr.train("vit", place / "fruit.npz", epochs=3, settings=TINY, plan=FIXED, progress=False)
    assert again.name == name and again.state == run.state


@pytest.mark.usefixtures("torch_as_before")
def test_a_sealed_run_leaves_the_test_part_alone(place: Path, tmp_path: Path) -> None:
    sealed = fr.train(
        "vit", str(place / "fruit.npz"), epochs=1, settings=TINY, plan=FIXED, folder=tmp_path / "sealed", sealed=True,
        progress=False,
    )  # fmt: skip
    assert set(sealed.scores) == {"val"} and sealed.state.test_reads == ()
    with np.load(tmp_path / "sealed" / "predictions.npz") as archive:
        assert not [name for name in archive.files if name.startswith("test")]


@pytest.mark.parametrize(
    ("args", "options", "said"),
    [
        (("vot", "NPZ"), {}, "unknown model 'vot': did you mean 'vit'?"),
        ((["vit"], "NPZ"), {}, "model ['vit']: give its name, such as 'vit'"),
        (("vit", "missing.npz"), {"epochs": 1}, "missing.npz cannot be read"),
        (("vit", 3), {"epochs": 1}, "arrays without labels"),
        (("transformer", "NPZ"), {"epochs": 1}, "holds images, and transformer reads pairs of sequences"),
        (("vit", "NPZ"), {"epochs": 0}, "--epochs 0 is not a length"),
        (("vit", "NPZ"), {"epochs": float("nan")}, "--epochs nan is not a length"),
        (("vit", "NPZ"), {"epochs": "3"}, "epochs '3' is not a length"),
        (("vit", "NPZ"), {"epochs": True}, "epochs True is not a length"),
        (("vit", "NPZ"), {"epochs": 1, "budget": "1m"}, "epochs and budget both set the length"),
        (("vit", "NPZ"), {"budget": "soon"}, "--budget 'soon' is not a time: write 90s, 10m or 1.5h"),
        (("vit", "NPZ"), {"epochs": 1, "seed": -1}, "seed -1 is negative"),
        (("vit", "NPZ"), {"epochs": 1, "seed": 1.5}, "seed 1.5: give a whole number"),
        (("vit", "NPZ"), {"epochs": 1, "recipe": "vit_6"}, "unknown recipe 'vit_6': did you mean 'vit_5'?"),
        (("vit", "NPZ"), {"epochs": 1, "recipe": "cnn_5"}, "recipe 'cnn_5' is not for vit models"),
        (("vit", "NPZ"), {"epochs": 1, "dept": 3}, "unknown key 'dept' for vit: did you mean 'depth'?"),
        (("vit", "NPZ"), {"epochs": 1, "settings": [1]}, "settings [1]: give a dictionary of names and values"),
        (("vit", "NPZ"), {"epochs": 1, "settings": {1: 2}}, "settings {1: 2}: give a dictionary of names and values"),
        (("vit", "NPZ"), {"epochs": 1, "callbacks": "early"}, "callback 'early': give Lightning callbacks"),
        (
            ("vit", "NPZ"),
            {"epochs": 1, "callbacks": [Callback]},
            "give Lightning callbacks, such as LearningRateMonitor()",
        ),
        (("vit", "NPZ"), {"epochs": 1, "loggers": "wand"}, "unknown logger 'wand': did you mean 'wandb'?"),
        (("vit", "NPZ"), {"epochs": 1, "plan": 3}, "plan 3: give a dictionary of names and values"),
        (("vit", "NPZ"), {"epochs": 1, "patch_size": 5}, "patch_size 5 does not divide img_size 8"),
        (("vit",), {"epochs": 1, "num_train": 100, "batch_size": 1000}, "batch_size 1000 does not suit"),
        (
            ("vit", "NPZ"),
            {"epochs": 1, "batch_size": 12, "num_train": 10**6},
            "num_train 1000000 is more than there are",
        ),
        (("vit", "NPZ"), {"epochs": 1, "plan": {"device": "x"}}, "'x' is not one of cpu, cuda, mps"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_a_folder_is_made(
    place: Path, tmp_path: Path, args: Any, options: Any, said: str
) -> None:
    path = str(write_npz(place, "refused"))
    found = refused(fr.train, *(path if each == "NPZ" else each for each in args), folder=tmp_path / "run", **options)
    assert said in found
    assert not (tmp_path / "run" / "state.json").exists() and not (tmp_path / "run" / "config.json").exists()


def test_one_logger_or_callback_alone_is_a_list_of_one() -> None:
    callback = Callback()
    assert several(callback) == several([callback]) == several(each for each in [callback]) == (callback,)
    assert several("wandb") == ("wandb",) and several(()) == ()


@pytest.mark.parametrize(
    ("budget", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), (" 2 M ", 120), ("45", 45), (3, 3), (0.5, 0.5)]
)
def test_times_are_seconds(budget: Any, seconds: float) -> None:
    assert seconds_of(budget) == seconds and seconds_of(None) is None


@pytest.mark.parametrize("budget", ["", "0", "0s", "-3", "1d", "ten", "1h30m", "1e3", "nan", 0, -1, True])
def test_what_is_no_time_is_refused(budget: Any) -> None:
    assert "is not a time" in refused(seconds_of, budget)


def test_a_budget_without_an_end_is_refused() -> None:
    assert "--budget inf is too long: give at most" in refused(seconds_of, float("inf"))


def test_settings_go_to_recipe_and_model_by_name() -> None:
    changed = apply_settings(
        recipe("vit"),
        {"depth": 2, "optim.lr": "0.5", "num_train": np.int64(7), "optim.betas": (0.5, 0.6), "early_stopping": None},
    )
    assert changed.model_config["depth"] == 2 and changed.optim.lr == 0.5 and changed.num_train == 7
    assert changed.optim.betas == (0.5, 0.6) and changed.early_stopping is None
    assert apply_settings(recipe("vit"), {"train_images": 7}).num_train == 7
    assert apply_settings(recipe("cnn"), {"widths": np.array([4, 8, 16])}).model_config["widths"] == [4, 8, 16]
    said = "--set train_images is the earlier name of num_train, which is given too: give one of them"
    assert said in refused(apply_settings, recipe("vit"), {"train_images": 7, "num_train": 8})


# A run that is there


def test_a_run_is_found_by_its_folder_and_by_the_name_of_shipped_weights(run: fr.Run, place: Path) -> None:
    again = fr.load_run(str(run.folder))
    assert again.config == run.config and again.scores == run.scores
    assert fr.load_run("vit").config.model == "vit" and fr.load_run("vit").scores["test"]["accuracy"] > 0.9
    assert "load_run does not accept type Run" in refused(fr.load_run, run)
    assert "no run at 'nope': give the folder of a finished run, or the name of" in refused(fr.load_run, "nope")
    assert "config.json is missing" in refused(fr.load_run, place)


def test_it_says_its_scores(run: fr.Run) -> None:
    val, test = (100 * run.scores[split]["accuracy"] for split in ("val", "test"))
    words = f"val accuracy {val:.2f} %, test accuracy {test:.2f} %"
    assert repr(run) == f"Run({run.name!r}: {words})"
    assert run._repr_html_() == f"<b>{run.name}</b>: {words}<br><code>{run.folder}</code>"


def test_a_copy_of_the_scores_is_given(run: fr.Run) -> None:
    run.scores["val"]["accuracy"] = -1
    assert run.scores["val"]["accuracy"] >= 0


def test_evil_names_are_escaped(tmp_path: Path) -> None:
    write_image_run(tmp_path / "<img src=x>", write_npz(tmp_path))
    html = fr.load_run(tmp_path / "<img src=x>")._repr_html_()
    assert "<img" not in html and "&lt;img src=x&gt;" in html


@pytest.mark.parametrize("split", ["val", "test"])
def test_evaluating_again_gives_the_scores_of_the_end_and_logs_the_test(
    place: Path, run: fr.Run, tmp_path: Path, split: str
) -> None:
    shutil.copytree(run.folder, tmp_path / "copy")
    copy = fr.load_run(tmp_path / "copy")
    found = copy.evaluate(split)
    assert found["accuracy"] == pytest.approx(run.scores[split]["accuracy"]) and {"nll", "ece"} <= set(found)
    reads = [read.why for read in read_state(tmp_path / "copy").test_reads]
    assert reads == ["final epoch", "evaluate"] if split == "test" else reads == ["final epoch"]


def test_unknown_parts_are_named(run: fr.Run) -> None:
    assert refused(run.evaluate, "train") == "unknown split 'train': choose val or test"


# Predictions


def test_predictions_of_any_kind_of_images_are_the_same(run: fr.Run, tmp_path: Path) -> None:
    images = image_arrays(5)["images"]
    expected = run.predict(images)
    assert expected.probs.shape == (5, 3) and len(expected) == 5
    np.testing.assert_allclose(expected.probs.sum(axis=1), 1, atol=1e-5)
    assert expected.names == [CLASS_NAMES[label] for label in expected.labels]
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{number}.png")
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for same in (
        images[..., 0], images.transpose(0, 3, 1, 2), torch.tensor(images), images / 255, list(images),
        torch.tensor(images / 255, dtype=torch.float32), [str(path) for path in paths], paths,
        [Image.open(path) for path in paths],
    ):  # fmt: skip
        np.testing.assert_allclose(run.predict(same).probs, expected.probs, atol=1e-5)
    for size in (1, 2, 100, cast(int, np.int64(3))):
        np.testing.assert_allclose(run.predict(images, batch_size=size).probs, expected.probs, atol=1e-5)
    one = run.predict(images[3])
    np.testing.assert_allclose(one.probs, expected.probs[3:4], atol=1e-5)
    assert repr(one) == f"ImagePredictions({one.names[0]} {one.probs.max():.0%})"
    assert repr(run.predict(image_arrays(6)["images"])).endswith(", ...)")


@pytest.mark.parametrize(
    ("images", "options", "said"),
    [
        ([], {}, "images have shape (0,): this run reads (N, 8, 8)"),
        (None, {}, "images have shape (): this run reads (N, 8, 8)"),
        (np.zeros((0, 8, 8), np.uint8), {}, "images have shape (0, 8, 8)"),
        (np.zeros((2, 9, 8), np.uint8), {}, "images have shape (2, 9, 8)"),
        (torch.rand(2, 3, 8, 8), {}, "images have shape (2, 3, 8, 8)"),
        (np.zeros((2, 8, 8), int), {}, "images hold int64 values"),
        (np.full((2, 8, 8), np.nan), {}, "images hold float64 values"),
        (np.full((2, 8, 8), 255.0), {}, "images hold float64 values"),
        ([np.zeros((8, 8)), np.zeros((7, 8))], {}, "images differ in size"),
        ("nope.png", {}, "nope.png does not exist"),
        (["a", 3], {}, "images have shape (2,)"),
        (np.zeros((2, 8, 8), np.uint8), {"batch_size": 0}, "batch_size 0 is too small: choose 1 or more"),
        (np.zeros((2, 8, 8), np.uint8), {"batch_size": 2.5}, "batch_size 2.5: give a whole number"),
    ],
)
def test_images_that_do_not_fit_are_named(run: fr.Run, images: Any, options: Any, said: str) -> None:
    assert said in refused(run.predict, images, **options)


# Curves


def test_the_curves_are_columns_with_none_where_nothing_was_measured(run: fr.Run) -> None:
    metrics = run.metrics
    assert {"step", "epoch", "seconds", "lr", "train_loss", "val_loss", "val_accuracy"} <= set(metrics)
    assert len({len(column) for column in metrics.values()}) == 1
    assert metrics["step"][-1] == run.state.steps and metrics["val_accuracy"][-1] == pytest.approx(
        run.scores["val"]["accuracy"], abs=1e-5
    )
    assert None in metrics["val_loss"]
    assert repr(metrics) == f"Metrics({', '.join(metrics)}: {len(metrics['step'])} rows)"
    assert isinstance(run.plot(), Figure)


def test_a_table_for_pandas_has_nan_where_nothing_was_measured() -> None:
    frame = Metrics({"step": [1.0, 2.0], "val_loss": [None, 0.5]}).to_pandas()
    assert list(frame.columns) == ["step", "val_loss"] and frame["val_loss"].isna().tolist() == [True, False]
    assert frame["val_loss"].dtype == np.float64 and len(Metrics({}).to_pandas()) == 0


def test_without_pandas_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name == "pandas":
            raise ModuleNotFoundError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    assert refused(Metrics({"step": [1.0]}).to_pandas) == "to_pandas needs pandas: pip install pandas"


def test_shipped_weights_have_no_curves() -> None:
    assert "only runs that you trained have curves" in refused(lambda: fr.load_run("vit").metrics)


@pytest.mark.parametrize("content", ["", "step,epoch\n"])
def test_a_run_that_measured_nothing_has_no_columns(tmp_path: Path, content: str) -> None:
    write_image_run(tmp_path / "run", write_npz(tmp_path))
    (tmp_path / "run" / "metrics.csv").write_text(content)
    run = fr.load_run(tmp_path / "run")
    assert dict(run.metrics) == {} and repr(run.metrics) == "Metrics(: 0 rows)"
    assert "unknown column 'epoch'" in refused(run.plot)


@pytest.mark.parametrize(
    "content", [b"step,loss\n1,x\n", b"step,loss\n1,2,3\n", b"step,loss\n1\n", b"step,loss\n1,\xff\n"]
)
def test_damaged_curves_are_named(tmp_path: Path, content: bytes) -> None:
    write_image_run(tmp_path / "run", write_npz(tmp_path))
    (tmp_path / "run" / "metrics.csv").write_bytes(content)
    assert "metrics.csv is damaged" in refused(lambda: fr.load_run(tmp_path / "run").metrics)


def test_an_unfinished_run_says_its_status(tmp_path: Path) -> None:
    write_image_run(tmp_path / "run", write_npz(tmp_path))
    (tmp_path / "run" / "state.json").write_text(json.dumps({"schema": 2, "status": "running"}))
    assert repr(fr.load_run(tmp_path / "run")) == "Run('run': running)"
