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
from fittingroom.report.inspection import Column, filters, panel, pictures, record, save, write_inspection
from fittingroom.report.inspection.places import neighbour_words
from fittingroom.report.inspection.style import WIDTH, common_scale, wrapped
from tests.inspection_fixture import CLASSES, draw, faithfulness, findings, images, inspection, positions

KINDS = ["panel", "vit-heads", "vit-rollout", "vit-head-statistics", "vit-positions", "vit-filters"]
PROVEN = [*KINDS, "vit-faithfulness", "vit-randomisation"]


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return dict(pictures(inspection(findings(faithfulness=faithfulness()))))


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))  # type: ignore[union-attr]


def shown(figure: Figure) -> list[Any]:
    """The arrays of all images in it, colour bars left out."""
    return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]


def test_every_picture_is_there(drawn: dict[str, Figure]) -> None:
    assert list(drawn) == PROVEN
    bare = findings("cnn", attention=None, positions=None, title="Grad-CAM", method="gradcam")
    assert list(pictures(inspection(bare))) == ["panel", "cnn-filters"]


@pytest.mark.parametrize("kind", PROVEN)
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
        if not (kind == "vit-randomisation" and _is_layer(text) and _is_layer(other)):
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
    return text in ("nothing", *faithfulness().layers)


@pytest.mark.parametrize("kind", PROVEN)
def test_letters_can_be_read_at_400_pixels(drawn: dict[str, Figure], kind: str) -> None:
    pixels_a_point = 400 / (72 * drawn[kind].get_figwidth())
    sizes = [float(text.get_fontsize()) for text in drawn[kind].findobj(Text) if text.get_text().strip()]  # type: ignore[union-attr]
    assert min(sizes) * pixels_a_point > 9


def test_the_panel_shows_maps_on_one_scale_with_answers_under_them() -> None:
    caption = "It is not shown to do better here than a random map."
    networks = (
        findings("vit"),
        findings("cnn", title="Grad-CAM", caption=caption, saliency=5 * draw(3, 28, 28, seed=7)),
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


def test_where_nobody_knows_the_truth_nothing_is_called_right_or_wrong() -> None:
    figure = pictures(inspection(findings(), labels=False))["panel"]
    assert "✓" not in words(figure) and "✗" not in words(figure)


def test_a_map_of_nothing_says_so() -> None:
    empty = findings(saliency=np.zeros((3, 28, 28), dtype=np.float32))
    assert words(pictures(inspection(empty))["panel"]).count("nothing\nfound") == 3


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


def test_heads_and_rollout_show_shares_of_an_even_one(drawn: dict[str, Figure]) -> None:
    attention = findings().attention
    assert attention is not None
    maps = [each for each in shown(drawn["vit-heads"]) if each.shape == (7, 7)]
    np.testing.assert_allclose(np.stack(maps).reshape(4, 4, 7, 7), 49 * attention.heads, rtol=1e-5)
    steps = [each for each in shown(drawn["vit-rollout"]) if each.shape == (7, 7)]
    np.testing.assert_allclose(np.stack(steps), 49 * attention.rollout, rtol=1e-5)


def test_head_statistics_have_units_and_the_line_of_even_attention(drawn: dict[str, Figure]) -> None:
    text = words(drawn["vit-head-statistics"])
    assert "(nats)" in text and "(pixels)" in text and "block" in text
    entropy, distance = drawn["vit-head-statistics"].axes
    assert [float(axes.lines[0].get_ydata()[0]) for axes in (entropy, distance)] == [3.9, 14.6]  # type: ignore[index]
    heads = np.stack([np.asarray(line.get_ydata()) for line in entropy.lines[2:]], axis=1)
    np.testing.assert_allclose(heads, findings().attention.entropy)  # type: ignore[union-attr]


def test_position_tiles_are_in_their_places_and_explained_by_a_sentence(drawn: dict[str, Figure]) -> None:
    tiles = [each for each in shown(drawn["vit-positions"]) if each.shape == (7, 7)]
    np.testing.assert_array_equal(np.stack(tiles).reshape(7, 7, 7, 7), positions().similarity)
    text = words(drawn["vit-positions"]).replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")
    assert "Each tile belongs to one patch" in text and "50 % of the patches" in text and "by chance 13 %" in text
    mirrored = neighbour_words(positions(mirrored=0.97)).replace("\N{NO-BREAK SPACE}", " ")
    assert "97 % of the patches off the middle" in mirrored and "98 % (by chance 23 %)" in mirrored


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
    with pytest.raises(FittingRoomError, match="over 7 channels"):
        filters(draw(8, 7, 3, 3), "no picture")


def test_the_proof_says_who_does_no_better_than_random(drawn: dict[str, Figure]) -> None:
    text = words(drawn["vit-faithfulness"])
    assert "Grad-CAM\n" in text and "\nno" in text and text.count("\nyes") == 3 and "1,000 images" in text
    deletion = drawn["vit-faithfulness"].axes[0]
    np.testing.assert_allclose(np.asarray(deletion.lines[0].get_ydata()), [0.9, 0.5, 0.1])
    lines = drawn["vit-randomisation"].axes[0].lines
    np.testing.assert_allclose(np.asarray(lines[1].get_ydata()), [1.0, *faithfulness().correlations["attention"]])


def test_scales_cut_only_what_lies_far_out() -> None:
    plain, _ = common_scale([np.linspace(0, 4, 1000)])
    assert plain.vmax == 4
    values = np.ones(1000)
    values[0] = 100.0
    cut, extend = common_scale([values])
    assert cut.vmax == 1 and extend == "max"
    assert common_scale([np.zeros(10)])[0].vmax == 1


def test_wrapped_lines_hold_all_words_and_fit() -> None:
    text = ("Where attention goes, " * 20).strip()
    assert " ".join(wrapped(text)) == text and len(wrapped(text)) > 3
    assert wrapped("a" * 500) == ["a" * 500]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_same_findings_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for folder in ("a", "b"):
        save(pictures(inspection(findings()))["panel"], tmp_path / folder, "panel", [suffix])
    one, other = ((tmp_path / folder / f"panel.{suffix}").read_bytes() for folder in ("a", "b"))
    assert one == other and len(one) > 5000
    with pytest.raises(FittingRoomError, match="choose png, svg"):
        save(pictures(inspection(findings()))["panel"], tmp_path, "panel", ["pdf"])


def test_a_picture_shows_itself_in_a_notebook() -> None:
    assert pictures(inspection(findings()))["panel"]._repr_png_().startswith(b"\x89PNG")


def test_all_is_written_and_the_numbers_are_the_findings(tmp_path: Path) -> None:
    found = inspection(findings(faithfulness=faithfulness()))
    paths = write_inspection(found, tmp_path / "out", ["png"], ["fittingroom", "explain"])
    assert [path.name for path in paths] == [*(f"{name}.png" for name in PROVEN), "explain.json"]
    assert all(path.stat().st_size > 0 for path in paths)
    written = json.loads(paths[-1].read_text())
    assert written["command"] == ["fittingroom", "explain"] and written["networks"] == record(found)["networks"]
    (network,) = written["networks"]
    np.testing.assert_allclose(network["probs"], found.networks[0].probs, atol=1e-5)
    assert network["positions"] == {
        "kind": "learned", "neighbours": 0.5, "mirrored": 0.0, "neighbours_folded": 0.98, "chance": 0.13, "chance_folded": 0.23
    }  # fmt: skip
    assert network["faithfulness"]["scores"]["gradcam"]["beats_random"] is False
