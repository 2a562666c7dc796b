"""Alignments in the report: read from files, packed for the page, drawn as a picture; and what damaged files lead to."""

import base64
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.findings import END, Alignment
from fittingroom.report.alignment import Alignments, alignment_section, pack, read_alignments
from fittingroom.report.alignment_page import render_alignment_page, write_alignment_files
from fittingroom.report.inspection import style
from fittingroom.report.inspection.alignment import alignment
from tests.alignment_fixture import SHAPES, TITLES, WORDS, alignments, made_up


def arrays() -> dict[str, Any]:
    """As `comparison.alignments` writes them."""
    data = alignments()
    found: dict[str, Any] = {"words": np.array(data.words)}
    for number, entries in enumerate(data.references):
        found[f"w{number}_references"] = np.array(entries, dtype=np.str_)
    for look in data.looks:
        found[f"m{look.place}_probs"] = np.array([answer.prob for answer in look.answers], dtype=np.float32)
        for number, answer in enumerate(look.answers):
            for name in ("letters", "phonemes", "weights"):
                found[f"m{look.place}_w{number}_{name}"] = np.array(getattr(answer.alignment, name))
    return found


NAMES = ["transformer", "recurrent"]


def written(folder: Path, **changes: Any) -> Path:
    found = {**arrays(), **changes}
    np.savez_compressed(folder / "alignments.npz", **{key: each for key, each in found.items() if each is not None})
    return folder


def picture_words(found: Alignment) -> list[str]:
    figure = alignment(found, "mine")
    FigureCanvasAgg(figure).draw()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]  # type: ignore[union-attr]


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    found, expected = read_alignments(written(tmp_path), NAMES), alignments()
    assert found is not None
    assert (found.words, found.references) == (expected.words, expected.references)
    for look, other in zip(found.looks, expected.looks, strict=True):
        for answer, wanted in zip(look.answers, other.answers, strict=True):
            assert answer.prob == pytest.approx(wanted.prob)
            assert answer.alignment.letters == wanted.alignment.letters
            assert answer.alignment.phonemes == wanted.alignment.phonemes
            np.testing.assert_array_equal(answer.alignment.weights, wanted.alignment.weights)


def test_a_model_without_a_run_is_left_out_and_no_file_is_no_section(tmp_path: Path) -> None:
    assert read_alignments(tmp_path, NAMES) is None
    lacking = {key: None for key in arrays() if key.startswith("m0")}
    found = read_alignments(written(tmp_path, **lacking), NAMES)
    assert found is not None and [look.place for look in found.looks] == [1]
    assert alignment_section(found, TITLES)["looks"] == [{"place": 1, "title": "RNN with attention"}]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("m0_w1_weights", np.ones((2, 3)), r"m0_w1_weights is \(2, 3\)"),
        ("m0_w1_weights", None, "m0_w1_weights"),
        ("m1_w0_weights", np.full((1, 1, 4, 6), np.nan), "m1_w0_weights holds values outside 0 to 1"),
        ("m1_w0_weights", np.full((1, 1, 4, 6), 1.5), "m1_w0_weights holds values outside 0 to 1"),
        ("m0_probs", np.array([0.5, 1.2]), "m0_probs does not hold 2 probabilities"),
        ("w1_references", None, "w1_references"),
        ("words", np.array([object()]), "damaged"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, key: str, value: Any, words: str) -> None:
    written(tmp_path, **{key: value})
    with pytest.raises(FittingRoomError, match=words) as raised:
        read_alignments(tmp_path, NAMES)
    assert str(tmp_path / "alignments.npz") in str(raised.value)


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "alignments.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(FittingRoomError, match=r"alignments\.npz is damaged.*run the comparison again"):
        read_alignments(tmp_path, NAMES)


def test_weights_are_packed_to_within_a_65535th() -> None:
    weights = alignments().looks[0].answers[0].alignment.weights
    found = np.frombuffer(base64.b64decode(pack(weights)), dtype="<u2").reshape(weights.shape) / 65535
    np.testing.assert_allclose(found, weights, atol=0.5001 / 65535)
    assert pack(np.array([0.0, 1.0])) == base64.b64encode(b"\0\0\xff\xff").decode()


def test_the_section_says_who_is_right_and_how_sure() -> None:
    models = alignment_section(alignments(), TITLES)["data"]["models"]
    assert [[answer["right"] for answer in model["answers"]] for model in models] == [[True, None], [False, None]]
    assert [answer["percent"] for answer in models[0]["answers"]] == ["75 %", "under 1 %"]
    assert models[0]["answers"][0]["letters"] == [*"hello", "end"] and models[1]["answers"][1]["shape"] == [1, 1, 4, 6]


def test_names_are_escaped_and_nothing_is_asked_of_the_network() -> None:
    data = alignments()
    evil = Alignments(words=["<b>&\udcff", "</script><i>"], references=data.references, looks=data.looks)
    page = render_alignment_page(["<u>mine\udcff", "other"], evil)
    page.encode()
    assert "<b>&" not in page and "<u>" not in page and "<i>" not in page
    assert r"&lt;b&gt;&amp;\udcff" in page
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page) and "@import" not in page


@pytest.mark.thorough
@pytest.mark.parametrize("place", [0, 1])
def test_the_picture_has_a_titled_map_for_every_layer_and_head(place: int) -> None:
    found = alignments().looks[place].answers[0].alignment
    figure = alignment(found, "mine")
    maps = [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]
    layers, heads = SHAPES[place]
    assert len(maps) == layers * heads
    for number, shown in enumerate(maps):
        np.testing.assert_allclose(shown, found.weights[divmod(number, heads)])
    words = picture_words(found)
    titles = [f"layer {layer + 1}, head {head + 1}" for layer in range(layers) for head in range(heads)]
    assert set(titles if place == 0 else ["its only attention"]) <= set(words)
    assert any(word.startswith("mine: hello") for word in words)


@pytest.mark.thorough
@pytest.mark.parametrize("word", ["a", "hello", "photographically", "a" * 63, "w" * 30])
def test_no_letter_lies_on_another_and_nothing_leaves_the_picture(word: str) -> None:
    found = made_up(np.random.default_rng(1), word, ("HH", "NG", "<unknown>"), (2, 4))
    figure = alignment(found, "a model with a name that is far too long for the title of one picture")
    FigureCanvasAgg(figure).draw()
    page = figure.bbox
    for axes in filter(lambda each: each.images, figure.axes):  # the colour bar has ticks out of view
        boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        assert all(first.x1 <= second.x0 + 6 for first, second in pairwise(boxes))
        for box in [*boxes, *(label.get_window_extent() for label in axes.get_yticklabels() if label.get_text())]:
            assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0
    for text in figure.texts:
        assert text.get_window_extent().x1 <= page.x1, text.get_text()


def test_symbols_without_a_glyph_are_boxes_and_named_and_mathematics_is_text() -> None:
    found = made_up(np.random.default_rng(1), "$x你^\x1b", ("你好", "$"), (1, 2))
    words = picture_words(found)  # a missing glyph would be a warning, which is an error here
    assert "□" in words and any("lacks, U+4F60" in word for word in words) and "$" in words


def test_a_long_answer_is_cut_without_measuring_each_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    monkeypatch.setattr(style, "text_width", lambda text: measured.append(text) or len(text) / 10)
    assert [style.shortened(text, 0.5) for text in ("abcde", "abcdef", "a", "x" * 9)] == [
        "abcde",
        "abcd…",
        "a",
        "xxxx…",
    ]
    assert style.shortened("abc", 0.01) == "a…"
    measured.clear()
    assert len(style.shortened("a" * 20_000, 7.0)) == 70 and len(measured) < 20


def test_a_symbol_as_long_as_a_sentence_leaves_space_for_the_map() -> None:
    figure = alignment(made_up(np.random.default_rng(1), "abc", ("x" * 300, "B"), (1, 1)), "mine")
    (axes,) = [axes for axes in figure.axes if axes.images and axes.get_yticklabels()[0].get_text().startswith("x")]
    place = axes.get_position()
    assert 0 < place.x0 < place.x1 < 1 and place.width * figure.get_figwidth() > 1


@pytest.mark.thorough
def test_each_ending_gets_its_file_and_a_folder_gets_all(tmp_path: Path) -> None:
    data = alignments()
    one = Alignments(words=WORDS[:1], references=data.references[:1], looks=[_first(data)])
    for name in ("x.png", "y.SVG", "z.html"):
        (path,) = write_alignment_files(tmp_path / name, "mine", one)
        assert path.exists() and path.name.lower() == name.lower()
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    both = Alignments(words=WORDS, references=data.references, looks=data.looks[:1])
    with pytest.raises(FittingRoomError, match=r"one picture for 2 words: name a folder, or a page"):
        write_alignment_files(tmp_path / "w.png", "mine", both)
    names = [path.name for path in write_alignment_files(tmp_path / "all", "mine", both)]
    assert names == ["alignments.html", "hello.png", "naïve.png"]


@pytest.mark.thorough
def test_names_of_pictures_suit_every_file_system(tmp_path: Path) -> None:
    words = ["../a", "..-A", "你" * 63, END, "a" * 63]
    random = np.random.default_rng(0)
    answers = [
        type(alignments().looks[0].answers[0])(alignment=made_up(random, w, ("A",), (1, 1)), prob=0.5) for w in words
    ]
    look = type(alignments().looks[0])(place=0, answers=answers)
    data = Alignments(words=words, references=[[]] * len(words), looks=[look])
    paths = write_alignment_files(tmp_path / "all", "mine", data)[1:]
    assert [path.name for path in paths] == [
        "---a.png",
        "---A-2.png",
        f"{'你' * 40}.png",
        "-end-.png",
        f"{'a' * 40}.png",
    ]
    assert all(path.parent == tmp_path / "all" and path.exists() for path in paths)


def _first(data: Alignments) -> Any:
    look = data.looks[0]
    return type(look)(place=0, answers=look.answers[:1])
