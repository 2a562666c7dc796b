"""The figures for notebooks: the right axes with the right arrays, and words that can be read."""

import subprocess
import sys
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.findings import Filters, ImageMaps
from fittingroom.report import plots
from tests.inspection_fixture import LONG_CLASSES, draw, images, photos, positions

EPOCHS = np.arange(1, 11) / 2


def metrics(slower: float = 0.0) -> dict[str, list[Any]]:
    """As read from metrics.csv: validation after every second row only, blank in between."""
    loss = np.exp(-EPOCHS / (2 + slower))
    return {
        "step": list(range(10, 110, 10)), "epoch": EPOCHS.tolist(), "seconds": (3 * EPOCHS).tolist(),
        "lr": [1e-3] * 10, "train_loss": loss.tolist(), "val_loss": [None if i % 2 else each for i, each in enumerate(loss)],
        "val_accuracy": ["" if i % 2 else 1 - each / 2 for i, each in enumerate(loss)],
    }  # fmt: skip


def maps(num: int = 3, **changes: Any) -> ImageMaps:
    values: dict[str, Any] = {
        "images": photos(num), "maps": draw(num, 8, 5), "labels": [f"{LONG_CLASSES[place]} 91 %" for place in range(num)],
        "title": "Attention", "caption": "Where information is gathered.", "unit": "attention, times an even share",
    }  # fmt: skip
    return ImageMaps(**{**values, **changes})


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))  # type: ignore[union-attr]


def counts(num: int) -> np.ndarray:
    return (20 * draw(num, num) ** 8).astype(int) + 90 * np.eye(num, dtype=int)


FIGURES = {
    "one run": lambda: plots.curves(metrics(), title="vit"),
    "three runs": lambda: plots.curves({"vit": metrics(), "cnn": metrics(1), "a" * 80: metrics(2)}, x="seconds"),
    "one panel": lambda: plots.curves(metrics(), columns=["val_accuracy"]),
    "every panel": lambda: plots.curves(metrics(), columns=["lr", "train_loss", "val_loss", "val_accuracy"]),
    "tall maps": lambda: plots.image_maps(maps()),
    "many maps": lambda: plots.image_maps(
        maps(12, images=images(12), maps=draw(12, 28, 28), labels=["Ankle boot 91 %"] * 12)
    ),
    "one map": lambda: plots.image_maps(maps(1)),
    "positions": lambda: plots.positions(positions()),
    "filters": lambda: plots.filters(Filters(bank=draw(16, 3, 8, 8) - 0.5, explained=np.linspace(0.1, 0.01, 16))),
    "two classes": lambda: plots.confusion([[50, 3], [7, 40]], class_names=["ok", "bad"], title="cnn"),
    "ten classes": lambda: plots.confusion(counts(10), class_names=LONG_CLASSES[:10]),
    "two hundred": lambda: plots.confusion(counts(200), class_names=LONG_CLASSES),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", FIGURES)
def test_nothing_leaves_the_page_or_lies_on_other_words(name: str) -> None:
    figure = FIGURES[name]()
    FigureCanvasAgg(figure).draw()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]  # type: ignore[union-attr]
    out_of_view = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) - 1e-9 <= tick.get_loc() <= max(axis.get_view_interval()) + 1e-9
    }
    boxes = [(text, text.get_window_extent()) for text in texts if text not in out_of_view]  # type: ignore[union-attr]
    for text, box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, text.get_text()  # type: ignore[union-attr]
    for (text, box), (other, second) in combinations(boxes, 2):
        if text.get_rotation() in (0, 90) and other.get_rotation() in (0, 90):  # type: ignore[union-attr]
            assert not box.padded(-1.5).overlaps(second.padded(-1.5)), f"{text} and {other}"


def test_curves_of_one_run() -> None:
    figure = plots.curves(metrics(), title="vit")
    loss, accuracy = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["loss (dashed: training)", "validation accuracy"]
    train, val = loss.lines
    assert (train.get_linestyle(), val.get_linestyle()) == ("--", "-")
    np.testing.assert_allclose(np.asarray(val.get_xdata()), EPOCHS[::2])
    np.testing.assert_allclose(np.asarray(accuracy.lines[0].get_ydata()), 1 - np.exp(-EPOCHS / 2)[::2] / 2)
    assert loss.get_xlabel() == "epoch" and "vit" in words(figure)


def test_curves_of_several_runs_are_named() -> None:
    figure = plots.curves({"vit": metrics(), "cnn": metrics(1)}, x="step")
    loss, accuracy, *keys = figure.axes
    assert len(loss.lines) == 4 and len(accuracy.lines) == 2 and len(keys) == 2
    assert accuracy.lines[0].get_color() == keys[0].lines[0].get_color() != accuracy.lines[1].get_color()
    assert "vit" in words(figure) and "cnn" in words(figure) and accuracy.get_xlabel() == "step"


def test_a_column_that_one_run_lacks_is_drawn_for_the_others() -> None:
    short = {key: each for key, each in metrics().items() if key != "val_accuracy"}
    _, accuracy, *_ = plots.curves({"vit": metrics(), "cnn": short}).axes
    assert len(accuracy.lines) == 1


def test_columns_by_name_the_learning_rate_only_on_request() -> None:
    assert [axes.get_title() for axes in plots.curves(metrics(), columns=["lr"]).axes] == ["learning rate"]
    assert [axes.get_title() for axes in plots.curves(metrics(), columns=["train_loss"]).axes] == ["training loss"]


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        (metrics(), {"x": "hours"}, "choose epoch, step, seconds"),
        (metrics(), {"columns": ["val_acuracy"]}, "val_accuracy"),
        ({"epoch": [1, 2], "val_loss": [None, None]}, {}, "no numbers to draw"),
        ({"epoch": [1, 2], "val_loss": [1.0]}, {}, "differ in length: epoch 2, val_loss 1"),
        ({}, {}, "unknown column 'epoch'"),
    ],
)
def test_curves_that_cannot_be_drawn(values: Any, options: Any, said: str) -> None:
    with pytest.raises(FittingRoomError, match=said):
        plots.curves(values, **options)


def test_maps_lie_over_their_images_on_one_scale() -> None:
    found = maps()
    figure = plots.image_maps(found)
    *cells, bar = figure.axes
    assert len(cells) == 6 and bar.get_xlabel() == found.unit
    scales = set()
    for place in range(3):
        image, over = cells[2 * place : 2 * place + 2]
        np.testing.assert_array_equal(np.asarray(image.images[0].get_array()), found.images[place])
        grey, heat = over.images
        np.testing.assert_allclose(np.asarray(grey.get_array()), found.images[place].mean(axis=2))
        np.testing.assert_array_equal(np.asarray(heat.get_array()), found.maps[place])
        assert tuple(heat.get_extent()) == tuple(grey.get_extent()) == (-0.5, 39.5, 63.5, -0.5)
        scales.add((heat.norm.vmin, heat.norm.vmax))
    assert len(scales) == 1
    text = words(figure)
    assert "Where information is gathered." in text and "000.Black-footed_" in text and "91 %" in text


@pytest.mark.thorough
def test_positions_and_filters_are_captioned() -> None:
    assert "Each tile belongs to one patch" in words(plots.positions(positions()))
    text = words(plots.filters(Filters(bank=draw(4, 1, 3, 3), explained=None)))
    assert "The filters of the first convolution." in text and "Filters of the first layer" in text


def test_confusion_from_counts_labels_or_scores() -> None:
    labels, predictions = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0])
    expected = np.array([[1, 1, 0], [0, 2, 0], [1, 0, 0]])
    for figure in (
        plots.confusion(expected, class_names=["a", "b", "c"]),
        plots.confusion(labels=labels, predictions=predictions, class_names=["a", "b", "c"]),
        plots.confusion(labels=labels, predictions=np.eye(3)[predictions], class_names=["a", "b", "c"]),
    ):
        (axes,) = figure.axes
        shown = np.asarray(axes.images[0].get_array())
        np.testing.assert_allclose(shown**2, expected / expected.sum(axis=1, keepdims=True))
        assert [text.get_text() for text in axes.texts] == ["1", "1", "2", "1"]
        assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b", "c"]
        assert "3 of 5 images are classified correctly (60.0 %)" in words(figure)
        assert {"truth", "prediction"} <= set(words(figure).splitlines())


def test_many_classes_have_colours_and_the_most_frequent_confusions_in_words() -> None:
    matrix = 50 * np.eye(200, dtype=int)
    matrix[3, 7] = 9
    figure = plots.confusion(matrix, class_names=[f"class_{number}" for number in range(200)])
    (axes,) = figure.axes
    assert not axes.texts and len(axes.get_yticklabels()) <= 50
    assert "class_3 as class_7 (9)." in words(figure)
    assert "No class is confused" in words(plots.confusion(np.eye(20)))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "either counts, or labels and predictions"),
        ({"labels": [0, 1]}, "either counts, or labels and predictions"),
        ({"matrix": np.ones((2, 3))}, r"shape \(2, 3\)"),
        ({"matrix": np.ones((2, 2)), "class_names": ["a"]}, "1 class names do not fit 2 classes"),
        ({"labels": [0, 1], "predictions": [0]}, "do not match"),
        ({"labels": [0, 5], "predictions": [0, 1], "class_names": ["a", "b"]}, "from 0 to 1"),
    ],
)
def test_confusion_that_makes_no_sense(given: Any, said: str) -> None:
    with pytest.raises(FittingRoomError, match=said):
        plots.confusion(**given)


@pytest.mark.thorough
def test_the_module_needs_neither_torch_nor_pyplot() -> None:
    code = "import sys; from fittingroom.report import plots; print({'torch', 'matplotlib.pyplot'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
