"""`fittingroom bench time-to-accuracy`: train models, or read finished runs, and report the time to reach an accuracy."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from fittingroom.core.errors import FittingRoomError, did_you_mean

DEFAULTS: dict[str, Any] = {"models": "vit,cnn,hybrid", "seeds": 3, "epochs": 5.0}
"""Defaults for training. Omitted options are None, so `--runs` can refuse options that were given."""


def bench(args: argparse.Namespace) -> int:
    """`fittingroom bench`"""
    if args.action != "time-to-accuracy":
        raise FittingRoomError(f"unknown bench '{args.action}': {did_you_mean(args.action, ['time-to-accuracy'])}")
    from rich.table import Column, Table

    from fittingroom.cli.console import Terminal
    from fittingroom.evaluation.time_to_accuracy import finished_runs, milestone_lines, milestones

    if args.runs is not None:
        for name in ("models", "seeds", "epochs", "jobs", "out", "data_dir"):
            if getattr(args, name) is not None:
                option = f"--{name.replace('_', '-')}"
                raise FittingRoomError(f"{option}: --runs reads finished runs and trains nothing: omit one of the two")
        folder, runs, failed = args.runs, finished_runs(args.runs), 0
    else:
        folder, runs, failed = _train(args)
    rows = milestones(runs)
    if args.json:
        print(json.dumps({"rows": rows, "folder": str(folder)}))
        return 1 if failed else 0
    head, *lines = milestone_lines(rows)
    table = Table(
        Column(head[0], overflow="fold"),
        *head[1:],
        box=None,
        title="median seconds to validation accuracy",
        title_justify="left",
    )
    for line in lines:
        table.add_row(*line)
    Terminal().print(table)
    return 1 if failed else 0


def _train(args: argparse.Namespace) -> tuple[Path, list[Path], int]:
    """Do the missing runs, each with one thread. Return (parent folder, folders of finished runs, number of failed runs)."""
    from fittingroom.api.compare import check_jobs, parse_names
    from fittingroom.api.settings import check_length
    from fittingroom.cli.progress import RunLines
    from fittingroom.cli.time_left import TimeLeft
    from fittingroom.comparison.executors.base import Work
    from fittingroom.comparison.executors.processes import Processes
    from fittingroom.comparison.planning import most_jobs
    from fittingroom.comparison.protocol import check_seeds, fair_order
    from fittingroom.core.config import to_dict
    from fittingroom.recipes import recipe
    from fittingroom.tasks.scoring import SCORINGS
    from fittingroom.training.folder import check_checkpoint_seconds
    from fittingroom.training.speed.plan import first_guess

    check_length(args.epochs, None)
    check_checkpoint_seconds(args.checkpoint_seconds)
    epochs = args.epochs or DEFAULTS["epochs"]
    names = parse_names(args.models or DEFAULTS["models"])
    seeds = check_seeds(DEFAULTS["seeds"] if args.seeds is None else args.seeds)
    configs = [recipe(name, seed=seed, epochs=epochs) for name, seed in fair_order(names, seeds)]
    folder = args.out or Path("runs") / f"bench-{epochs:g}-epochs"
    for config in configs:
        if "accuracy" not in [metric.name for metric in SCORINGS.get(config.task).metrics]:
            raise FittingRoomError(
                f"time to accuracy needs a model that classifies, and {config.model} is for {config.task}"
            )
    works = [
        Work(
            config=to_dict(config), folder=str(folder / config.run), data_dir=_text(args.data_dir), open_test=False,
            checkpoint_seconds=args.checkpoint_seconds, plan={"num_threads": "1"},
        )
        for config in configs
    ]  # fmt: skip
    finished, failed = [], 0
    jobs = check_jobs(args.jobs) or most_jobs(len(works), first_guess(configs[0]).device)
    lines = RunLines(lambda text: None if args.quiet else print(text, file=sys.stderr), TimeLeft(len(works)))
    for event in Processes(jobs=jobs).run(works):
        run = configs[event.number].run
        if event.kind == "starts":
            lines.starts(event.number, run)
        elif event.kind == "progress":
            lines.steps(event.number, *event.content)
        elif event.kind == "failed":
            failed += 1
            lines.ends(event.number, f"{run}: failed: {event.content}")
        else:
            row = event.content
            finished.append(folder / run)
            accuracy, seconds = row["evals"]["val"]["accuracy"], row["train_seconds"]
            lines.ends(event.number, f"{run}: {accuracy:.2%} after {seconds:.0f} s")
    return folder, finished, failed


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
