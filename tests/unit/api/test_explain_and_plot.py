"""`explain` and `plot`: pictures of runs and of networks in memory, on images of the caller."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

import fittingroom as fr
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import read_state
from fittingroom.evaluation.shipped import find_run
from fittingroom.explain.inspect import Question, inspect
from fittingroom.explain.maps import saliency_maps
from tests.image_fixture import CLASS_NAMES, image_arrays, write_image_run, write_npz

IMAGES = image_arrays(3)["images"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViT and a CNN on fruits, and a ViT on fruits in colour."""
    place = tmp_path_factory.mktemp("runs")
    fruit = write_npz(place, number=90)
    write_image_run(place / "vit", fruit)
    write_image_run(place / "cnn", fruit, "cnn", seed=1)
    write_image_run(place / "colour", write_npz(place, "colour", channels=3))
    return place


@pytest.fixture(scope="module")
def vit(folder: Path) -> fr.Run:
    return fr.load_run(folder / "vit")


@pytest.fixture(scope="module")
def cnn(folder: Path) -> fr.Run:
    return fr.load_run(folder / "cnn")


def refused(call: Any, *args: Any, **options: Any) -> str:
    """The one line with which the call is refused."""
    with pytest.raises(FittingRoomError) as caught:
        call(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# explain


@pytest.mark.parametrize(
    "given",
    [IMAGES, IMAGES[..., 0], IMAGES.transpose(0, 3, 1, 2), torch.tensor(IMAGES), IMAGES / 255, list(IMAGES)],
    ids=["channels last", "grey", "channels first", "a tensor", "floats", "a list"],
)
def test_images_of_any_kind_are_explained_alike(vit: fr.Run, given: Any) -> None:
    found = fr.explain(vit, given)
    assert repr(found) == "Explanation(3 images; vit)" and list(found.saliency) == ["vit"]
    expected = fr.explain(vit, IMAGES)
    np.testing.assert_allclose(found.saliency["vit"], expected.saliency["vit"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.findings[0].probs, vit.predict(IMAGES).probs, atol=1e-5)


def test_the_maps_are_those_of_the_method(vit: fr.Run) -> None:
    found = fr.explain(vit, IMAGES, method="gradcam").saliency["vit"]
    spec = vit.spec
    expected = saliency_maps(vit.model, IMAGES, method="gradcam", mean=spec.mean, std=spec.std).maps
    assert found.shape == (3, 8, 8) and np.isfinite(found).all()
    normal = found / np.where(found.mean(axis=(1, 2), keepdims=True) > 0, found.mean(axis=(1, 2), keepdims=True), 1)
    np.testing.assert_allclose(normal, expected, rtol=1e-3, atol=1e-4)


def test_the_maps_are_those_of_the_target(vit: fr.Run) -> None:
    by_name, by_number = (fr.explain(vit, IMAGES, target=each) for each in (vit.spec.class_names[2].upper(), 2))
    expected = saliency_maps(vit.model, IMAGES, [2, 2, 2], mean=vit.spec.mean, std=vit.spec.std).maps
    found = by_name.saliency["vit"]
    np.testing.assert_array_equal(found, by_number.saliency["vit"])
    normal = found / np.where(found.mean(axis=(1, 2), keepdims=True) > 0, found.mean(axis=(1, 2), keepdims=True), 1)
    np.testing.assert_allclose(normal, expected, rtol=1e-3, atol=1e-4)
    assert by_name.findings[0].target == 2 and "the maps are for the class" in repr(by_name)
    assert "unknown class 'nothing'" in refused(fr.explain, vit, IMAGES, target="nothing")


@pytest.mark.thorough
def test_another_explanation_is_not_saved_over_the_first(vit: fr.Run, tmp_path: Path) -> None:
    fr.explain(vit, IMAGES).save(tmp_path / "x")
    fr.explain(vit, IMAGES).save(tmp_path / "x")
    for other in (
        fr.explain(vit, IMAGES[:2]),
        fr.explain(vit, IMAGES, target=1),
        fr.explain(vit, IMAGES, method="rollout"),
    ):
        assert "holds pictures for other networks, images or options" in refused(other.save, tmp_path / "x")


def test_pictures_that_mean_nothing_are_noted(vit: fr.Run, tmp_path: Path) -> None:
    Image.new("L", (30, 30), 99).save(tmp_path / "grey.png")
    found = fr.explain(vit, tmp_path / "grey.png")
    assert found.inspection.names == ["grey.png"] and "grey.png: nothing stands out in it" in repr(found)
    predicted = vit.predict([tmp_path / "grey.png", Image.new("I;16", (9, 9), 3000)])
    assert len(predicted.notes) == 3 and predicted.notes[1].startswith(
        "image 1 holds whole numbers of more than 8 bits"
    )
    assert "note: grey.png" in repr(predicted) and vit.predict(IMAGES).notes == ()


def test_pictures_of_one_file_name_are_told_apart(vit: fr.Run, tmp_path: Path) -> None:
    paths = [tmp_path / name / "x.png" for name in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        Image.new("L", (30, 30), 99).save(path)
    asked = Question(runs=(str(vit.folder),), kind="image", files=tuple(paths))
    for found in (fr.explain(vit, paths).inspection, inspect(asked)):
        assert found.names == ["a/x.png", "b/x.png"]
        assert [note.partition(":")[0] for note in found.notes[:2]] == ["a/x.png", "b/x.png"]


def test_several_networks_stand_beside_each_other_however_they_are_named(folder: Path, vit: fr.Run) -> None:
    for several in ([vit, folder / "cnn"], (str(folder / "vit"), folder / "cnn")):
        found = fr.explain(several, IMAGES[:1])
        assert list(found.saliency) == ["vit", "cnn"] and [each.name for each in found.findings] == ["vit", "cnn"]


def test_one_image_without_its_axis_is_one_image(vit: fr.Run) -> None:
    assert fr.explain(vit, IMAGES[0]).saliency["vit"].shape == (1, 8, 8)


@pytest.mark.thorough
def test_the_figures_are_drawn_and_saved(vit: fr.Run, tmp_path: Path) -> None:
    found = fr.explain(vit, IMAGES[:1])
    assert "panel" in found.figures and all(isinstance(each, Figure) for each in found.figures.values())
    assert found.figures is found.figures
    paths = found.save(tmp_path / "out")
    assert all(path.exists() for path in paths) and {path.suffix for path in paths} <= {".png", ".json"}
    assert json.loads((tmp_path / "out" / "explain.json").read_text())
    assert found._repr_png_().startswith(b"\x89PNG")


def test_giving_images_opens_no_data_set(folder: Path, tmp_path: Path) -> None:
    path = write_npz(tmp_path, "gone")
    write_image_run(tmp_path / "run", path)
    path.unlink()
    assert fr.explain(tmp_path / "run", IMAGES).saliency["run"].shape == (3, 8, 8)
    assert "gone.npz, the data of" in refused(fr.explain, tmp_path / "run", index=0)


def test_test_images_are_read_for_a_reason_that_is_logged(folder: Path, vit: fr.Run) -> None:
    assert "validation image 3" in repr(fr.explain(vit, index=3))
    assert read_state(folder / "vit").test_reads == ()
    assert "test image 3" in repr(fr.explain(vit, index=3, split="test"))
    assert len(read_state(folder / "vit").test_reads) == 1


@pytest.mark.parametrize(
    ("args", "options", "said"),
    [
        ((3,), {}, "explain does not accept type int: give runs, their folders, or names of included networks"),
        ((nn.Linear(2, 2),), {"images": IMAGES}, "explain does not accept type Linear"),
        ((["vit", None],), {}, "explain does not accept type NoneType"),
        (("nope",), {}, "no run at 'nope'"),
        (("transformer",), {}, "run transformer is a run of seq2seq, not of classification"),
        (("RUN",), {"images": IMAGES, "split": "test"}, "--split chooses among the images of the data, and you gave your own"),
        (("RUN",), {"images": IMAGES, "index": 3}, "choose one of images, index, mistakes, disagreements"),
        (("RUN",), {"index": 3, "mistakes": 3}, "choose one of images, index, mistakes, disagreements"),
        (("RUN",), {"index": "a"}, "index 'a': give a whole number"),
        (("RUN",), {"index": -1}, "--index -1: there are 11 validation images: choose 0 to 10"),
        (("RUN",), {"index": 11}, "choose 0 to 10"),
        (("RUN",), {"mistakes": 0}, "--mistakes 0 is out of range"),
        (("RUN",), {"mistakes": True}, "mistakes True: give a whole number"),
        (("RUN",), {"split": "train"}, "unknown split 'train': choose val or test"),
        (("RUN",), {"method": "gradcm"}, "unknown method 'gradcm': did you mean 'gradcam'?"),
        (("RUN",), {"faithfulness": 1}, "--faithfulness 1 is out of range: choose 2 to 11 images"),
        (("RUN",), {"faithfulness": 1.5}, "faithfulness 1.5: give a whole number"),
        (([],), {}, "the list of runs is empty: give runs, their folders, or names of included networks"),
        ((["vit", str(find_run("vit"))],), {"images": np.zeros((1, 28, 28), np.uint8)}, "is named twice: name each RUN once"),
        (("RUN",), {"images": IMAGES, "method": ["gradcam"]}, "unknown method '['gradcam']': did you mean 'gradcam'?"),
        (("RUN",), {"images": []}, "images have shape (0,)"),
        (("RUN",), {"images": np.zeros((2, 9, 9), np.uint8)}, "images have shape (2, 9, 9)"),
        (("RUN",), {"images": np.zeros((101, 8, 8), np.uint8)}, "101 images are too many to show: give at most 100"),
        ((["RUN", "RUN"],), {"images": IMAGES}, "is named twice: name each RUN once"),
        ((["RUN", "COLOUR"],), {"images": IMAGES}, "vit was trained on fruit, colour on colour: name runs of one data set"),
        (("CNN",), {"images": IMAGES, "method": "attention"}, "--method attention needs attention between tokens"),
    ],
)  # fmt: skip
def test_what_cannot_be_explained_is_named(folder: Path, args: Any, options: Any, said: str) -> None:
    places = {"RUN": folder / "vit", "CNN": folder / "cnn", "COLOUR": folder / "colour"}

    def real(each: Any) -> Any:
        return (
            [real(one) for one in each]
            if isinstance(each, list)
            else places.get(each, each)
            if isinstance(each, str)
            else each
        )

    assert said in refused(fr.explain, *map(real, args), **options)


# plot


@pytest.mark.thorough
def test_figures_of_a_run_and_of_its_network(vit: fr.Run, cnn: fr.Run) -> None:
    for found in (
        fr.plot.attention(vit, IMAGES),
        fr.plot.attention(vit.model, torch.rand(2, 1, 8, 8), layer=0, head=1),
        fr.plot.saliency(vit, IMAGES),
        fr.plot.saliency(cnn, IMAGES, target=2, method="gradcam"),
        fr.plot.saliency(cnn.model, torch.rand(2, 1, 8, 8), target=[0, 1]),
        fr.plot.positions(vit),
        fr.plot.filters(cnn),
        fr.plot.filters(vit),
        fr.plot.confusion([0, 1, 2], [0, 1, 1]),
        fr.plot.confusion([0, 1], [[0.1, 0.9], [0.5, 0.5]], class_names=["a", "b"]),
        fr.plot.confusion(torch.tensor([0, 1]), torch.tensor([0, 1])),
        fr.plot.curves({"epoch": [1, 2], "val_loss": [1, None]}),
        fr.plot.curves({"one": {"epoch": [1], "val_loss": [1]}, "two": {"epoch": [1], "val_loss": [2]}}),
    ):
        assert isinstance(found, Figure)


def words(figure: Figure) -> str:
    """All text in a figure."""
    return " | ".join(text.get_text() for text in figure.findobj(match=lambda each: hasattr(each, "get_text")))  # type: ignore[attr-defined]


def test_a_run_brings_the_names_of_its_classes_and_its_normalisation(vit: fr.Run) -> None:
    assert any(name in words(fr.plot.saliency(vit, IMAGES)) for name in CLASS_NAMES)
    assert "class 0" in words(fr.plot.saliency(vit.model, torch.rand(1, 1, 8, 8), target=0))
    said = vit.predict(IMAGES)
    assert f"{said.names[0]} {100 * said.probs[0].max():.0f}" in words(fr.plot.saliency(vit, IMAGES))


@pytest.mark.thorough
def test_targets_have_names_and_pictures_are_read_as_the_run_reads_them(vit: fr.Run, tmp_path: Path) -> None:
    names = words(fr.plot.saliency(vit, IMAGES, ["plum", "fig", "PEAR"]))
    assert names == words(fr.plot.saliency(vit, IMAGES, [2, 0, 1])) and "plum" in names
    assert words(fr.plot.saliency(vit, IMAGES, "plum")) == words(fr.plot.saliency(vit, IMAGES, 2))
    path = tmp_path / "x.png"
    Image.fromarray(np.kron(IMAGES[0, ..., 0], np.ones((3, 3), np.uint8))).save(path)
    for given in (path, [str(path)], Image.open(path)):
        assert "plum" in words(fr.plot.attention(vit, given)) or fr.plot.attention(vit, given)


def test_a_classifier_of_lightning_is_drawn_as_its_network(vit: fr.Run, folder: Path) -> None:
    classifier = fr.lightning.Classifier(vit.model, folder / "fruit.npz")
    images = torch.rand(2, 1, 8, 8)
    assert words(fr.plot.attention(classifier, images)) == words(fr.plot.attention(vit.model, images))


def test_a_refused_format_leaves_no_folder(vit: fr.Run, tmp_path: Path) -> None:
    found = fr.explain(vit, IMAGES[:1])
    assert "cannot be written as 'pdf'" in refused(found.save, tmp_path / "x", "png,pdf")
    assert not (tmp_path / "x").exists()


def test_a_run_without_curves_says_so(vit: fr.Run) -> None:
    assert "metrics.csv is missing: only runs that you trained have curves" in refused(fr.plot.curves, vit)
    assert "metrics.csv is missing" in refused(fr.plot.curves, {"mine": vit})
    assert "metrics.csv is missing" in refused(vit.plot)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "args", "options", "said"),
    [
        ("curves", (3,), {}, "curves does not accept type int"),
        ("curves", (["x"],), {}, "curves does not accept type list"),
        ("curves", ({},), {}, "unknown column 'epoch'"),
        ("curves", ({"epoch": 3},), {}, "metrics are not columns of numbers"),
        ("curves", ({"epoch": ["a"], "val_loss": [1]},), {}, "metrics are not columns of numbers"),
        ("curves", ({"mine": {"epoch": ["a"], "val_loss": [1]}},), {}, "metrics of mine are not columns of numbers"),
        ("curves", ({"epoch": [1, 2], "val_loss": [1]},), {}, "columns differ in length: epoch 2, val_loss 1"),
        ("curves", ({"epoch": [1], "val_loss": [1]},), {"x": "time"}, "x 'time' is not a time axis"),
        ("curves", ({"epoch": [1], "val_loss": [1]},), {"columns": ["val_los"]}, "did you mean 'val_loss'?"),
        ("curves", ({"epoch": [1], "val_loss": [None]},), {}, "the metrics hold no numbers to draw"),
        ("attention", ("vit", IMAGES), {}, "plot does not accept type str: give an nn.Module, or a run from"),
        ("attention", ("CNN", IMAGES), {}, "FastCNN has no attention between patches: use saliency"),
        ("attention", ("VIT", IMAGES), {"layer": 5}, "there is no layer 5"),
        ("attention", ("VIT", IMAGES), {"head": 2}, "there is no head 2"),
        ("attention", ("VIT", IMAGES[0, 0, 0, 0]), {}, "images of shape () are unknown"),
        ("saliency", ("VIT", IMAGES), {"target": 3}, "the model has no class 3: choose targets from 0 to 2"),
        ("attention", ("VIT", IMAGES), {"layer": 0.5}, "layer 0.5: give a whole number"),
        ("attention", ("VIT", IMAGES), {"head": "all"}, "head 'all': give a whole number"),
        ("attention", ("VIT", IMAGES / np.nan), {}, "images hold NaN or infinity"),
        ("saliency", ("VIT", IMAGES), {"target": 1.5}, "target 1.5: give the number or name of one class"),
        ("saliency", ("VIT", IMAGES), {"target": True}, "target True: give the number or name of one class"),
        ("saliency", ("VIT", IMAGES), {"target": [None] * 3}, "give the number or name of one class"),
        ("saliency", ("VIT", IMAGES), {"target": "plumm"}, "unknown class 'plumm': did you mean 'plum'?"),
        (
            "saliency",
            ("CNN", np.zeros((1, 3, 8, 8), np.uint8)),
            {},
            "FastCNN does not read images of shape (1, 3, 8, 8): ",
        ),
        ("saliency", (nn.Conv2d(1, 3, 2), "x.png"), {}, "a network in memory reads arrays or tensors"),
        ("saliency", ("VIT", IMAGES), {"target": [0, 1]}, "targets of shape (2,) do not fit 3 images"),
        ("saliency", ("VIT", IMAGES), {"method": "gradcm"}, "did you mean 'gradcam'?"),
        ("saliency", ("VIT", IMAGES.astype(int)), {}, "images of type int64 are unknown: give uint8 or float"),
        ("positions", ("CNN",), {}, "FastCNN"),
        ("positions", (None,), {}, "plot does not accept type NoneType"),
        ("filters", (nn.Linear(2, 2),), {}, "Linear"),
        ("confusion", ([0, 1], [1]), {}, "do not match: give one of each per image"),
        ("confusion", ([], []), {}, "do not match: give one of each per image"),
        ("confusion", ([0, 5], [1, 1]), {"class_names": ["a", "b"]}, "must be class numbers from 0 to 1"),
        ("confusion", ([-1, 0], [1, 0]), {}, "must be class numbers from 0"),
        ("confusion", ([0.5, 1], [1, 0]), {}, "must be class numbers: give whole numbers from 0 up"),
        ("confusion", (["a", "b"], ["a", "b"]), {}, "must be class numbers: give whole numbers from 0 up"),
    ],
)
def test_what_cannot_be_drawn_is_named(vit: fr.Run, cnn: fr.Run, name: str, args: Any, options: Any, said: str) -> None:
    real = {"VIT": vit, "CNN": cnn}
    assert said in refused(
        getattr(fr.plot, name), *(real.get(each, each) if isinstance(each, str) else each for each in args), **options
    )
