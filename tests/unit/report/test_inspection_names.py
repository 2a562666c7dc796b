"""Names of any script and length, a user's own settings of matplotlib, and folders that hold one question each."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.findings import Inspection
from fittingroom.report import plots
from fittingroom.report.inspection import check_place, own_folder, pictures, style, write_inspection
from tests.inspection_fixture import findings, inspection

CLASSES = ("日本語", "😀 bag", "a\udcffb", "$x^2$")


def plain() -> Inspection:
    return inspection(findings(attention=None, positions=None, filters=None))


def drawn(found: Inspection) -> dict[str, bytes]:
    return {name: style.render(picture, "png") for name, picture in pictures(found).items()}


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))  # type: ignore[union-attr]


@pytest.mark.thorough
def test_letters_that_no_font_has_become_boxes_without_a_warning() -> None:
    found = replace(plain(), class_names=CLASSES, names=["日本語.png", "b\udcff.png", "\u202e.png"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = pictures(found)
        style.render(made["panel"], "png")
        style.render(made["panel"], "svg")
        style.render(plots.confusion(np.eye(4, dtype=int), class_names=CLASSES), "png")
    assert "□□□" in texts(made["panel"]) and "a□b" in texts(made["panel"])


def test_what_can_be_drawn_stays() -> None:
    box = style.BOX
    assert style.drawable("日é 5\N{NO-BREAK SPACE}%\u202e\udcff\n") == f"{box}é 5\N{NO-BREAK SPACE}%{box}{box}\n"


def test_a_font_of_the_machine_draws_what_ours_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    stix = get_font(findfont(FontProperties(family="STIXGeneral")))
    lacking = next(
        chr(code) for code in range(0x2000, 0xD800)
        if chr(code).isprintable() and not style.has_glyph(chr(code)) and stix.get_char_index(code)
    )  # fmt: skip
    monkeypatch.setattr(style, "OTHER_SCRIPTS", ("A font that nobody has", "STIXGeneral"))
    cached = (style._families, style.has_glyph, style.text_width)
    for each in cached:
        each.cache_clear()
    try:
        assert style._families() == [style.FAMILY, "STIXGeneral"] and style.drawable(lacking) == lacking
    finally:
        monkeypatch.undo()
        for each in cached:
            each.cache_clear()


@pytest.fixture(scope="module")
def expected() -> dict[str, bytes]:
    return drawn(plain())


@pytest.mark.thorough
@pytest.mark.parametrize(
    "settings",
    [{"image.origin": "lower"}, {"savefig.bbox": "tight"}, {"figure.autolayout": True}, {"axes.xmargin": 0.4},
     {"image.cmap": "gray_r", "image.interpolation": "gaussian"}, {"savefig.transparent": True, "savefig.facecolor": "red"},
     {"font.size": 30.0, "axes.titlesize": 40.0}, {"lines.linewidth": 9.0, "figure.constrained_layout.use": True}],
    ids=str,
)  # fmt: skip
def test_a_users_settings_of_matplotlib_change_no_picture(
    settings: dict[str, object], expected: dict[str, bytes]
) -> None:
    with matplotlib.rc_context(settings):  # type: ignore[arg-type]
        assert drawn(plain()) == expected
        assert settings.items() <= {**matplotlib.rcParams}.items(), "and stay as they are"


@pytest.mark.thorough
def test_a_network_of_a_long_name_gives_files_of_its_own() -> None:
    long = [findings("長" * 80 + end, attention=None, positions=None) for end in ("a", "b")]
    names = list(pictures(inspection(*long)))
    assert len(set(names)) == 3 and all(len(f"{name}.png".encode()) < 150 for name in names)


def asked(number: int) -> Inspection:
    return replace(plain(), question={"kind": "index", "number": number})


def test_pictures_of_another_question_are_never_overwritten(tmp_path: Path) -> None:
    write_inspection(asked(1), tmp_path / "x", ["png"])
    write_inspection(asked(1), tmp_path / "x", ["svg"])
    kept = {path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()}
    with pytest.raises(FittingRoomError, match="x holds pictures for other networks, images or options"):
        write_inspection(asked(2), tmp_path / "x", ["png"])
    assert kept == {path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()}
    assert json.loads(kept["explain.json"])["question"] == {"kind": "index", "number": 1}


def test_a_new_question_gets_a_numbered_folder_and_an_old_one_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fittingroom.report.inspection.write.pictures", lambda inspection: {})
    base = tmp_path / "runs" / "explain"
    for number, name in ((1, "explain"), (2, "explain-2"), (1, "explain"), (3, "explain-3"), (2, "explain-2")):
        folder = own_folder(base, asked(number))
        assert folder.name == name
        write_inspection(asked(number), folder, ["png"])
    (base / "explain.json").unlink()  # of an interrupted command: nobody knows whose pictures these are
    assert own_folder(base, asked(1)).name == "explain-4"
    (tmp_path / "file").write_text("I was here first")
    assert own_folder(tmp_path / "file", asked(1)).name == "file-2"


def test_a_place_is_checked_before_the_work_and_nothing_is_made(tmp_path: Path) -> None:
    write_inspection(asked(1), tmp_path / "x", ["png"])
    (tmp_path / "file").write_text("I was here first")
    kept = sorted(tmp_path.rglob("*"))
    for out, default, number in (
        (tmp_path / "x", Path(), 1),
        (tmp_path / "new" / "deep", Path(), 2),
        (None, tmp_path / "x", 2),
        (None, tmp_path / "file", 1),
        (None, tmp_path / "runs" / "new", 1),
    ):
        check_place(out, default, asked(number).question)
    for out, default, said in (
        (tmp_path / "x", Path(), "x holds pictures for other networks, images or options"),
        (tmp_path / "file", Path(), "file is not a folder: choose another with --out"),
        (tmp_path / "file" / "deep", Path(), "file is not a folder: choose another with --out"),
        (None, tmp_path / "file" / "x", "file is not a folder: choose another with --out"),
    ):
        with pytest.raises(FittingRoomError, match=said):
            check_place(out, default, asked(2).question)
    assert sorted(tmp_path.rglob("*")) == kept
