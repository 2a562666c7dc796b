"""Files of pairs, tables of pictures and split files, as users write them."""

import json
import random
from pathlib import Path

from fittingroom.api.data import load_data
from fittingroom.data.seq2seq.load import load_pair_splits
from tests.command import call
from tests.pairs_fixture import ARABIC, GREEK, HANGUL, made_up, write_tsv
from tests.pictures_fixture import pixels, save

PAIRS = ("train.tsv", "dev.tsv", "test.tsv", "hangul.tsv", "arabic.tsv")
TABLES = ("labels.csv", "labels.tsv", "labels.jsonl", "semicolons.csv", "quoted.csv", "folder/metadata.csv")
SPLIT = "split.csv"


def build_pairs(folder: Path) -> list[str]:
    """Three files of one data set, and two others, one with a mark and CRLF, one with several targets for a source."""
    for seed, (name, number) in enumerate((("train.tsv", 60), ("dev.tsv", 12), ("test.tsv", 12))):
        write_tsv(folder / name, made_up(GREEK, number, seed))
    pairs = made_up(HANGUL, 40)
    text = "".join(f"{source}\t{target}\r\n" for source, target in pairs)
    (folder / "hangul.tsv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    write_tsv(folder / "arabic.tsv", [pair for pair in made_up(ARABIC, 40) for _ in range(2)])
    return list(PAIRS)


def read_pairs(root: Path, name: str, draw: random.Random) -> None:
    """Open the pairs as training does and as `data check` does."""
    three = [str(root / each) for each in PAIRS[:3]]
    files = three if name in PAIRS[:3] else [str(root / name)]
    splits = load_pair_splits(*files)
    assert len(splits.train) and len(splits.val)
    told(["data", "check", *files])


def told(words: list[str]) -> None:
    """The command ends well: the files were read before, so it has no reason to refuse them."""
    code, out, err = call(*words)
    assert (code, err) == (0, ""), err
    assert out


def build_tables(folder: Path) -> list[str]:
    """Tables of 24 pictures in every form, and a split file."""
    names = []
    for place, label in enumerate(("cat", "dog", "owl")):
        for number in range(8):
            names.append((f"pictures/{label}-{number}.png", label))
            save(folder / names[-1][0], pixels(place, number))
    rows = [
        {"path": path, "label": label, "split": "test" if place % 8 == 7 else "train", "group": f"g{place // 2}"}
        for place, (path, label) in enumerate(names)
    ]
    for name, separator, quote in (
        ("labels.csv", ",", ""), ("labels.tsv", "\t", ""), ("semicolons.csv", ";", ""), ("quoted.csv", ",", '"'),
    ):  # fmt: skip
        lines = [list(rows[0]), *([*row.values()] for row in rows)]
        text = "".join(separator.join(f"{quote}{cell}{quote}" for cell in line) + "\n" for line in lines)
        (folder / name).write_text(text)
    (folder / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / SPLIT).write_text((folder / "labels.csv").read_text())
    (folder / "folder").mkdir()
    lines = [f"../{path},{label}" for path, label in names]
    (folder / "folder" / "metadata.csv").write_text("\n".join(["file_name,label", *lines, ""]))
    return [*TABLES, SPLIT]


def read_table(root: Path, name: str, draw: random.Random) -> None:
    """Open the pictures that the table names, or divide those of a good table by a damaged split file."""
    if name == SPLIT:
        data = load_data(root / "labels.jsonl", split_file=root / SPLIT)
    else:
        place = (root / name).parent if "metadata" in name else root / name
        data = load_data(place, skip_bad=draw.random() < 0.5, group=draw.choice((None, "group", "label", r"-(\d)")))
    assert len(data.class_names) > 1
    assert len(data.train) and len(data.val)
    assert repr(data) and data._repr_html_()
