"""Drawings take the page's colours, say in words what they show, and can stand side by side in one page."""

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.records import CandidateSummary, Contrast, Difference, Summary, Verdict
from fittingroom.report.curves import learning_figures, mean_between, mean_in_stretches, rate_note
from fittingroom.report.figures import _label_side, contrast_figures, cost_figures, costs, short_title, spread
from fittingroom.report.load import read_curve
from fittingroom.report.matrices import confusion_figure, most_confused
from fittingroom.tasks.classification.scoring import ACCURACY
from tests.comparison_fixture import CLASS_NAMES

pytestmark = pytest.mark.thorough

ODD_NAMES = ["<script>alert(1)</script>", "$x^2$", "衬衫", "a & b", *CLASS_NAMES[4:]]


def all_figures(summary: Summary, folder: Path) -> list[str]:
    candidates, curves = summary.candidates, {}
    for name in (candidate.name for candidate in candidates):
        paths = [folder / f"runs/{name}-seed{seed}/metrics.csv" for seed in (0, 1)]
        curves[name] = [read_curve(path, seed, ACCURACY.column) for seed, path in enumerate(paths)]
    matrices = [
        confusion_figure(candidate.details["confusion"], candidate.title, ODD_NAMES, f"confusion-{number}")
        for number, candidate in enumerate(candidates)
    ]
    learning = learning_figures(candidates, curves, ACCURACY)
    return [*cost_figures(summary), *contrast_figures(summary), *learning, *matrices]


def changed(summary: Summary, **changes: Callable[[CandidateSummary], object]) -> Summary:
    """With some values of the first candidate."""
    first, *rest = summary.candidates
    found = {name: change(first) for name, change in changes.items()}
    return replace(summary, candidates=(replace(first, **found), *rest))


def keys(summary: Summary) -> list[str]:
    return [cost.key for cost in costs(summary)]


@pytest.fixture(scope="module")
def figures(summary: Summary, comparison_folder: Path) -> list[str]:
    return all_figures(summary, comparison_folder)


@pytest.mark.thorough
def test_figures_are_drawn_in_the_colours_of_the_page_alone(figures: list[str]) -> None:
    for svg in figures:
        styles = re.findall(r'style="([^"]*)"', svg)
        assert any("var(--" in style for style in styles)
        assert not [style for style in styles if re.search(r"#[0-9a-f]{3}|rgb|font-family|DejaVu", style)]


def test_figures_have_no_ground_and_no_size_of_their_own(figures: list[str]) -> None:
    for svg in figures:
        root = ElementTree.fromstring(svg)
        assert [root.attrib["width"], root.attrib["height"]] == root.attrib["viewBox"].split()[2:]
        assert "fill: #ffffff" not in svg and "<style" not in svg and "<metadata" not in svg


def test_ids_are_unique_over_all_figures_and_every_reference_is_met(figures: list[str]) -> None:
    page = "".join(figures)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 0
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', page)) == set(ids)


@pytest.mark.thorough
def test_the_same_numbers_make_the_same_figures(figures: list[str], summary: Summary, comparison_folder: Path) -> None:
    assert all_figures(summary, comparison_folder) == figures


def test_every_figure_says_what_it_shows(figures: list[str], summary: Summary) -> None:
    labels = [ElementTree.fromstring(svg).attrib["aria-label"] for svg in figures]
    assert all(len(label) > 40 for label in labels)
    assert "CNN minus ViT" in labels[3]
    assert labels[0].startswith("Test accuracy (%) against multiply-adds for one image: ViT ")


def test_names_are_text_never_tags_or_mathematics(summary: Summary) -> None:
    svg = confusion_figure(summary.candidates[0].details["confusion"], "ViT", ODD_NAMES, "odd")
    assert "<script" not in svg
    texts = [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")]
    assert {"$x^2$", "衬衫", "a & b"} <= set(texts)


def test_the_cost_in_time_is_shown_where_the_times_differ(summary: Summary) -> None:
    assert keys(summary) == ["num_macs", "num_params", "items_per_second"]
    slower = changed(summary, train_seconds=lambda first: 2 * (first.train_seconds or 0))
    assert keys(slower) == ["num_macs", "num_params", "train_seconds"]
    assert keys(changed(summary, num_macs=lambda first: None)) == ["num_params", "items_per_second"]


def test_costs_far_apart_are_drawn_on_a_logarithmic_axis(summary: Summary) -> None:
    large = changed(summary, num_macs=lambda first: 100 * (first.num_macs or 0))
    texts = [element.text for element in ElementTree.fromstring(cost_figures(large)[0]).iter() if element.text]
    assert {"100 M", "1 G"} <= set(texts) and "0" not in texts


def test_the_better_model_of_a_pair_is_named_first_and_a_tie_is_called_one() -> None:
    ends = {"b": (-0.04, -0.06, -0.02, 0.01), "c": (0.01, 0.001, 0.03, 0.06)}
    contrasts = [
        Contrast(a="a", b=b, metrics={"accuracy": Difference(difference=found, low=low, high=high, p=p, p_adjusted=p)})
        for b, (found, low, high, p) in ends.items()
    ]
    candidates = tuple(CandidateSummary(name=name, title=name.upper(), family=name) for name in ("a", "b", "c"))
    verdict = Verdict(headline="", sentence="")
    (svg,) = contrast_figures(
        Summary(task="classification", candidates=candidates, contrasts=tuple(contrasts), verdict=verdict)
    )
    label = ElementTree.fromstring(svg).attrib["aria-label"]
    assert "B minus A 4.00 (95 % interval 2.00 to 6.00, p 0.01);" in label
    assert "A minus C 1.00 (95 % interval 0.10 to 3.00, p 0.06), not separated" in label
    assert "B − A" in svg


def test_long_titles_give_way_to_names() -> None:
    for title, name, shown in (
        ("Hybrid", "hybrid", "Hybrid"),
        ("ViT with a convolutional stem", "vit-stem", "vit-stem"),
        ("x" * 40, "y" * 40, "y" * 11 + "…"),
    ):
        assert short_title(CandidateSummary(name=name, title=title, family="vit")) == shown


@pytest.mark.thorough
@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_labels_are_moved_apart_and_keep_their_order(heights: list[float]) -> None:
    moved = spread(heights, 2.0)
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    gaps = [moved[above] - moved[below] for below, above in itertools.pairwise(order)]
    assert all(gap > 1.8 for gap in gaps)


def test_the_commonest_mistakes_are_named_by_their_share_of_the_class() -> None:
    confusion = [[80, 20, 0], [3, 7, 0], [0, 0, 0]]
    assert most_confused(confusion, ["a", "b", "c"]) == ["b taken for a: 3 of 10", "a taken for b: 20 of 100"]


def test_cells_carry_their_counts_and_many_classes_carry_none(summary: Summary) -> None:
    confusion = summary.candidates[0].details["confusion"]
    svg = confusion_figure(confusion, "ViT", ODD_NAMES, "k")
    texts = {element.text for element in ElementTree.fromstring(svg).iter()}
    assert {str(count) for row in confusion for count in row if count} <= texts
    many = np.eye(100, dtype=int) * 50 + np.eye(100, k=3, dtype=int) * 2
    svg = confusion_figure(many, "CNN", [f"class {number}" for number in range(100)], "many")
    assert len(svg) < 100_000
    assert ">50<" not in svg


def test_the_mean_of_curves_is_taken_where_all_were_measured() -> None:
    first = (np.array([0.0, 10.0, 20.0]), np.array([0.0, 1.0, 2.0]))
    second = (np.array([5.0, 15.0, 18.0, 30.0]), np.array([1.0, 2.0, 2.3, 3.5]))
    times, values = mean_between([first, second])
    np.testing.assert_allclose(times, [5, 10, 20])
    np.testing.assert_allclose(values, [(0.5 + 1) / 2, (1 + 1.5) / 2, (2 + 2.5) / 2])


def test_the_mean_over_stretches_counts_each_row_once() -> None:
    runs = [(np.array([0.0, 1.0, 9.0]), np.array([4.0, 2.0, 1.0])), (np.array([10.0]), np.array([3.0]))]
    times, values = mean_in_stretches(runs, 5)
    np.testing.assert_allclose(times, [0.5, 9.5])
    np.testing.assert_allclose(values, [3, 2])


def test_peaks_of_the_learning_rate_are_listed(summary: Summary, comparison_folder: Path) -> None:
    curve = read_curve(comparison_folder / "runs/cnn-seed0/metrics.csv", 0, ACCURACY.column)
    assert re.fullmatch(r"CNN 0\.0(2|199?)", rate_note(summary.candidates, {"cnn": [curve]}))


def test_of_equal_shares_the_mistake_with_more_images_comes_first() -> None:
    confusion = [[0, 1, 0], [0, 50, 50], [0, 40, 40]]
    assert most_confused(confusion, ["a", "b", "c"], 2) == ["a taken for b: 1 of 1", "b taken for c: 50 of 100"]


def test_a_label_is_on_the_axis_of_no_figure() -> None:
    """Another bar close by ends where the label starts; one that is further away would cross it."""
    assert _label_side(0.15, [0.16]) == ("left", 11)
    assert _label_side(0.15, [0.25]) == ("left", 11)
    assert _label_side(0.4, [0.5]) == ("right", -11)
