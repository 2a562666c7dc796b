"""`fittingroom explain`: draw what networks look at."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fittingroom.cli import options
from fittingroom.cli.messages import inspection_message
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_folder
from fittingroom.core.text import file_name

if TYPE_CHECKING:  # heavy: must not be imported for `--help`
    from fittingroom.explain.question import Asked


def explain(args: argparse.Namespace) -> int:
    """`fittingroom explain`"""
    formats = options.parse_formats(args.format)
    if args.split not in ("val", "test"):
        raise FittingRoomError(f"unknown split '{args.split}': choose val or test")
    check_folder(args.out or Path("runs"))
    from fittingroom.cli.status import status
    from fittingroom.explain.inspect import Question, inspect
    from fittingroom.report.inspection import check_place, own_folder, record, write_inspection

    kind, number = _which_images(args)
    question = Question(
        runs=tuple(args.runs), kind=kind, number=number, files=tuple(args.files), method=args.method, target=args.target,
        split=args.split, faithfulness=args.faithfulness, data_dir=args.data_dir, data=args.data,
    )  # fmt: skip
    default = Path("runs")

    def check(asked: "Asked") -> None:
        nonlocal default
        default = Path("runs") / _explain_folder(args, kind, number, asked)
        check_place(args.out, default, asked.question)

    with status(quiet=args.json) as say:
        inspection = inspect(question, say, check)
        folder = args.out or own_folder(default, inspection)
        say("drawing")
        command = ["fittingroom", *sys.argv[1:]]
        paths = write_inspection(inspection, folder, formats, command)
    found = record(inspection, command)
    if args.json:
        print(json.dumps({**found, "files": [str(path) for path in paths]}))
    else:
        print(inspection_message(found, paths))
    return 0


def _which_images(args: argparse.Namespace) -> tuple[Any, int]:
    for kind in ("index", "mistakes", "disagreements"):
        if getattr(args, kind) is not None:
            return kind, getattr(args, kind)
    return ("image", 0) if args.files else ("examples", 0)


def _explain_folder(args: argparse.Namespace, kind: str, number: int, asked: "Asked") -> str:
    """The name of the folder for the pictures: networks, images, and what else was asked."""
    what = [kind] if kind == "examples" else [kind, str(number)]
    if kind == "image":
        what = [args.files[0].stem, *([f"and-{len(args.files) - 1}-more"] if len(args.files) > 1 else [])]
    target = [] if asked.target is None else [asked.target]
    more = [*([args.method] if args.method else []), *target, *(["test"] if args.split == "test" else [])]
    more += [f"faithfulness-{args.faithfulness}"] if args.faithfulness else []
    parts = [*asked.names, *what, *more]
    return file_name("-".join(["explain", *(file_name(part, most=60) for part in parts)]), most=200)
