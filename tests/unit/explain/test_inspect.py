"""Which images and networks are inspected: with the weights that come with the package, on real images."""

import json
import shutil
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fittingroom.comparison.pictures.images import choose_images
from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.dataset import Splits
from fittingroom.data.images.load import open_images
from fittingroom.evaluation.selection import mistakes
from fittingroom.evaluation.shipped import find_run
from fittingroom.explain.inspect import Asked, Question, _examples, inspect
from fittingroom.tasks.classification.training import ClassificationTask

pytestmark = pytest.mark.thorough

LABELS = np.array([0, 1, 2, 0, 1])


def probs(*answers: tuple[int, float]) -> Any:
    """Rows of three classes with these answers and confidences."""
    rows = np.full((len(answers), 3), 0.0)
    for row, (answer, confidence) in enumerate(answers):
        rows[row] = (1 - confidence) / 2
        rows[row, answer] = confidence
    return rows


A = probs((1, 0.6), (1, 0.9), (0, 0.9), (0, 0.9), (2, 0.5))
B = probs((2, 0.8), (1, 0.9), (1, 0.9), (1, 0.8), (2, 0.6))


def test_mistakes_are_those_of_all_the_surest_first() -> None:
    assert mistakes({"a": A, "b": B}, LABELS).tolist() == [2, 0, 4]
    assert mistakes({"a": A}, LABELS).tolist() == [2, 0, 4]
    assert mistakes({"b": B}, LABELS).tolist() == [2, 0, 3, 4]


def test_the_explorer_gets_mistakes_disagreements_and_plain_cases_once_each() -> None:
    chosen, kinds = choose_images({"a": A, "b": B}, LABELS)
    assert dict(zip(chosen.tolist(), kinds.tolist(), strict=True)) == {
        2: "mistake", 0: "mistake", 4: "mistake", 3: "disagreement", 1: "right"
    }  # fmt: skip


@pytest.mark.thorough
def test_nobody_named_means_one_of_each_family_and_the_first_image_of_each_class() -> None:
    found = inspect(Question(runs=()))
    assert [each.name for each in found.networks] == ["vit", "hybrid", "cnn"]
    assert found.labels is not None and found.labels.tolist() == list(range(10))
    assert found.images.shape == (10, 28, 28) and found.images.dtype == np.uint8
    val = open_images().split(0).val
    place = int(found.names[3].split()[-1])
    assert val.labels[place] == 3 and (val.labels[:place] != 3).all()
    np.testing.assert_array_equal(found.images[3], val.read(torch.tensor([place]))[0, 0].numpy())
    vit, hybrid, cnn = found.networks
    assert vit.attention is not None and vit.attention.heads.shape == (4, 8, 7, 7) and vit.positions is not None
    np.testing.assert_allclose(vit.attention.heads.sum(axis=(2, 3)), 1, rtol=1e-5)
    np.testing.assert_allclose(vit.attention.rollout.sum(axis=(1, 2)), 1, rtol=1e-5)
    assert hybrid.filters is not None and hybrid.filters.explained is None
    assert vit.filters is not None and vit.filters.explained is not None
    assert cnn.attention is None and cnn.positions is None and cnn.method == "gradcam"
    assert all(each.saliency.shape == (10, 28, 28) for each in found.networks)
    assert np.mean([np.mean(each.probs.argmax(1) == found.labels) for each in found.networks]) > 0.8


@pytest.fixture
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first 500 validation images in place of all: every network is asked about each of them."""

    whole = ClassificationTask.splits.func

    def splits(self: ClassificationTask) -> Splits:
        found = whole(self)
        return replace(found, val=found.val.subset(torch.arange(500)))

    few = cached_property(splits)
    few.__set_name__(ClassificationTask, "splits")
    monkeypatch.setattr(ClassificationTask, "splits", few)


@pytest.mark.thorough
@pytest.mark.usefixtures("few_images")
def test_mistakes_of_the_shipped_cnn_are_its_mistakes() -> None:
    found = inspect(Question(runs=("cnn",), kind="mistakes", number=5))
    (cnn,) = found.networks
    assert len(found.images) == 5 and (cnn.probs.argmax(1) != found.labels).all()
    assert (np.diff(cnn.probs.max(1)) <= 1e-6).all(), "the surest first"


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.usefixtures("few_images")
def test_one_network_alone_disagrees_with_those_of_the_other_families(tmp_path: Path) -> None:
    mine = Path(shutil.copytree(find_run("vit"), tmp_path / "mine"))
    found = inspect(Question(runs=(str(mine),), kind="disagreements", number=2))
    assert [each.name for each in found.networks] == ["mine", "hybrid", "cnn"]
    assert any("come with the package" in note for note in found.notes)
    answers = np.stack([each.probs.argmax(1) for each in found.networks])
    others = np.mean([each.probs for each in found.networks[1:]], axis=0).argmax(1)
    assert (answers[0] != others).all(), "the one that was named is one of the sides"


def test_runs_of_one_name_are_numbered_and_give_no_strange_files(tmp_path: Path) -> None:
    mine = shutil.copytree(find_run("cnn"), tmp_path / "cnn")
    found = inspect(Question(runs=("cnn", str(mine)), kind="index", number=1))
    assert [each.name for each in found.networks] == ["cnn", "cnn (2)"]


def test_one_image_by_its_number_and_a_method_by_its_name() -> None:
    found = inspect(Question(runs=("hybrid", "cnn"), kind="index", number=7, method="rollout"))
    assert found.names == ["validation image 7"]
    assert [each.method for each in found.networks] == ["rollout", "gradcam"], "a CNN has no attention to follow"


def test_a_picture_of_ones_own(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(255 - open_images().split(0).val.read(torch.tensor([7]))[0, 0].numpy()).save(tmp_path / "mine.png")
    found = inspect(Question(runs=("cnn",), kind="image", files=(tmp_path / "mine.png",)))
    expected = inspect(Question(runs=("cnn",), kind="index", number=7))
    assert found.labels is None and found.names == ["mine.png"]
    assert any("inverted" in note for note in found.notes) and any("know only" in note for note in found.notes)
    np.testing.assert_allclose(found.networks[0].probs, expected.networks[0].probs, atol=1e-5)


@pytest.mark.thorough
def test_runs_of_different_seeds_share_the_images_that_none_was_trained_on(tmp_path: Path) -> None:
    other = Path(shutil.copytree(find_run("cnn"), tmp_path / "other"))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "seed": 1}))
    state = json.loads((other / "state.json").read_text())
    (other / "state.json").write_text(json.dumps({**state, "seed": 1}))
    found = inspect(Question(runs=("cnn", str(other)), kind="index", number=0))
    (note,) = found.notes
    one, two = (set(open_images().split(seed).val.index.tolist()) for seed in (0, 1))
    assert f"only the {len(one & two):,} images" in note
    first = min(place for place, index in enumerate(open_images().split(0).val.index.tolist()) if index in two)
    np.testing.assert_array_equal(found.images[0], open_images().split(0).val.read(torch.tensor([first]))[0, 0].numpy())


def test_a_read_of_the_test_images_is_logged_in_the_run(tmp_path: Path) -> None:
    mine = Path(shutil.copytree(find_run("cnn"), tmp_path / "mine"))
    before = len(json.loads((mine / "state.json").read_text()).get("test_reads", []))
    inspect(Question(runs=(str(mine),), kind="index", number=3))
    assert len(json.loads((mine / "state.json").read_text()).get("test_reads", [])) == before
    found = inspect(Question(runs=(str(mine),), kind="index", number=3, split="test"))
    reads = json.loads((mine / "state.json").read_text())["test_reads"]
    assert len(reads) == before + 1 and "explain" in reads[-1]["why"]
    assert found.names == ["test image 3"]


def test_a_question_that_is_refused_reads_no_test_image(tmp_path: Path) -> None:
    mine = Path(shutil.copytree(find_run("cnn"), tmp_path / "mine"))
    before = (mine / "state.json").read_bytes()

    def refuse(asked: Asked) -> None:
        assert (asked.names, asked.target, asked.question["number"]) == (("mine",), "Bag", 3)
        raise FittingRoomError("no place")

    with pytest.raises(FittingRoomError, match="no place"):
        inspect(Question(runs=(str(mine),), kind="index", number=3, split="test", target=8), check=refuse)
    assert (mine / "state.json").read_bytes() == before


@pytest.mark.thorough
def test_measured_maps_speak_for_themselves_in_the_caption(monkeypatch: pytest.MonkeyPatch) -> None:
    found = inspect(Question(runs=("cnn",), kind="index", number=0, faithfulness=4))
    (cnn,) = found.networks
    assert cnn.faithfulness is not None and set(cnn.faithfulness.scores) == {"gradcam", "random"}
    assert cnn.faithfulness.scores["gradcam"]["num_images"] == 4
    correlations = cnn.faithfulness.correlations
    assert list(correlations) == ["gradcam"] and len(correlations["gradcam"]) == len(cnn.faithfulness.layers)
    monkeypatch.setattr("fittingroom.explain.inspect._shipped_beats_random", lambda *_: False)
    (cnn,) = inspect(Question(runs=("cnn",), kind="index", number=0)).networks
    assert cnn.caption.endswith("not shown to do better here than a random map.")


def test_what_makes_no_sense_is_said() -> None:
    for question, said in (
        (Question(runs=("vit", "vit")), "named twice"),
        (Question(runs=("cnn",), method="rollout"), "needs attention"),
        (Question(runs=("vit",), kind="mistakes", number=101), "choose 1 to 100"),
    ):
        with pytest.raises(FittingRoomError, match=said):
            inspect(question)


def test_of_many_classes_some_are_shown_unasked() -> None:
    assert _examples(np.array([2, 0, 0, 2]), "test") == ([1, 0], "the first test image of each class")
    places, what = _examples(np.repeat(np.arange(200), 3), "validation")
    assert (len(places), places[0], places[-1]) == (20, 0, 3 * 199)
    assert what == "the first validation image of each of 20 of the 200 classes"
