"""`fittingroom predict`: what a trained network says about picture files."""

import argparse
import codecs
import csv
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fittingroom.core.errors import FittingRoomError

if TYPE_CHECKING:
    from fittingroom.api.predict import FilePrediction

EXIT_BAD_FILES = 1


def predict(args: argparse.Namespace) -> int:
    """`fittingroom predict`"""
    if args.none is None and (args.data or args.data_dir):
        raise FittingRoomError(
            "--data and --data-dir say where the training pictures are, which only --none needs: add it"
        )
    if args.csv and args.json:
        raise FittingRoomError("--csv and --json are different formats of the output: give one of them")
    from fittingroom.api.predict import predict_files
    from fittingroom.api.runs import load_run

    run = load_run(args.run, data_dir=args.data_dir, data=args.data)
    alarms = None if args.none is None else args.none / 100
    if alarms is not None and not 0 < alarms < 1:
        raise FittingRoomError(f"--none {args.none:g}: give a percentage above 0 and below 100, such as 5")
    found = predict_files(run, _paths(args.files), top=args.top, alarms=alarms)
    bad = []

    def watched() -> Iterator["FilePrediction"]:
        for each in found:
            if each.error:
                bad.append(each.error)
            yield each

    if args.json:
        _write_json(watched(), run.name)
    elif args.csv:
        _write_csv(watched(), args.top, alarms is not None)
    else:
        _write_lines(watched())
    for error in bad:
        print(f"fittingroom: {error}", file=sys.stderr)
    return EXIT_BAD_FILES if bad else 0


def _paths(words: list[str]) -> Iterator[Path]:
    """The files and folders of the command line. `-` stands for those on standard input."""
    for word in words:
        if word != "-":
            yield Path(word)
            continue
        yield from map(Path, _names(sys.stdin.buffer.read()))


def _names(content: bytes) -> list[str]:
    """The names in a list: one per line or separated by NUL. PowerShell begins lists with a mark, and writes UTF-16."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = content.decode("utf-16", "replace")
    else:
        text = os.fsdecode(content.removeprefix(codecs.BOM_UTF8))
    # Not `splitlines`: some characters that it takes for the end of a line may be in a name.
    names = text.split("\0") if "\0" in text else [line.removesuffix("\r") for line in text.split("\n")]
    return [name for name in names if name]


def _write(text: str) -> None:
    """Write to standard output. Names of files keep the bytes that they have on the disk, UTF-8 or not."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))


def _write_lines(found: Iterator["FilePrediction"]) -> None:
    from fittingroom.core.text import shown

    for each in found:
        answer = ", ".join(f"{label} {100 * prob:.1f} %" for label, prob in each.classes) or "cannot be read"
        answer = f"none of these ({answer})" if each.none_of_these else answer
        _write(f"{shown(str(each.file))}: {answer}\n")
        for note in each.notes:
            _write(f"    {note}\n")


def _write_csv(found: Iterator["FilePrediction"], top: int, told: bool) -> None:
    places = ["", *(f"_{place}" for place in range(2, top + 1))]
    names = [name for place in places for name in (f"label{place}", f"probability{place}")]
    _write(_row(["file", *names, *(["none_of_these", "usual"] if told else []), "notes", "error"]))
    for each in found:
        answer = [value for label, prob in each.classes for value in (label, f"{prob:.6f}")] or [""] * len(names)
        usual = (
            [] if not told else ["", ""] if each.usual is None else [str(int(each.none_of_these)), f"{each.usual:.4f}"]
        )
        _write(_row([str(each.file), *answer, *usual, "; ".join(each.notes), each.error]))


def _row(values: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def _write_json(found: Iterator["FilePrediction"], run: str) -> None:
    """One object, written while the files are read. Bytes of names that are not UTF-8 become lone surrogates, as in Python."""
    _write(f'{{"run": {json.dumps(run)}, "predictions": [')
    for number, each in enumerate(found):
        row = {
            "file": str(each.file),
            "classes": [{"label": label, "probability": round(prob, 6)} for label, prob in each.classes],
            **({} if each.usual is None else {"none_of_these": each.none_of_these, "usual": round(each.usual, 4)}),
            "notes": list(each.notes),
            "error": each.error or None,
        }
        _write(f"{',' if number else ''}\n{json.dumps(row)}")
    _write("\n]}\n")
