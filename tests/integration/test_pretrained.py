"""Pretrained networks by the commands: from scratch to a run, from that run to a probe and to finetuning, to a verdict."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fittingroom as fr
from tests.command import call, call_json
from tests.own_images import write_images

pytestmark = pytest.mark.usefixtures("torch_as_before")

TINY = ("--set", "widths=[8,16]", "--set", "blocks=[0,1]")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pretrained")


@pytest.fixture(autouse=True)
def cache(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def colours(place: Path) -> Path:
    return write_images(place / "colours.npz", number=210, size=(24, 24), num_classes=3)


@pytest.fixture(scope="module")
def first(place: Path, colours: Path) -> Path:
    """A run on colour images, from which others start."""
    folder = place / "first"
    words = ("--data", str(colours), "--epochs", "4", *TINY, "--set", "batch_size=16", "--out", str(folder))
    code, _, err = call("train", "cnn", *words)
    assert code == 0, err
    return folder


@pytest.fixture(scope="module")
def photos(place: Path) -> Path:
    """Grey pictures of several sizes, in folders: a bar that lies or stands."""
    draw = np.random.default_rng(0)
    for number in range(80):
        height, width = draw.integers(30, 50, 2)
        pixels = draw.integers(0, 90, (height, width), dtype=np.uint8)
        if number % 2:
            pixels[height // 3 : height // 2] = 250
        else:
            pixels[:, width // 3 : width // 2] = 250
        path = place / "photos" / ("standing", "lying")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return place / "photos"


@pytest.fixture(scope="module")
def probed(place: Path, first: Path, photos: Path) -> Path:
    folder = place / "probed"
    words = ("--data", str(photos), "--set", f"weights={first}", "--set", "optim.lr=0.03", "--out", str(folder))
    row = call_json("train", "cnn+probe", *words)
    assert row["test_accuracy"] > 0.7, "bars that lie and bars that stand, to filters that know only bars that lie"
    return folder


@pytest.mark.thorough
def test_a_run_says_what_its_network_gets(probed: Path) -> None:
    spec = json.loads((probed / "data.json").read_text())["spec"]
    config = json.loads((probed / "config.json").read_text())
    assert (spec["channels"], spec["height"], spec["width"]) == (1, 24, 24)
    assert spec["preprocessing"]["input_channels"] == 3 and len(spec["mean"]) == 3
    assert config["mode"] == "probe" and config["pictures"]["image_size"] == config["input_size"] == [24, 24]
    assert len(config["weights_digest"]) == 12


@pytest.mark.thorough
def test_a_probe_is_evaluated_predicted_with_and_explained_like_any_run(
    probed: Path, photos: Path, place: Path
) -> None:
    row = call_json("evaluate", str(probed), "--split", "test")
    state = json.loads((probed / "state.json").read_text())
    assert row["test_accuracy"] == pytest.approx(state["evals"]["test"]["accuracy"])
    answers = list(fr.load_run(probed).predict_files([photos / "lying" / "1.png", photos / "standing" / "2.png"]))
    assert [each.error for each in answers] == ["", ""]
    code, _, err = call("explain", str(probed), "--index", "0", "--out", str(place / "explained"))
    assert code == 0, err


@pytest.mark.slow
def test_a_comparison_of_three_ways_ends_in_a_verdict_and_a_report(first: Path, photos: Path, place: Path) -> None:
    folder = place / "compared"
    small = "cnn@widths=[8,16]@blocks=[0,1]"
    names = f"{small},cnn+probe@weights={first},cnn+finetune@weights={first}"
    words = ("compare", "--models", names, "--data", str(photos), "--seeds", "1", "--epochs", "2", "--image-size", "24")
    code, _, err = call(*words, "--out", str(folder))
    assert code == 0, err
    titles = [each["title"] for each in json.loads((folder / "comparison.json").read_text())["candidates"]]
    assert [title.partition(" (")[2][:5] for title in titles] == ["width", "probe", "finet"]
    assert (folder / "report.html").is_file() and (folder / "explorer.npz").is_file()
    again, _, err = call(*words, "--out", str(folder))
    assert again == 0 and "already finished" in err


@pytest.mark.thorough
def test_a_folder_of_hugging_face_is_probed(photos: Path, place: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
    )
    transformers.ViTForImageClassification(config).save_pretrained(place / "vit")
    (place / "vit" / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.4] * 3, "image_std": [0.2] * 3})
    )
    words = ("--data", str(photos), "--epochs", "1", "--out")
    code, _, err = call("train", f"hf:{place / 'vit'}+probe", *words, str(place / "hf"))
    assert code == 0, err
    spec = json.loads((place / "hf" / "data.json").read_text())["spec"]
    assert spec["mean"] == [0.4] * 3 and spec["preprocessing"]["input_channels"] == 3 and spec["height"] == 32
    code, _, err = call("evaluate", str(place / "hf"))
    assert code == 0, err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("cnn+prob",), "did you mean 'probe'?"),
        (("timm:resnet18+probe",), "pip install timm"),
        (("hf:vitt",), "did you mean 'vit'"),
        (("hf:vit+probe",), "has no weights"),
        (("hf:owner/name+probe",), "hf:FOLDER"),
        (("efficientnet_lite0+probe", "--set", "weights=gone.pth"), "there is no such file"),
        (("resnet20+finetune",), "give weights=RUN"),
        (("tim:resnet18",), "unknown model 'tim:resnet18'"),
        (("transformer+probe", "--data", "cmudict"), "only networks for images"),
    ],
)
def test_bad_input_is_one_clear_line_and_nothing_is_written(
    words: tuple[str, ...], told: str, colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.util import find_spec

    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *more: None if name == "timm" else find_spec(name, *more)
    )
    data = () if "--data" in words else ("--data", str(colours))
    code, out, err = call("train", *words, *data, "--epochs", "1", "--out", str(tmp_path / "run"))
    assert (code, out) == (2, "")
    assert told in err and err.strip().count("\n") == 0, err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_imagenet_weights_tell_real_photos_apart_with_few_of_them(place: Path) -> None:
    """Twelve photos a class that look alike in colour: scikit-learn's two photos, cut into pieces."""
    from sklearn.datasets import load_sample_images

    draw = np.random.default_rng(0)
    for label, photo in zip(("temple", "flower"), load_sample_images().images, strict=True):
        folder = place / "pieces" / label
        folder.mkdir(parents=True)
        for number in range(30):
            top, left = draw.integers(0, photo.shape[0] - 160), draw.integers(0, photo.shape[1] - 160)
            Image.fromarray(photo[top : top + 160, left : left + 160]).convert("L").save(folder / f"{number}.png")
    words = ("--data", str(place / "pieces"), "--out", str(place / "lite"))
    row = call_json("train", "efficientnet_lite0+probe", *words)
    assert row["test_accuracy"] > 0.9
