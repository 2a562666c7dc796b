"""Deletion, insertion and randomised weights, on functions of which the truth is known."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.faithfulness import (
    Curves,
    area,
    bootstrap_interval,
    perturbation_curves,
    probabilities,
    randomisation,
    randomisation_layers,
    rank_correlation,
    score,
)
from fittingroom.explain.findings import faithfulness_of
from fittingroom.explain.methods import random_maps
from fittingroom.explain.perturbation import Perturbation, filled
from tests.unit.explain.networks import draw_images, hugging_face, timm_like, tiny

SIDE, HALF, NUM = 16, 8, 40


def planted_images(num: int = NUM) -> Tensor:
    """Noise everywhere, and in the upper left quadrant a chequered pattern: what the planted function reads."""
    images = torch.randn(num, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    rows, columns = torch.meshgrid(torch.arange(HALF), torch.arange(HALF), indexing="ij")
    images[:, :, :HALF, :HALF] = ((rows + columns) % 2 * 2.0 - 1.0) * 2
    return images


def planted_probs(images: Tensor) -> Tensor:
    """Probability of class 1: how much of the pattern is left in the upper left quadrant, and nothing else."""
    pattern = planted_images(1)[0, 0, :HALF, :HALF]
    share = (images[:, 0, :HALF, :HALF] * pattern).mean(dim=(1, 2)) / pattern.square().mean()
    share = share.clamp(0, 1)
    return torch.stack([1 - share, share], dim=1)


def quadrant(row: int, column: int) -> np.ndarray:
    maps = np.zeros((NUM, SIDE, SIDE), dtype=np.float32)
    maps[:, row * HALF : (row + 1) * HALF, column * HALF : (column + 1) * HALF] = 1
    return maps


TARGETS = torch.ones(NUM, dtype=torch.int64)


@pytest.mark.parametrize("fill", ["mean", "blur"])
def test_the_planted_quadrant_beats_random(fill: Any) -> None:
    found = score(planted_probs, planted_images(), quadrant(0, 0), TARGETS, Perturbation(fill=fill, steps=8))
    assert found["beats_random"]
    assert found["deletion"]["mean"] < 0.2 and found["insertion"]["mean"] > 0.8
    assert found["deletion_minus_random"]["high"] < 0 < found["insertion_minus_random"]["low"]


@pytest.mark.thorough
def test_wrong_even_and_random_maps_do_not() -> None:
    images = planted_images()
    maps = {
        "wrong": quadrant(1, 1),
        "even": np.ones((NUM, SIDE, SIDE), dtype=np.float32),
        "empty": np.zeros((NUM, SIDE, SIDE), dtype=np.float32),
        "random": random_maps(NUM, (SIDE, SIDE), (7, 7), seed=99),
    }
    for name, each in maps.items():
        found = score(planted_probs, images, each, TARGETS, Perturbation(steps=8))
        assert not found["beats_random"], name
        assert not found["deletion_minus_random"]["beats_random"], name
        assert not found["insertion_minus_random"]["beats_random"], name
    wrong = score(planted_probs, images, maps["wrong"], TARGETS, Perturbation(steps=8))
    assert wrong["deletion_minus_random"]["low"] > 0 > wrong["insertion_minus_random"]["high"]


def test_half_of_the_answer_is_not_enough() -> None:
    """Better by deletion but not by insertion is not enough: `beats_random` wants both."""
    images = planted_images()
    calls: list[int] = []

    def only_deletion(batch: Tensor) -> Tensor:
        calls.append(0)
        return planted_probs(batch) if len(calls) % 2 else torch.full((len(batch), 2), 0.5)

    found = score(only_deletion, images, quadrant(0, 0), TARGETS, Perturbation(steps=4))
    assert found["deletion_minus_random"]["beats_random"] and not found["insertion_minus_random"]["beats_random"]
    assert not found["beats_random"]


def test_curves_by_hand() -> None:
    """Probability = the mean brightness of 2x2 pixels; deleting goes to the image's mean, in the order of the map."""
    images = torch.tensor([[[[8.0, 4.0], [2.0, 2.0]]]]) / 10  # mean 0.4
    found = perturbation_curves(
        lambda batch: batch.mean(dim=(1, 2, 3))[:, None], images, np.array([[[4.0, 3], [2, 1]]]), torch.tensor([0]),
        Perturbation(steps=4),
    )  # fmt: skip
    np.testing.assert_allclose(found.deletion, [[0.4, 0.3, 0.3, 0.35, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(found.insertion, [[0.4, 0.5, 0.5, 0.45, 0.4]], rtol=1e-6)
    areas = area(found)
    np.testing.assert_allclose(areas.deletion, [(0.4 / 2 + 0.3 + 0.3 + 0.35 + 0.4 / 2) / 4], rtol=1e-6)
    np.testing.assert_allclose(areas.insertion, [(0.4 / 2 + 0.5 + 0.5 + 0.45 + 0.4 / 2) / 4], rtol=1e-6)


def test_a_curve_that_is_one_has_area_one() -> None:
    ones = np.ones((3, 15), dtype=np.float32)
    np.testing.assert_allclose(area(Curves(deletion=ones, insertion=ones)).insertion, 1, rtol=1e-6)


def test_the_ends_of_the_curves_are_the_whole_and_the_empty_image(monkeypatch: pytest.MonkeyPatch) -> None:
    predict_probs, images, targets = probabilities(tiny("vit")), draw_images(5), torch.tensor([0, 1, 2, 3, 0])
    maps, seen = random_maps(5, (8, 8), (4, 4), seed=1), []

    def watched(batch: Tensor) -> Any:
        seen.append(len(batch))
        return predict_probs(batch)

    whole = np.asarray(predict_probs(images))[np.arange(5), targets]
    for fill in ("mean", "blur"):
        empty = np.asarray(predict_probs(filled(images, fill)))[np.arange(5), targets]
        found = perturbation_curves(watched, images, maps, targets, Perturbation(steps=3, fill=fill))
        for found_ends, expected in (
            ((found.deletion[:, 0], found.deletion[:, -1]), (whole, empty)),
            ((found.insertion[:, -1], found.insertion[:, 0]), (whole, empty)),
        ):
            np.testing.assert_allclose(found_ends, expected, atol=1e-5)
        monkeypatch.setattr("fittingroom.explain.eval_mode.CHUNK", 2)
        seen.clear()
        again = perturbation_curves(watched, images, maps, targets, Perturbation(steps=3, fill=fill))
        assert max(seen) == 2
        np.testing.assert_allclose(again.deletion, found.deletion, atol=1e-5)
        np.testing.assert_allclose(again.insertion, found.insertion, atol=1e-5)


def test_fills_hide_what_is_there() -> None:
    images = torch.randn(2, 3, 16, 12) + torch.tensor([5.0, 0, -5])[:, None, None]
    mean = filled(images, "mean")
    torch.testing.assert_close(mean[1, 2], images[1, 2].mean().expand(16, 12))
    blurred = filled(images, "blur")
    assert (blurred.std(dim=(2, 3)) < images.std(dim=(2, 3)) / 3).all()
    torch.testing.assert_close(blurred.mean(dim=(2, 3)), images.mean(dim=(2, 3)), rtol=0, atol=0.3)
    torch.testing.assert_close(filled(torch.full((1, 1, 9, 9), 3.0), "blur"), torch.full((1, 1, 9, 9), 3.0))
    torch.testing.assert_close(filled(images[1:], "blur"), blurred[1:])


def test_the_interval_is_the_bootstraps_and_near_the_formula() -> None:
    values = np.random.default_rng(0).normal(2.0, 3.0, size=400)
    found = bootstrap_interval(values)
    assert found["mean"] == pytest.approx(values.mean())
    half = 1.96 * values.std() / 20
    assert found["low"] == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert found["high"] == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert bootstrap_interval(values) == found
    curves = bootstrap_interval(np.stack([values, -values], axis=1))
    assert len(curves["low"]) == 2 and curves["mean"][1] == pytest.approx(-values.mean())


def test_a_score_is_plain_numbers() -> None:
    import json

    found = score(planted_probs, planted_images(), quadrant(0, 0), TARGETS, Perturbation(steps=3), num_random=1)
    assert json.loads(json.dumps(found)) == found
    assert found == score(planted_probs, planted_images(), quadrant(0, 0), TARGETS, Perturbation(steps=3), num_random=1)
    assert len(found["curves"]["deletion"]["mean"]) == 4


def test_what_cannot_be_measured_is_an_error() -> None:
    images, targets = draw_images(2), torch.tensor([0, 1])
    predict_probs = probabilities(tiny("vit"))
    with pytest.raises(FittingRoomError, match="one value for each pixel"):
        perturbation_curves(predict_probs, images, np.ones((2, 4, 4)), targets)
    with pytest.raises(FittingRoomError, match="finite"):
        perturbation_curves(predict_probs, images, np.full((2, 8, 8), np.nan), targets)
    with pytest.raises(FittingRoomError, match="steps 65"):
        perturbation_curves(predict_probs, images, np.ones((2, 8, 8)), targets, Perturbation(steps=65))
    with pytest.raises(FittingRoomError, match="unknown fill"):
        perturbation_curves(predict_probs, images, np.ones((2, 8, 8)), targets, Perturbation(fill="black"))  # type: ignore[arg-type]
    with pytest.raises(FittingRoomError, match="too few for an interval"):
        score(predict_probs, images[:1], np.ones((1, 8, 8)), targets[:1])


def test_rank_correlation_is_spearmans() -> None:
    from scipy.stats import spearmanr

    draw = np.random.default_rng(0)
    a, b = draw.integers(0, 5, size=(4, 3, 3)), draw.normal(size=(4, 3, 3))
    expected = [float(np.asarray(spearmanr(a[i].ravel(), b[i].ravel()))[0]) for i in range(4)]
    np.testing.assert_allclose(rank_correlation(a, b), expected)
    np.testing.assert_allclose(rank_correlation(b, np.exp(b)), 1)
    np.testing.assert_allclose(rank_correlation(b, -b), -1)
    np.testing.assert_array_equal(rank_correlation(np.ones((4, 3, 3)), b), 0)


def test_layers_are_randomised_from_the_head_down_and_every_weight_in_the_end() -> None:
    assert randomisation_layers(tiny("vit")) == ["head", "norm", "blocks.1", "blocks.0", "patch_embed"]
    assert randomisation_layers(tiny("hybrid"))[:4] == ["head", "pool", "norm", "blocks.1"]
    assert randomisation_layers(tiny("cnn"))[0] == "head" and randomisation_layers(tiny("cnn"))[-1] == "stem.0"
    assert randomisation_layers(timm_like()) == randomisation_layers(tiny("vit"))
    theirs = randomisation_layers(hugging_face())
    assert theirs[0] == "classifier" and theirs[-1].endswith("embeddings") and len(theirs) == 5


@pytest.mark.parametrize("name", ["vit_cls", "cnn"])
def test_the_cascade_shuffles_what_it_says_and_leaves_the_network_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, images = tiny(name), draw_images(2)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    changed: list[set[str]] = []

    def watching(network: Any, images: Tensor, *_: Any) -> np.ndarray:
        parameters = dict(network.named_parameters())
        changed.append({key for key, each in parameters.items() if not torch.equal(each, before[key])})
        for key, each in parameters.items():
            assert torch.equal(each.flatten().sort().values, before[key].flatten().sort().values)
        return np.random.default_rng(len(changed)).normal(size=(2, 8, 8))

    monkeypatch.setattr("fittingroom.explain.faithfulness.saliency", watching)
    randomisation(model, "gradcam", images, torch.tensor([0, 1]))
    names = randomisation_layers(model)
    assert changed[0] == set() and len(changed) == 1 + len(names)
    for step, layer in enumerate(names, start=1):
        fresh = changed[step] - changed[step - 1]
        own = {"cls_token", "pos_embed"} if step == len(names) else set()
        assert fresh and all(key.startswith(f"{layer}.") or key in own for key in fresh)
        assert changed[step] >= changed[step - 1]
    big = {key for key, each in model.named_parameters() if each.numel() > 4 and each.unique().numel() > 1}
    assert changed[-1] >= big
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def test_randomised_weights_change_the_maps_of_a_method_that_looks_at_the_network() -> None:
    model, images, targets = tiny("vit"), draw_images(4), torch.tensor([0, 1, 2, 3])
    for method in ("relevance", "gradcam"):
        found = randomisation(model, method, images, targets)
        assert len(found) == 5 and abs(found[-1]) < 0.5
    attention = randomisation(model, "attention", images, targets)
    assert attention[:2] == pytest.approx([1, 1]), "head and norm come after the attention: it cannot change"
    assert abs(attention[-1]) < 0.5
    assert abs(randomisation(model, "random", images, targets)[0]) < 0.5
    assert randomisation(model, "gradcam", images, targets) == randomisation(model, "gradcam", images, targets)


def test_old_and_new_records_are_read_alike() -> None:
    rest = {"randomised_layers": ["head"], "rank_correlations": {"gradcam": [0.5]}}
    new = {"scores": {"gradcam": {"beats_random": True}}, **rest}
    old = {"faithfulness": new["scores"], **rest}
    assert faithfulness_of({"name": "cnn", "faithfulness": new}) == new
    assert faithfulness_of({"name": "cnn", "proof": old}) == new
    assert faithfulness_of({"name": "cnn"}) == {}
