"""Options that several commands share. One function adds each, so its help is the same everywhere."""

import argparse
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from fittingroom.core.errors import FittingRoomError

if TYPE_CHECKING:
    from fittingroom.api.data import Data

SHOWN = 40
"""Characters of a wrong value that a message repeats."""


def whole_number(text: str) -> int:
    """The whole number that `text` writes in plain digits. The type of an option.

    `int` also reads `1_000` and digits of other scripts, which are slips here.
    """
    if not re.fullmatch(r"[+-]?[0-9]{1,30}", text):
        raise argparse.ArgumentTypeError(f"{text[:SHOWN]!r} is not a whole number: write digits, such as 3")
    return int(text)


def folds_setting(text: str) -> str:
    """`--folds 5` or `--folds none` as the setting `folds`."""
    return f"folds={'null' if text == 'none' else text}"


def number(text: str) -> float:
    """The finite number that `text` writes in plain digits, such as 5, 0.5 or 1e-3. The type of an option."""
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", text, re.IGNORECASE):
        raise argparse.ArgumentTypeError(f"{text[:SHOWN]!r} is not a number: write digits, such as 5 or 0.5")
    if not math.isfinite(float(text)):
        raise argparse.ArgumentTypeError(f"{text[:SHOWN]!r} is too large")
    return float(text)


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json"""
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output and nothing else")


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """--data-dir"""
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR",
        help="folder with the files of fashion-mnist, mnist, kmnist or cifar10 (default: the cache or a download; for "
        "fashion-mnist also $FITTINGROOM_DATA and Debian's package)",
    )  # fmt: skip


def add_length(parser: argparse.ArgumentParser) -> None:
    """--epochs or --budget"""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--epochs",
        type=number,
        metavar="N",
        help="passes over the training part; fractions such as 0.5 work (train: 5 for 55,000 images, more for fewer; 10 for all "
        "of cmudict)",
    )
    group.add_argument(
        "--budget",
        metavar="TIME",
        help="wall-clock time for training, such as 90s, 10m or 1.5h; the schedule is adjusted to it",
    )


def add_pairs(parser: argparse.ArgumentParser) -> None:
    """--data, --train, --dev, --test, --stress"""
    parser.add_argument(
        "--data", metavar="NAME",
        help="for image models: a folder or table of pictures, a .npz file, or fashion-mnist; for sequence models: cmudict or a "
        "TSV file of pairs",
    )  # fmt: skip
    for part, what in (("train", "training"), ("dev", "validation"), ("test", "the test")):
        parser.add_argument(
            f"--{part}", metavar="FILE", help=f"TSV file of pairs for {what}; give --train, --dev and --test together"
        )
    parser.add_argument(
        "--stress", metavar="WHAT", help="stress marks of cmudict: strip (39 phonemes) or keep (69) (default: strip)"
    )


def add_moved_data(parser: argparse.ArgumentParser) -> None:
    """--data of a finished run"""
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="where the data of the runs is now (default: where it was when they were trained)",
    )


PICTURES = ("image_size", "resize", "channels", "group", "split_file", "skip_bad")
"""The options of `add_pictures`."""


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """--image-size, --resize, --channels, --group, --split-file, --skip-bad"""
    parser.add_argument(
        "--image-size", metavar="N|HxW",
        help="resize picture files to this size in pixels, such as 64 or 48x64 (default: their own size, at most 64 per side)",
    )  # fmt: skip
    parser.add_argument(
        "--resize", metavar="RULE",
        help="crop (keep the middle), pad or stretch (default: crop, but pad if cropping would cut off too much)",
    )  # fmt: skip
    parser.add_argument(
        "--channels", metavar="N", help="auto, 1 (grey) or 3 (RGB) (default: auto, 1 if every picture is grey)"
    )
    parser.add_argument(
        "--group", metavar="REGEX|COLUMN",
        help="keep pictures of one group in one part; the group is what REGEX matches in the path, or a column of the table",
    )  # fmt: skip
    parser.add_argument(
        "--split-file", metavar="FILE",
        help="table with columns path and split (train, val, test or none), such as the split.csv of a run (default: the program "
        "draws the parts)",
    )  # fmt: skip
    parser.add_argument("--skip-bad", action="store_true", help="list pictures that cannot be read and leave them out")


def add_set(parser: argparse.ArgumentParser) -> None:
    """--set"""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="change a setting of the recipe or the model, such as optim.lr=0.001 or depth=6; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--size", action="append", default=[], metavar="SIZE", dest="settings", type="size={}".format,
        help="size of vit, cnn and hybrid: nano, tiny, small, medium, base or large (default: base; with --budget, the size that "
        "learns most in this time)",
    )  # fmt: skip


def add_plan(parser: argparse.ArgumentParser) -> None:
    """--plan"""
    parser.add_argument(
        "--plan", default="", metavar="PARTS",
        help="fix parts of the speed plan instead of measuring them, such as precision=fp32,compile=false; also device, "
        "channels_last, attention, num_threads",
    )  # fmt: skip


def add_loggers(parser: argparse.ArgumentParser) -> None:
    """--logger"""
    parser.add_argument(
        "--logger", action="append", default=[], metavar="NAME", dest="loggers",
        help="also log to tensorboard or wandb; wandb@project=shoes@group=first sets names; may be repeated. wandb works offline "
        "and needs no account, unless WANDB_MODE is online",
    )  # fmt: skip


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """--quiet"""
    parser.add_argument("--quiet", action="store_true", help="show no progress on standard error")


def add_checkpoint_seconds(parser: argparse.ArgumentParser) -> None:
    """--checkpoint-seconds"""
    parser.add_argument(
        "--checkpoint-seconds", type=number, default=30.0, metavar="S", help="seconds between checkpoints (default: 30)"
    )


def data_of(args: argparse.Namespace, model: str | None = None) -> "Data | None":
    """The data set that the options choose; None if none of them is given.

    With only --data-dir, it is the default data set of `model`.
    """
    from fittingroom.api.data import Data
    from fittingroom.data.images.options import picture_options
    from fittingroom.tasks.base import DataRequest

    request = DataRequest(
        data=args.data, train=args.train, dev=args.dev, test=args.test, stress=args.stress,
        pictures=picture_options(**{name: getattr(args, name) for name in PICTURES}),
    )  # fmt: skip
    if request == DataRequest() and args.data_dir is None:
        return None
    source = args.train or args.data
    if source is None and (args.dev or args.test):
        raise FittingRoomError("--train, --dev and --test belong together: give all three, or one file with --data")
    if source is None:
        source = "cmudict" if args.stress is not None else _default_data(model)
    return Data(source=source, data_dir=args.data_dir, request=request)


def _default_data(model: str | None) -> str:
    from fittingroom.tasks.load import task_of_model

    return "fashion-mnist" if model is None else task_of_model(model).config_class.__dataclass_fields__["data"].default


def parse_sizes(text: str | None) -> list[int]:
    """`1000,5000` as numbers."""
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    if text is not None and (not words or not all(re.fullmatch("[0-9]{1,12}", word) and int(word) for word in words)):
        raise FittingRoomError(f"--train-sizes {text!r}: write whole numbers above 0, such as 1000,10000")
    return [int(word) for word in words]


def parse_settings(settings: list[str]) -> dict[str, str]:
    """KEY=VALUE words as a dictionary."""
    changes = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise FittingRoomError(f"--set {setting!r}: write KEY=VALUE, such as optim.lr=0.001")
        _add(changes, key.strip(), value.strip(), "--set")
    return changes


def parse_plan(text: str) -> dict[str, str]:
    """`precision=fp32,compile=false` as a dictionary."""
    parts = {}
    for word in filter(None, text.split(",")):
        key, equals, value = (part.strip() for part in word.partition("="))
        if not equals or not key or not value:
            raise FittingRoomError(
                f"--plan {text!r}: write PART=VALUE,PART=VALUE, such as precision=fp32,compile=false"
            )
        _add(parts, key, value, "--plan")
    return parts


def _add(values: dict[str, str], key: str, value: str, option: str) -> None:
    """Add a setting. Raises FittingRoomError if it has another value already: one of them would be ignored."""
    if values.get(key, value) != value:
        raise FittingRoomError(f"{option} {key} is given twice, {values[key]} and {value}: give it once")
    values[key] = value


def parse_formats(text: str) -> list[str]:
    """`png`, `svg` or both, separated by a comma."""
    names = [name.strip() for name in text.split(",")]
    if not set(names) <= {"png", "svg"}:
        raise FittingRoomError(f"--format {text!r}: choose png, svg or png,svg")
    return list(dict.fromkeys(names))
