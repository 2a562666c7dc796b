"""Files for a verdict as pandas, numpy, spreadsheets and other tools write them; what is doubtful is refused, not guessed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.api.csv_arrays import read_csv
from fittingroom.api.prediction_files import read_array, read_prediction_files
from fittingroom.cli.main import main
from fittingroom.core.errors import FittingRoomError
from tests.unit.api.test_run_predictions import LABELS as RUN_LABELS
from tests.unit.api.test_run_predictions import drawn, write_run

NAMES = ("cat", "dog", "eel")
LABELS = np.arange(12) % 3
PROBS = np.random.default_rng(0).dirichlet(np.ones(3), 12).round(6)
PROBS[:, 2] = (1 - PROBS[:, 0] - PROBS[:, 1]).round(6)


def lines(array: Any, delimiter: str = ",", comma: bool = False) -> list[str]:
    rows = [delimiter.join(f"{value:.6f}" for value in row) for row in array]
    return [row.replace(".", ",") for row in rows] if comma else rows


def numbered(rows: list[str], step: int = 1) -> list[str]:
    return [f"{place * step % len(rows)},{row}" for place, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (["0,1,2", *lines(PROBS)], ()),
        ([",0,1,2", *numbered(lines(PROBS))], ()),
        (["3,5,8", *lines(PROBS)], ("3", "5", "8")),
        ([",cat,dog,eel", *numbered(lines(PROBS))], NAMES),
        (["# cat,dog,eel", *lines(PROBS)], NAMES),
        (["cat;dog;eel", *lines(PROBS, ";", comma=True)], NAMES),
        (lines(PROBS, ";", comma=True), ()),
        (["cat\tdog\teel", *lines(PROBS, "\t", comma=True)], NAMES),
        (lines(PROBS, " "), ()),
        (["# cat dog eel", *lines(PROBS, " ")], NAMES),
    ],
    ids=[
        "counted",
        "index",
        "numbers",
        "named index",
        "comment",
        "semicolon",
        "no header",
        "tab",
        "savetxt",
        "savetxt header",
    ],
)
def test_tables_of_other_tools_are_read(rows: list[str], names: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("\n".join(rows) + "\n")
    found, header = read_array(tmp_path / "x.csv")
    np.testing.assert_allclose(found, PROBS, atol=1e-9)
    assert header == names


def test_a_sure_first_answer_is_no_header(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1,0\n0.3,0.7\n0.2,0.8\n0,1\n")
    found, header = read_array(tmp_path / "x.csv")
    np.testing.assert_allclose(found, [[1, 0], [0.3, 0.7], [0.2, 0.8], [0, 1]])
    assert header == ()


def test_one_label_in_words_is_read_and_lines_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("cat\n")
    assert read_csv(tmp_path / "labels.csv")[0].tolist() == [["cat"]]
    (tmp_path / "x.csv").write_text("0.5,0.5\n\n\n0.2,0.8\n0.1,x\n0.4,0.6\n")
    with pytest.raises(FittingRoomError, match=r"line 5: '0\.1,x' holds a value that is not a number"):
        read_csv(tmp_path / "x.csv")


def test_the_header_of_two_classes_is_no_image(tmp_path: Path) -> None:
    """pandas names two columns 0 and 1, which as probabilities would be a picture of class 1."""
    two = np.stack([PROBS[:, 0], 1 - PROBS[:, 0]], axis=1)
    (tmp_path / "x.csv").write_text("\n".join(["0,1", *lines(two)]))
    np.testing.assert_allclose(read_array(tmp_path / "x.csv")[0], two, atol=1e-9)
    (tmp_path / "named.csv").write_text("\n".join(["1,2", *lines(two)]))
    assert read_array(tmp_path / "named.csv")[1] == ("1", "2")
    (tmp_path / "hard.csv").write_text("0,1\n1,0\n0,1\n")
    assert len(read_array(tmp_path / "hard.csv")[0]) == 3


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (["cat", *["dog", "eel"] * 5, "dog"], None),
        (["label", *np.array(NAMES)[LABELS]], LABELS),
        ([",label", *numbered(list(np.array(NAMES)[LABELS]))], LABELS),
        ([",label", *numbered([str(each) for each in LABELS])], LABELS),
    ],
    ids=["a class only in the first line", "header", "index", "index and numbers"],
)
def test_the_first_label_is_a_header_only_if_it_is_one_too_many(
    content: list[str], expected: Any, tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", PROBS)
    (tmp_path / "y.csv").write_text("\n".join(content))
    found = read_prediction_files([f"vit={tmp_path}/x.npy"], tmp_path / "y.csv").labels
    wanted = content if expected is None else expected if found.dtype.kind == "f" else np.array(NAMES)[expected]
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["0", *map(str, LABELS)], r"y\.csv has 13 lines for 12 images: if its first line, 0, is a header as pandas"),
        (["file,label", *[f"{n}.jpg,cat" for n in LABELS]], r"y\.csv has 2 columns: give one column with the class"),
        ([",label", *numbered(["cat"] * 12, 5)], r"y\.csv: its first column has no name and is no count of the lines"),
    ],
)
def test_doubtful_labels_are_refused(rows: list[str], words: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", PROBS)
    (tmp_path / "y.csv").write_text("\n".join(rows))
    with pytest.raises(FittingRoomError, match=words):
        read_prediction_files([f"vit={tmp_path}/x.npy"], tmp_path / "y.csv")


def test_a_class_may_be_called_nan(tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text("bread\npita\nnan\npita\nnan\n")
    found, header = read_array(tmp_path / "y.csv")
    assert (found.ravel().tolist(), header) == (["pita", "nan", "pita", "nan"], ("bread",))


def test_a_column_of_file_names_is_shown(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", LABELS)
    (tmp_path / "x.csv").write_text("\n".join(["id,cat,dog,eel", *[f"img{each}" for each in numbered(lines(PROBS))]]))
    with pytest.raises(FittingRoomError, match=r"holds text such as 'img11': give probabilities and nothing else"):
        read_prediction_files([f"vit={tmp_path}/x.csv"], tmp_path / "y.npy")


def test_a_comma_at_the_end_of_the_lines_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", LABELS)
    (tmp_path / "x.csv").write_text("\n".join(["cat,dog,eel,", *[f"{each}," for each in lines(PROBS)]]))
    with pytest.raises(
        FittingRoomError, match=r"x\.csv has an empty cell in its last line: give a number for each class"
    ):
        read_prediction_files([f"vit={tmp_path}/x.csv"], tmp_path / "y.npy")


def test_names_may_hold_an_equals_sign_and_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "x.npy", PROBS)
    np.save(tmp_path / "y.npy", LABELS)
    words = [f"vit@size=small={tmp_path}/x.npy", f"cnn ={tmp_path}/x.npy", "cnn=~/x*.npy"]
    found = read_prediction_files(words, tmp_path / "y.npy").probs
    assert {name: len(arrays) for name, arrays in found.items()} == {"vit@size=small": 1, "cnn": 2}


def test_an_array_without_seeds_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", np.zeros((0, 12, 3)))
    np.save(tmp_path / "y.npy", LABELS)
    assert main(["verdict", "--labels", f"{tmp_path}/y.npy", f"vit={tmp_path}/x.npy"]) == 2
    assert "vit has no predictions" in capsys.readouterr().err


def test_classes_in_another_order_than_the_files_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.csv").write_text("\n".join(["cat,dog,eel", *lines(PROBS)]))
    (tmp_path / "y.csv").write_text("\n".join(["label", *np.array(NAMES)[LABELS]]))
    words = ["verdict", "--labels", f"{tmp_path}/y.csv", f"vit={tmp_path}/x.csv", "--classes"]
    assert main([*words, "dog,cat,eel"]) == 2
    assert "--classes has the classes in another order than the files (cat, dog, eel)" in capsys.readouterr().err
    assert main([*words, "cat, dog, eel", "--json"]) == 0
    assert "headline" in json.loads(capsys.readouterr().out)


def test_the_report_never_replaces_predictions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", PROBS)
    np.save(tmp_path / "y.npy", LABELS)
    words = ["verdict", "--labels", f"{tmp_path}/y.npy", f"vit={tmp_path}/x.npy", "--out"]
    assert main([*words, f"{tmp_path}/x.npy"]) == 2
    assert "x.npy would overwrite predictions" in capsys.readouterr().err
    assert main([*words, str(tmp_path)]) == 2
    assert "is a folder: give a file in it" in capsys.readouterr().err
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), PROBS)


def test_labels_in_another_order_than_those_of_a_run_are_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit")
    np.save(tmp_path / "y.npy", RUN_LABELS[::-1])
    (tmp_path / "y.csv").write_text("\n".join(["label", *np.array(NAMES)[np.roll(RUN_LABELS, 1)]]))
    (tmp_path / "same.csv").write_text("\n".join(["label", *np.array(NAMES)[RUN_LABELS]]))
    for name, different in (("y.npy", 40), ("y.csv", 60)):
        with pytest.raises(FittingRoomError, match=rf"{name} and .*vit have different labels for {different} of 60"):
            read_prediction_files([f"vit={run}"], tmp_path / name)
    assert len(read_prediction_files([f"vit={run}"], tmp_path / "same.csv").labels) == 60


def test_groups_come_from_whichever_run_knows_them(tmp_path: Path) -> None:
    group = np.arange(60) // 5
    without, known = write_run(tmp_path / "a"), write_run(tmp_path / "b", group=group + 7, probs=drawn(1))
    again = write_run(tmp_path / "c", group=11 - group, probs=drawn(2))
    for words in ([f"a={without}", f"b={known}"], [f"b={known}", f"a={without}"], [f"b={known}", f"c={again}"]):
        np.testing.assert_array_equal(read_prediction_files(words, None).groups, group)  # type: ignore[arg-type]
    other = write_run(tmp_path / "d", group=np.arange(60) // 6)
    with pytest.raises(FittingRoomError, match=r"d has other groups of images than .*b: give runs of one data set"):
        read_prediction_files([f"b={known}", f"d={other}"], None)
