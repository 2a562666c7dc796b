"""Tables of pictures: CSV, TSV, JSON lines, metadata as Hugging Face has it."""

from pathlib import Path

import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.table import is_table, list_table, list_tables, metadata_of


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refused(path: Path) -> str:
    with pytest.raises(FittingRoomError) as caught:
        list_table(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "path,label,split,group\nx/1.png,cat,train,p1\ny.png,dog,test,p2\n"),
        ("a.csv", "\ufeffFile_Name;Class;Split;Group\nx/1.png;cat;training;p1\ny.png;dog;Test;p2\n"),
        ("a.tsv", "path\tlabel\tsplit\tgroup\nx/1.png\tcat\ttrain\tp1\ny.png\tdog\ttest\tp2\n"),
        (
            "a.jsonl",
            '{"file_name": "x/1.png", "label": "cat", "split": "train", "group": "p1"}\n\n'
            '{"file_name": "y.png", "label": "dog", "split": "test", "group": "p2"}\n',
        ),
    ],
    ids=["csv", "csv from a spreadsheet", "tsv", "json lines"],
)
def test_rows_name_path_label_split_and_group(tmp_path: Path, name: str, text: str) -> None:
    listing = list_table(write(tmp_path / name, text))
    assert [(each.path, each.name, each.label, each.part, each.group) for each in listing.pictures] == [
        (str(tmp_path / "y.png"), "y.png", "dog", "test", "p2"),
        (str(tmp_path / "x/1.png"), "x/1.png", "cat", "train", "p1"),
    ]
    assert listing.title == "a"


def test_labels_may_be_numbers_and_groups_any_column(tmp_path: Path) -> None:
    rows = (f'{{"image": "{n}.png", "label": {n}, "patient": {n // 2}}}\n' for n in (10, 9, 2))
    path = write(tmp_path / "a.jsonl", "".join(rows))
    listing = list_table(path, group="patient")
    assert listing.class_names == ("2", "9", "10") and [each.group for each in listing.pictures] == ["5", "1", "4"]


def test_metadata_of_a_folder_or_of_its_parts_is_found(tmp_path: Path) -> None:
    write(tmp_path / "train" / "metadata.csv", "file_name,label\n1.png,a\n2.png,b\n")
    write(tmp_path / "validation" / "metadata.jsonl", '{"file_name": "3.png", "label": "a"}\n')
    tables = metadata_of(tmp_path)
    listing = list_tables(tmp_path, tables)
    assert [(each.part, each.name) for each in listing.pictures] == [
        ("train", "train/1.png"), ("train", "train/2.png"), ("val", "validation/3.png")
    ]  # fmt: skip
    write(tmp_path / "metadata.csv", "file_name,label\n1.png,a\n")
    assert metadata_of(tmp_path) == {"": tmp_path / "metadata.csv"}


def test_a_tsv_of_pairs_is_no_table_of_pictures(tmp_path: Path) -> None:
    assert not is_table(write(tmp_path / "pairs.tsv", "cat\tK AE T\n"))
    assert is_table(write(tmp_path / "pictures.tsv", "path\tlabel\n1.png\tcat\n"))
    assert not is_table(tmp_path / "missing.tsv") and is_table(tmp_path / "missing.csv")


def test_a_repeated_row_counts_once(tmp_path: Path) -> None:
    listing = list_table(write(tmp_path / "a.csv", "path,label\n1.png,a\n./1.png,a\n2.png,b\n"))
    assert len(listing.pictures) == 2 and listing.notes == ("1 row of the table repeated",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rows"),
        ("path,label\n", "has no rows"),
        ("name,label\n1.png,a\n", "has no column for the path of the picture (it has name, label): name one 'path'"),
        ("path,kind\n1.png,a\n", "has no column for the label (it has path, kind): name one 'label'"),
        ("path,label\n1.png\n", "row 2 has 1 values for 2 columns"),
        ("path,label\n1.png,\n", "line 2 lacks a label"),
        ("path,label\n,a\n", "line 2 lacks a path"),
        ("path,label,split\n1.png,a,trian\n", "line 2: unknown split 'trian': write train, val or test"),
        ("path,label,split\n1.png,a,train\n2.png,a,\n", "1 rows have no split"),
        ("path,label\n1.png,a\n1.png,b\n", "line 3: 1.png is there twice with different values"),
        ('path,label\n"1.png,a\n', "is not a table"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(write(tmp_path / "a.csv", text))


def test_json_lines_and_encodings_are_checked_too(tmp_path: Path) -> None:
    assert "line 2 is not JSON" in refused(write(tmp_path / "a.jsonl", '{"path": "1.png", "label": "a"}\n{"path"\n'))
    assert "line 1 is not a JSON object" in refused(write(tmp_path / "b.jsonl", "[1]\n"))
    (tmp_path / "c.csv").write_bytes(b"path,label\n\xff.png,a\n")
    assert "is not UTF-8 text" in refused(tmp_path / "c.csv")
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "gone.csv")
