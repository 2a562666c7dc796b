"""Options that several commands share: one function adds each, so its words are the same everywhere."""

import argparse
import re
from pathlib import Path

from fittingroom.core.errors import FittingRoomError


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json"""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object on standard output, and nothing else there"
    )


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """--data-dir"""
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR",
        help="folder of the four Fashion-MNIST files (default: $FITTINGROOM_DATA, the cache, Debian's package, download)",
    )  # fmt: skip


def add_length(parser: argparse.ArgumentParser) -> None:
    """--epochs or --budget"""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--epochs", type=float, metavar="N", help="passes over the training part; part of one is fine: 0.5"
    )
    group.add_argument(
        "--budget",
        metavar="TIME",
        help="wall-clock to train for, such as 90s, 10m or 1.5h; the schedule is fitted to it",
    )


def add_pairs(parser: argparse.ArgumentParser) -> None:
    """--data, --train, --dev, --test, --stress: what sequence models learn from"""
    parser.add_argument(
        "--data", metavar="NAME",
        help="of image models fashion-mnist; of sequence models cmudict, or a TSV file of lines SOURCE TAB TARGET",
    )  # fmt: skip
    for part, what in (("train", "train on"), ("dev", "choose with"), ("test", "test with, once")):
        parser.add_argument(f"--{part}", metavar="FILE", help=f"TSV file of pairs to {what}; all three go together")
    parser.add_argument(
        "--stress", metavar="WHAT", help="of cmudict's vowels: strip (39 phonemes) or keep (69) (default: strip)"
    )


def add_set(parser: argparse.ArgumentParser) -> None:
    """--set"""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="change a setting of the recipe or the model, such as optim.lr=0.001 or depth=6; may be repeated",
    )  # fmt: skip


def add_plan(parser: argparse.ArgumentParser) -> None:
    """--plan"""
    parser.add_argument(
        "--plan", default="", metavar="PARTS",
        help="fix parts of the speed plan that is measured otherwise, such as precision=fp32,compile=false; also device, "
        "channels_last, attention, num_threads",
    )  # fmt: skip


def add_checkpoint_seconds(parser: argparse.ArgumentParser) -> None:
    """--checkpoint-seconds"""
    parser.add_argument(
        "--checkpoint-seconds", type=float, default=30.0, metavar="S", help="time between checkpoints (default: 30)"
    )


UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_budget(text: str | None) -> float | None:
    """Seconds of `90s`, `10m`, `1.5h` (a plain number is seconds)."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())
    if match is None or float(match[1]) == 0:
        raise FittingRoomError(f"--budget {text!r} is no time: write 90s, 10m or 1.5h")
    return float(match[1]) * UNITS[match[2] or "s"]


def check_epochs(epochs: float | None) -> float | None:
    """The number itself if it is above 0."""
    if epochs is not None and not 0 < epochs < float("inf"):
        raise FittingRoomError(f"--epochs {epochs:g} is no length: give a number above 0, such as 5 or 0.5")
    return epochs


def check_jobs(jobs: int | None) -> int | None:
    """The number itself if it is 1 or more."""
    if jobs is not None and jobs < 1:
        raise FittingRoomError(f"--jobs {jobs}: give 1 (one run after another) or more")
    return jobs


def check_stress(stress: str | None) -> bool:
    """Whether stress is kept."""
    if stress not in (None, "strip", "keep"):
        raise FittingRoomError(f"--stress {stress}: choose strip or keep")
    return stress == "keep"


def pair_fields(args: argparse.Namespace) -> dict[str, object]:
    """The fields of a PairRunConfig that --data, --train, --dev, --test and --stress say."""
    files = (args.train, args.dev, args.test)
    if any(files) and not all(files):
        raise FittingRoomError("--train, --dev and --test belong together: give all three, or one file with --data")
    if any(files) and args.data is not None:
        raise FittingRoomError("--data and --train are two ways to say the same: give one of them")
    if args.data == "fashion-mnist":
        raise FittingRoomError(
            "--data fashion-mnist are images, and a sequence model reads pairs: cmudict or a TSV file"
        )
    if args.stress is not None and (any(files) or args.data not in (None, "cmudict")):
        raise FittingRoomError(f"--stress {args.stress} belongs to cmudict: leave it away")
    data = args.train or args.data or "cmudict"
    return {"data": data, "dev": args.dev, "test": args.test, "keep_stress": check_stress(args.stress)}


def default_models(args: argparse.Namespace) -> str:
    """What is compared where no model is named: those that read such data."""
    reads_pairs = args.train is not None or args.data not in (None, "fashion-mnist")
    return "transformer,recurrent" if reads_pairs else "vit,cnn,hybrid"


def refuse_pairs(args: argparse.Namespace, model: str) -> None:
    """Raise FittingRoomError where an option of sequence models is given for an image model."""
    given = [f"--{name}" for name in ("train", "dev", "test", "stress") if getattr(args, name) is not None]
    if args.data not in (None, "fashion-mnist"):
        given.insert(0, f"--data {args.data}")
    if given:
        raise FittingRoomError(f"{given[0]}: {model} classifies images; pairs are for transformer and recurrent")


def parse_models(text: str) -> list[str]:
    """`vit,cnn` as names, each once."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or len(set(names)) != len(names):
        raise FittingRoomError(f"--models {text!r}: name one or more different models, separated by commas")
    return names


def parse_settings(settings: list[str]) -> dict[str, str]:
    """KEY=VALUE words as a dictionary."""
    changes = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise FittingRoomError(f"--set {setting!r}: write KEY=VALUE, such as optim.lr=0.001")
        changes[key.strip()] = value.strip()
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
        parts[key] = value
    return parts


def parse_formats(text: str) -> list[str]:
    """`png`, `svg` or both, separated by a comma."""
    names = [name.strip() for name in text.split(",")]
    if not set(names) <= {"png", "svg"}:
        raise FittingRoomError(f"--format {text!r}: choose png, svg or png,svg")
    return names
