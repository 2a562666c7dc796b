"""The pictures of what networks look at: they show the arrays that they were given, and can be read."""

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.findings import Findings
from fittingroom.report.inspection import Column, filters, panel, pictures, record, save, style, write_inspection
from fittingroom.report.inspection.places import neighbour_words
from fittingroom.report.inspection.style import WIDTH, common_scale, wrapped
from tests.inspection_fixture import (
    CLASSES,
    LONG_NAME,
    draw,
    faithfulness,
    findings,
    images,
    inspection,
    photos,
    positions,
    tall_inspection,
    wide_inspection,
)

KINDS = ["panel", "vit-heads", "vit-rollout", "vit-head-statistics", "vit-positions", "vit-filters"]
ALL = [*KINDS, "vit-faithfulness", "vit-randomisation"]
OWN = [kind.removeprefix("vit-") for kind in ALL[1:]]
OTHERS = [*(f"large-{kind}" for kind in OWN), *(f"{LONG_NAME}-{kind}" for kind in OWN), "wide-panel", "tall-panel"]


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    """Of small grey images ("panel", "vit-..."), of tall ones in colour and of wide ones."""
    tall, wide = (dict(pictures(found)) for found in (tall_inspection(), wide_inspection()))
    grey = pictures(inspection(findings(faithfulness=faithfulness())))
    return {**tall, **wide, "tall-panel": tall["panel"], "wide-panel": wide["panel"], **grey}


def with_panel_only(name: str = "vit", **changes: Any) -> Findings:
    """Findings of which only the panel can be drawn: the other pictures take seconds."""
    return findings(name, attention=None, positions=None, filters=None, **changes)


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))  # type: ignore[union-attr]


def shown(figure: Figure) -> list[Any]:
    """The arrays of all images in it, colour bars left out."""
    return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]


@pytest.mark.thorough
def test_every_picture_is_there(drawn: dict[str, Figure]) -> None:
    assert list(pictures(inspection(findings(faithfulness=faithfulness())))) == ALL
    bare = findings("cnn", attention=None, positions=None, title="Grad-CAM", method="gradcam")
    assert list(pictures(inspection(bare))) == ["panel", "cnn-filters"]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [*ALL, *OTHERS])
def test_nothing_leaves_the_page_or_lies_on_other_words(drawn: dict[str, Figure], kind: str) -> None:
    figure = drawn[kind]
    FigureCanvasAgg(figure).draw()
    hidden = set(_ticks_out_of_view(figure))
    texts = [text for text in figure.findobj(Text) if text not in hidden and text.get_visible()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text().strip()]  # type: ignore[union-attr]
    page = figure.bbox
    for text, box in boxes:
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text
    for (text, box), (other, second) in combinations(boxes, 2):
        if not (kind.endswith("-randomisation") and _is_layer(text) and _is_layer(other)):
            shrunk = box.padded(-1.5), second.padded(-1.5)
            assert not shrunk[0].overlaps(shrunk[1]), f"{text!r} and {other!r}"


def _ticks_out_of_view(figure: Figure) -> Iterator[Text]:
    """Labels that matplotlib makes and does not draw."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    yield from (tick.label1, tick.label2)


def _is_layer(text: str) -> bool:
    """Turned names have boxes that overlap while the letters do not."""
    return text in ("none", *faithfulness().layers) or text.startswith(("blocks.", "…"))


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [*ALL, *OTHERS])
def test_letters_can_be_read_at_400_pixels(drawn: dict[str, Figure], kind: str) -> None:
    pixels_a_point = 400 / (72 * drawn[kind].get_figwidth())
    sizes = [float(text.get_fontsize()) for text in drawn[kind].findobj(Text) if text.get_text().strip()]  # type: ignore[union-attr]
    assert min(sizes) * pixels_a_point > 9


@pytest.mark.thorough
def test_the_panel_shows_maps_on_one_scale_with_answers_under_them() -> None:
    caption = "It is not shown to do better here than a random map."
    networks = (
        with_panel_only("vit"),
        with_panel_only("cnn", title="Grad-CAM", caption=caption, saliency=5 * draw(3, 28, 28, seed=7)),
    )
    found = inspection(*networks)
    figure = pictures(found)["panel"]
    maps = [each for each in shown(figure) if each.dtype == np.float64]
    for place in range(3):
        for number, network in enumerate(networks):
            expected = network.saliency[place] / network.saliency[place].mean()
            np.testing.assert_allclose(maps[2 * place + number], expected, rtol=1e-5)
    scales = {
        (image.norm.vmin, image.norm.vmax)
        for axes in figure.axes
        for image in axes.images
        if image.cmap.name == "magma"
    }
    assert len(scales) == 1
    text = words(figure)
    for answer, share in zip(networks[0].probs.argmax(1), networks[0].probs.max(1), strict=True):
        assert CLASSES[answer] in text and f"{100 * share:.0f} %" in text
    assert "✓" in text or "✗" in text
    assert "not shown to do better" in text.replace("\n", " ") and "times that of an average pixel" in text


@pytest.mark.thorough
def test_where_nobody_knows_the_truth_nothing_is_called_right_or_wrong() -> None:
    figure = pictures(inspection(with_panel_only(), labels=False))["panel"]
    assert "✓" not in words(figure) and "✗" not in words(figure)


@pytest.mark.thorough
def test_a_map_of_nothing_says_so() -> None:
    empty = with_panel_only(saliency=np.zeros((3, 28, 28), dtype=np.float32))
    assert words(pictures(inspection(empty))["panel"]).count("nothing\nfound") == 3


@pytest.mark.thorough
def test_colour_images_and_many_of_them() -> None:
    column = Column(
        title="vit", method="Relevance", caption="What speaks for it.", maps=draw(16, 28, 28), predicted=["a" * 40] * 16,
        probs=draw(16), right=[None] * 16,
    )  # fmt: skip
    figure = panel(images(16, colour=True), [""] * 16, [column])
    assert sum(len(axes.images) for axes in figure.axes) == 32
    assert figure.get_figwidth() == WIDTH and "…" in words(figure)
    with pytest.raises(FittingRoomError, match="do not fit side by side"):
        panel(images(16), [""] * 16, [column] * 6)
    with pytest.raises(FittingRoomError, match="at least one of each"):
        panel(images(0), [], [column])


@pytest.mark.thorough
def test_cells_have_the_shape_of_their_images(drawn: dict[str, Figure]) -> None:
    for kind, ratio in (
        ("panel", 1),
        ("tall-panel", 64 / 40),
        (f"{LONG_NAME}-heads", 8 / 5),
        (f"{LONG_NAME}-rollout", 1.6),
    ):
        figure = drawn[kind]
        cells = [axes.get_position(original=True) for axes in figure.axes if axes.images]
        assert cells
        for cell in cells:
            height, width = cell.height * figure.get_figheight(), cell.width * figure.get_figwidth()
            assert height / width == pytest.approx(ratio, rel=1e-3), kind


@pytest.mark.thorough
def test_long_class_names_take_two_lines_and_long_titles_too(drawn: dict[str, Figure]) -> None:
    text = words(drawn["tall-panel"])
    assert "000.Black-" in text and "footed_alb…" in text and "vit-small-" in text
    assert style.broken("003.Black-footed_albatross", 0.9) == ["003.Black-", "footed_alb…"]
    assert style.broken("Ankle boot", 0.9) == ["Ankle boot"] and style.broken("", 0.9) == [""]
    assert "".join(style.broken("a" * 30, 1.0, most=10)) == "a" * 30
    assert [len(style.broken("every head on a photo with a very long name.jpg", width)) for width in (5.0, 2.5)] == [
        1,
        2,
    ]


@pytest.mark.thorough
def test_only_objects_on_a_plain_ground_get_an_outline() -> None:
    def lines(image: Any) -> int:
        figure = style.sheet(2.0)
        style.outline(style.place(figure, 0, 0, 1, 1), image)
        return sum(np.shape(each.get_paths()[0].vertices)[0] for each in figure.axes[0].collections)

    bright = np.zeros((28, 28), dtype=np.uint8)
    bright[8:20, 8:20] = 200
    colour = np.full((28, 28, 3), (255, 250, 240), dtype=np.uint8)
    colour[8:20, 8:20] = (200, 30, 30)
    assert lines(bright) == lines(colour) > 10
    assert lines(255 - bright) == lines(bright)
    assert lines(photos(1)[0]) == 0 and lines(np.zeros((28, 28), dtype=np.uint8)) == 0


@pytest.mark.thorough
def test_an_image_with_more_pixels_than_its_place_is_smoothed() -> None:
    figure = style.sheet(2.0)
    for side, expected in ((28, "nearest"), (150, "nearest"), (151, "antialiased")):
        axes = style.place(figure, 0, 0, 1, 1)
        style.show_image(axes, np.zeros((side, side, 3), dtype=np.uint8))
        assert axes.images[0].get_interpolation() == expected


@pytest.mark.thorough
def test_of_a_large_grid_some_patches_get_a_tile(drawn: dict[str, Figure]) -> None:
    figure = drawn["large-positions"]
    tiles = [each for each in shown(figure) if each.shape == (12, 40)]
    assert len(tiles) == 4 * 13
    np.testing.assert_array_equal(tiles[14], wide_inspection().networks[0].positions.similarity[4, 4])  # type: ignore[union-attr]
    assert "every third row and column of the 12" in words(figure).replace("\n", " ")


@pytest.mark.thorough
def test_heads_and_rollout_show_shares_of_an_even_one(drawn: dict[str, Figure]) -> None:
    attention = findings().attention
    assert attention is not None
    maps = [each for each in shown(drawn["vit-heads"]) if each.shape == (7, 7)]
    np.testing.assert_allclose(np.stack(maps).reshape(4, 4, 7, 7), 49 * attention.heads, rtol=1e-5)
    steps = [each for each in shown(drawn["vit-rollout"]) if each.shape == (7, 7)]
    np.testing.assert_allclose(np.stack(steps), 49 * attention.rollout, rtol=1e-5)


@pytest.mark.thorough
def test_head_statistics_have_units_and_the_line_of_even_attention(drawn: dict[str, Figure]) -> None:
    text = words(drawn["vit-head-statistics"])
    assert "(nats)" in text and "(pixels)" in text and "block" in text
    entropy, distance = drawn["vit-head-statistics"].axes
    assert [float(axes.lines[0].get_ydata()[0]) for axes in (entropy, distance)] == [3.9, 14.6]  # type: ignore[index]
    heads = np.stack([np.asarray(line.get_ydata()) for line in entropy.lines[2:]], axis=1)
    np.testing.assert_allclose(heads, findings().attention.entropy)  # type: ignore[union-attr]


@pytest.mark.thorough
def test_position_tiles_are_in_their_places_and_explained_by_a_sentence(drawn: dict[str, Figure]) -> None:
    tiles = [each for each in shown(drawn["vit-positions"]) if each.shape == (7, 7)]
    np.testing.assert_array_equal(np.stack(tiles).reshape(7, 7, 7, 7), positions().similarity)
    text = words(drawn["vit-positions"]).replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")
    assert "Each tile belongs to one patch" in text and "50 % of the patches" in text and "by chance: 13 %" in text
    mirrored = neighbour_words(positions(mirrored=0.97)).replace("\N{NO-BREAK SPACE}", " ")
    assert "97 % of the patches off the middle" in mirrored and "98 % (by chance: 23 %)" in mirrored


@pytest.mark.thorough
def test_filters_are_signed_and_components_say_their_share(drawn: dict[str, Figure]) -> None:
    (scale,) = {
        (image.norm.vmin, image.norm.vmax)
        for axes in drawn["vit-filters"].axes
        for image in axes.images
        if image.get_array().shape == (4, 4)  # type: ignore[union-attr]
    }
    limit = np.abs(draw(16, 1, 4, 4) - 0.5).max()
    assert scale == pytest.approx((-limit, limit))
    assert "12 %" in words(drawn["vit-filters"]) and "1.0 %" in words(drawn["vit-filters"])
    assert len(filters(draw(8, 3, 3, 3), "colour").axes) == 8
    assert "Mid-grey is a weight" in words(filters(draw(8, 3, 3, 3), "colour"))
    with pytest.raises(FittingRoomError, match="over 7 channels"):
        filters(draw(8, 7, 3, 3), "no picture")


@pytest.mark.thorough
def test_the_faithfulness_table_says_who_does_no_better_than_random(drawn: dict[str, Figure]) -> None:
    text = words(drawn["vit-faithfulness"])
    assert "Grad-CAM\n" in text and "\nno" in text and text.count("\nyes") == 3 and "1,000 images" in text
    deletion = drawn["vit-faithfulness"].axes[0]
    np.testing.assert_allclose(np.asarray(deletion.lines[0].get_ydata()), [0.9, 0.5, 0.1])
    lines = drawn["vit-randomisation"].axes[0].lines
    np.testing.assert_allclose(np.asarray(lines[1].get_ydata()), [1.0, *faithfulness().correlations["attention"]])


@pytest.mark.thorough
def test_scales_cut_only_what_lies_far_out() -> None:
    plain, _ = common_scale([np.linspace(0, 4, 1000)])
    assert plain.vmax == 4
    values = np.ones(1000)
    values[0] = 100.0
    cut, extend = common_scale([values])
    assert cut.vmax == 1 and extend == "max"
    assert common_scale([np.zeros(10)])[0].vmax == 1


@pytest.mark.thorough
def test_wrapped_lines_hold_all_words_and_fit() -> None:
    text = ("Where attention goes, " * 20).strip()
    assert " ".join(wrapped(text)) == text and len(wrapped(text)) > 3
    assert wrapped("a" * 500) == ["a" * 500]


@pytest.mark.thorough
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_same_findings_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for folder in ("a", "b"):
        save(pictures(inspection(with_panel_only()))["panel"], tmp_path / folder, "panel", [suffix])
    one, other = ((tmp_path / folder / f"panel.{suffix}").read_bytes() for folder in ("a", "b"))
    assert one == other and len(one) > 5000
    with pytest.raises(FittingRoomError, match="choose png, svg"):
        save(pictures(inspection(with_panel_only()))["panel"], tmp_path, "panel", ["pdf"])


@pytest.mark.thorough
def test_a_picture_shows_itself_in_a_notebook() -> None:
    assert pictures(inspection(with_panel_only()))["panel"]._repr_png_().startswith(b"\x89PNG")


@pytest.mark.thorough
def test_all_is_written_and_the_numbers_are_the_findings(tmp_path: Path) -> None:
    found = inspection(findings(faithfulness=faithfulness()))
    paths = write_inspection(found, tmp_path / "out", ["png"], ["fittingroom", "explain"])
    assert [path.name for path in paths] == [*(f"{name}.png" for name in ALL), "explain.json"]
    assert all(path.stat().st_size > 0 for path in paths)
    written = json.loads(paths[-1].read_text())
    assert written["command"] == ["fittingroom", "explain"] and written["networks"] == record(found)["networks"]
    (network,) = written["networks"]
    np.testing.assert_allclose(network["probs"], found.networks[0].probs, atol=1e-5)
    assert network["positions"] == {
        "kind": "learned", "neighbours": 0.5, "mirrored": 0.0, "neighbours_folded": 0.98, "chance": 0.13, "chance_folded": 0.23
    }  # fmt: skip
    assert network["faithfulness"]["scores"]["gradcam"]["beats_random"] is False
