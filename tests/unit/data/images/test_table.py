"""Tables of pictures: CSV, TSV, JSON lines, metadata as Hugging Face has it."""

from pathlib import Path

import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.split_file import with_parts
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


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "path,label\n\n\n1.png,cat\n2.png,\n", "line 5 lacks a label"),
        ("a.csv", 'path,label,note\n1.png,cat,"two\nlines"\n2.png,,x\n', "line 4 lacks a label"),
        ("a.jsonl", '{"path": "1.png", "label": "a"}\n{"path": "2.png", "label": ""}\n', "line 2 lacks a label"),
        ("a.jsonl", '{"path": "1.png", "label": "a"}\n\n{"path": "2.png"}\n', "line 3 has no column for the label"),
        ("a.jsonl", '{"path": "1\u2028.png", "label": "a"}\n{"path": ""}\n', "line 2 has no column for the label"),
        ("a.csv", "path,label,Label\n1.png,cat,dog\n", "has two columns 'label': rename or delete one"),
        ("a.csv", "path,label\nhttps://x.org/1.png,cat\n", "line 2: https://x.org/1.png is a web address: download"),
        ("a.csv", "path,label\n\u00e9.png,cat\ne\u0301.png,dog\n", "two pictures whose names look alike"),
    ],
)
def test_faults_are_named_with_the_line_that_an_editor_shows(tmp_path: Path, name: str, text: str, said: str) -> None:
    assert said in refused(write(tmp_path / name, text))


def test_paths_written_on_windows_are_found(tmp_path: Path) -> None:
    write(tmp_path / "cat" / "1.png", "")
    table = write(tmp_path / "a.csv", "path,label\ncat\\1.png,cat\ncat\\2.png,dog\n")
    assert [each.path for each in list_table(table).pictures] == [
        str(tmp_path / "cat/1.png"), str(tmp_path / "cat\\2.png")
    ]  # fmt: skip


@pytest.mark.parametrize("given", ["./cat/1.png", "cat/1.png", "{root}/cat/1.png"])
def test_names_are_the_same_wherever_the_table_is_opened(
    tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are part of the digest of the data."""
    root = tmp_path / "data"
    write(root / "a.csv", f"path,label\n{given.format(root=root)},cat\n")
    monkeypatch.chdir(root)
    inside = list_table(Path("a.csv"))
    monkeypatch.chdir(tmp_path)
    for listing in (inside, list_table(Path("data/a.csv")), list_table(root / "a.csv")):
        assert [each.name for each in listing.pictures] == ["cat/1.png"]


def test_tables_of_parts_keep_the_parts_in_names_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("train", "test"):
        write(tmp_path / part / "metadata.csv", "file_name,label\n1.png,a\n2.png,b\n")
    monkeypatch.chdir(tmp_path)
    listing = list_tables(Path(), metadata_of(Path()))
    assert [each.name for each in listing.pictures] == ["test/1.png", "test/2.png", "train/1.png", "train/2.png"]


def test_a_split_file_of_json_lines_may_lack_a_key(tmp_path: Path) -> None:
    listing = list_table(write(tmp_path / "a.csv", "path,label\n1.png,cat\n2.png,dog\n"))
    split = write(tmp_path / "s.jsonl", '{"path": "1.png", "split": "train"}\n{"file": "2.png"}\n')
    with pytest.raises(FittingRoomError, match=r"s\.jsonl, line 2 has no column for the split"):
        with_parts(listing, split)
    twice = write(tmp_path / "t.csv", "path,split\n1.png,train\n2.png,test\n1.png,test\n")
    with pytest.raises(FittingRoomError, match=r"t\.csv, line 4: 1\.png is there twice, in different parts"):
        with_parts(listing, twice)
