"""`compare`: train several candidates under one protocol and compare them."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from fittingroom.api.data import Data, images_of, load_data, pairs_of, say_hint
from fittingroom.api.events import NotebookBar, in_notebook, on_terminal
from fittingroom.api.runs import data_slug
from fittingroom.api.settings import (
    OLD_NAMES,
    SIZE,
    apply_settings,
    check_before_data,
    check_length,
    check_options,
    named,
    num_train_in,
    plan_texts,
    seconds_of,
    whole,
)
from fittingroom.api.table import Table
from fittingroom.comparison.candidate import Candidate, candidate, parse_candidate
from fittingroom.comparison.executors.processes import check_main_guard
from fittingroom.comparison.grid import Comparison, Watcher, run_comparison
from fittingroom.comparison.protocol import PRESETS, Budget, check_seeds
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import user_path
from fittingroom.core.machine import num_cores
from fittingroom.core.records import ComparisonRecord, RunRow, Summary, Verdict, read_comparison
from fittingroom.core.torch_settings import usual_torch
from fittingroom.data.images.options import option_words
from fittingroom.recipes import recipe
from fittingroom.recipes.budget import Images
from fittingroom.recipes.length import NUM_IMAGES, NUM_PAIRS, epochs_for
from fittingroom.recipes.sizes import size_of
from fittingroom.tasks.base import TASKS
from fittingroom.tasks.config import RunConfig

MOST_JOBS = 1000
WITHHELD = frozenset({"early_stopping"})
"""Settings that a comparison does not take."""


@dataclass(frozen=True)
class ComparisonResult:
    """A finished comparison: verdict, table, runs and report."""

    folder: Path
    summary: Summary

    @property
    def verdict(self) -> Verdict:
        """`headline` and `sentence`; `str(...)` gives both."""
        return self.summary.verdict

    @property
    def contrasts(self) -> Any:
        """Differences between each pair of candidates."""
        return self.summary.contrasts

    @cached_property
    def table(self) -> Table:
        """One row per candidate."""
        return Table(self.summary)

    @cached_property
    def record(self) -> ComparisonRecord:
        """The content of comparison.json: candidates, data, protocol and the result of each run."""
        return read_comparison(self.folder)

    def runs(self, candidate: str | None = None) -> list[Any]:
        """The finished runs of one candidate, or of all."""
        from fittingroom.api.runs import load_run

        return [load_run(self.folder / row.folder) for row in self.record.finished(candidate)]

    def report(self) -> Path:
        """Write report.html into the comparison's folder and return its path."""
        from fittingroom.report.page import write_report

        return write_report(self.folder)

    def plot(self) -> Any:
        """A matplotlib Figure with the learning curves of all runs."""
        from fittingroom.api import plot

        runs = {run.name: run for run in self.runs()}
        if not runs:
            path = self.folder / "comparison.json"
            raise FittingRoomError(
                f"{path}: no run has finished, so there is nothing to draw: run the comparison again"
            )
        return plot.curves(runs)

    def __repr__(self) -> str:
        return f"{self.verdict}\n\n{self.table!r}"

    def _repr_html_(self) -> str:
        from html import escape

        notes = "".join(f"<li>{escape(note)}</li>" for note in self.summary.notes)
        return (
            f"<p><b>{escape(self.verdict.headline)}</b> {escape(self.verdict.sentence)}</p>"
            f"{self.table._repr_html_()}{f'<ul>{notes}</ul>' if notes else ''}"
        )


@usual_torch()
def plan_comparison(
    models: Sequence[str] | str | None = None,
    data: Data | str | Path | None = None,
    *,
    seeds: int | None = None,
    epochs: float | None = None,
    budget: str | float | None = None,
    preset: str = "quick",
    settings: Mapping[str, Any] | None = None,
    train_sizes: Sequence[int] = (),
    folder: str | Path | None = None,
    jobs: int | None = None,
    plan: Mapping[str, Any] | None = None,
    checkpoint_seconds: float = 30.0,
    loggers: Sequence[str] = (),
    command: Sequence[str] = (),
) -> Comparison:
    """The comparison for the arguments of `compare`, not yet started. Raises FittingRoomError for bad input."""
    seconds = seconds_of(budget)
    check_length(epochs, seconds)
    changes = named(settings, "settings")
    if "early_stopping" in changes:
        raise FittingRoomError("--set early_stopping: compare gives every run the full budget: omit it")
    chosen = PRESETS.get(preset)
    if seeds is not None:
        check_seeds(whole(seeds, "--seeds"))
    jobs, fixed, names = check_jobs(jobs), plan_texts(plan), _logger_names(loggers)
    check_options(names, fixed, checkpoint_seconds)
    source = None if data is None else load_data(data)
    length = Budget(epochs=epochs, seconds=seconds) if epochs or seconds else _preset_length(chosen.budget, source)
    candidates = _candidates(models, source, length, changes, train_sizes, jobs)
    advised = None if seeds is not None or train_sizes else _advised_folds(source, changes, candidates)
    if advised is not None:
        chosen, changes = chosen.for_folds(), {**changes, "folds": str(advised)}
        length = Budget(epochs=epochs, seconds=seconds) if epochs or seconds else _preset_length(chosen.budget, source)
        candidates = _candidates(models, source, length, changes, train_sizes, jobs)
    numbers = check_seeds(chosen.seeds if seeds is None else whole(seeds, "--seeds"))
    folds = _folds(candidates)
    numbers = range(len(numbers) * (folds or 1))  # each seed of a cross-validation has a run for each fold
    if folder is None:
        config = candidates[0].config
        name = data_slug(config) or ([] if config.task == next(iter(TASKS)) else [config.data])
        folder = Path("runs") / "-".join(["compare", *name, length.slug])
    return Comparison(
        folder=user_path(folder),
        candidates=candidates,
        seeds=numbers,
        budget=length,
        command=list(command),
        data_dir=None if source is None else source.data_dir,
        checkpoint_seconds=checkpoint_seconds,
        jobs=jobs,
        plan=fixed,
        loggers=names,
        hints=() if advised is None else (_folds_hint(advised, len(numbers)),),
    )


def compare(
    models: Sequence[str] | str | None = None,
    data: Data | str | Path | None = None,
    *,
    seeds: int | None = None,
    epochs: float | None = None,
    budget: str | float | None = None,
    preset: str = "quick",
    settings: Mapping[str, Any] | None = None,
    train_sizes: Sequence[int] = (),
    folder: str | Path | None = None,
    jobs: int | None = None,
    plan: Mapping[str, Any] | None = None,
    loggers: Sequence[str] = (),
    progress: bool | None = None,
) -> ComparisonResult:
    """Train every candidate with every seed and the same budget, then compare them.

    Example: `compare(["vit", "cnn"], data, seeds=3, budget="10m")`. A candidate is a model, or a model with settings such as
    `vit@patch_size=7`. `train_sizes=[1000, 10000]` trains each candidate once per size. `settings` apply to all candidates. The
    default length and number of seeds come from `preset` (quick: 3 seeds, 70 s per run). Fewer than 2,000 images of your own are
    cross-validated if you give no `seeds` (5 folds, 2 seeds; `settings={"folds": None}` keeps one test part). A time budget also
    chooses the size of `vit`, `cnn` and `hybrid`; `settings={"size": "base"}` pins it. The default folder is
    `runs/compare-LENGTH`. `loggers` are names: `tensorboard`, `wandb` or `wandb@project=shoes@group=first`. Finished runs in the
    folder are kept, so you can stop the call and repeat it. Each run is a new process. A script that registers its own model or
    data set must call this under `if __name__ == "__main__":`. Raises FittingRoomError for bad input.
    """
    check_main_guard()
    comparison = plan_comparison(
        models, data, seeds=seeds, epochs=epochs, budget=budget, preset=preset, settings=settings,
        train_sizes=train_sizes, folder=folder, jobs=jobs, plan=plan, loggers=loggers,
    )  # fmt: skip
    words = _call(
        models, data, settings or {}, comparison.plan, loggers, preset=preset, seeds=seeds, epochs=epochs, budget=budget,
        jobs=jobs, out=folder, **{"train-sizes": ",".join(map(str, train_sizes)) or None},
    )  # fmt: skip
    comparison = replace(comparison, command=words)
    shown = on_terminal() if progress is None else progress
    watcher = _notebook_watcher(comparison) if in_notebook() and progress is not False else None
    with nullcontext(watcher or (_line_watcher(comparison) if shown else Watcher())) as told:
        told.hints = say_hint
        summary = run_comparison(comparison, told)
    return ComparisonResult(folder=comparison.folder, summary=summary)


def parse_names(models: Sequence[str] | str) -> list[str]:
    """The names in a list or in text such as `vit,cnn`. Commas in brackets do not separate names.

    Raises FittingRoomError for no name and for a repeated name.
    """
    names = re.split(r",(?![^\[]*\])", models) if isinstance(models, str) else models
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise FittingRoomError(f"models {models!r}: give names, such as 'vit,cnn' or ['vit', 'cnn']")
    texts = [name.strip() for name in names if name.strip()]
    if not texts or len(set(texts)) != len(texts):
        raise FittingRoomError(f"--models {','.join(names)!r}: name one or more different models, separated by commas")
    return texts


def check_jobs(jobs: int | None) -> int | None:
    """Return `jobs` if it is None, or from 1 to `MOST_JOBS`. Raises FittingRoomError otherwise."""
    if jobs is not None and not 1 <= whole(jobs, "--jobs") <= MOST_JOBS:
        raise FittingRoomError(f"--jobs {jobs}: give 1 (one run after another) or more, at most {MOST_JOBS:,}")
    return None if jobs is None else whole(jobs, "--jobs")


def check_sizes(train_sizes: Sequence[int], fixed: bool) -> list[int]:
    """The sizes as a list. Raises FittingRoomError unless they are whole numbers above 0, and if num_train is set (`fixed`)."""
    try:
        sizes = [whole(size, "train_sizes") for size in train_sizes]
    except (TypeError, FittingRoomError):
        sizes = [0]
    if min(sizes, default=1) < 1:
        raise FittingRoomError(f"train_sizes {train_sizes!r}: give whole numbers above 0, such as [1000, 10000]")
    if sizes and fixed:
        raise FittingRoomError("train_sizes and num_train both set the training size: give one of them")
    return sizes


def _logger_names(loggers: Sequence[str]) -> list[str]:
    if isinstance(loggers, str) or not all(isinstance(each, str) for each in loggers):
        raise FittingRoomError(
            f"loggers {loggers!r}: give a list of names, such as ['wandb']: each run is a separate process"
        )
    return list(loggers)


def _candidates(
    models: Sequence[str] | str | None,
    data: Data | None,
    length: Budget,
    changes: dict[str, Any],
    train_sizes: Sequence[int],
    jobs: int | None,
) -> list[Candidate]:
    wanted = []
    for text in parse_names(_default_models(data) if models is None else models):
        model, given = parse_candidate(text)
        wanted.append((model, {OLD_NAMES.get(key, key): value for key, value in given.items()}))
    source = None if data is None else data.source
    for model, own in wanted:  # all of them, before the first one opens the data
        check_before_data(model, source, length.epochs or 1.0, changes, own, withheld=WITHHELD)
    found = []
    for model, own in wanted:
        numbers = check_sizes(train_sizes, fixed=num_train_in({**changes, **own}) is not None)
        parts: list[dict[str, str]] = [{"num_train": str(number)} for number in numbers] or [{}]
        for part in parts:
            config, size = _config(model, data, length, changes, {**own, **part}, jobs)
            found.append(candidate(config, {**own, **part}, size=size))
    return found


def _advised_folds(data: Data | None, changes: Mapping[str, Any], candidates: Sequence[Candidate]) -> int | None:
    """The folds for data of which nobody said how to test it; None if one test part is enough."""
    given = set(changes).union(*(each.settings for each in candidates))
    if data is None or not given.isdisjoint({"folds", "num_train", "train_images"}):
        return None
    with suppress(FittingRoomError):  # data that cannot be opened are refused when the runs begin
        return data.advised_folds
    return None


def _folds_hint(folds: int, num_runs: int) -> str:
    return (
        f"few images, so {folds} networks per seed leave out one fold each, and all images are tested: {num_runs} runs of each "
        "model (--seeds sets another number of seeds, --folds none keeps one test part)"
    )


def _preset_length(budget: Budget, data: Data | None) -> Budget:
    """The budget of a preset. Its epochs are meant for Fashion-MNIST or cmudict; a smaller data set is seen more often."""
    if budget.epochs is None or data is None:
        return budget
    recipe_items = NUM_IMAGES if data.class_names else NUM_PAIRS
    return Budget(epochs=epochs_for(budget.epochs, data.num_train, recipe_items))


def _config(
    model: str, data: Data | None, length: Budget, changes: dict[str, Any], own: dict[str, str], jobs: int | None
) -> tuple[RunConfig, str]:
    """The config of a candidate, and its size if the budget chose it. Its `own` settings change the `changes` of all."""
    pinned, number = {**changes, **own}.get(SIZE), num_train_in({**changes, **own})
    images, pairs = Images(), None
    if pinned is not None or length.seconds is not None:
        images, pairs = images_of(data, model, number), pairs_of(data, model, number)
    config = recipe(
        model,
        epochs=length.epochs,
        budget_seconds=length.seconds,
        data=None if data is None else data.source,
        images=images,
        pairs=pairs,
        size=None if pinned is None else str(pinned),
        cores=num_cores() if jobs == 1 else 1,
    )
    config = config if data is None else data.on(config)
    for wanted in (changes, own):
        config = apply_settings(config, wanted, WITHHELD)
    chosen = length.seconds is not None and pinned is None
    return config, size_of(model, config.model_config, (images.height, images.width)) if chosen else ""


def _folds(candidates: Sequence[Candidate]) -> int | None:
    """The folds of a cross-validation. Raises FittingRoomError if the candidates differ in them."""
    found = {getattr(each.config, "folds", None) for each in candidates}
    if len(found) > 1:
        raise FittingRoomError("the candidates have different folds, so different test images: give --folds for all")
    return found.pop()


def _default_models(data: Data | None) -> tuple[str, ...]:
    return (TASKS.get(next(iter(TASKS))) if data is None else data.task_class).default_models


def _call(
    models: Sequence[str] | str | None,
    data: Data | str | Path | None,
    settings: Mapping[str, Any],
    plan: Mapping[str, str],
    loggers: Sequence[str] = (),
    **options: Any,
) -> list[str]:
    """The equivalent command line, for the report."""
    words = ["fittingroom", "compare"]
    if isinstance(data, Data):
        asked = data.asked
        options |= {"data": asked.data, "train": asked.train, "dev": asked.dev, "test": asked.test}
        options |= {"stress": asked.stress, "data-dir": data.data_dir}
        words += option_words(asked.pictures)
    else:
        options["data"] = data
    options["models"] = models if isinstance(models, str) or models is None else ",".join(models)
    options["plan"] = ",".join(f"{part}={value}" for part, value in plan.items()) or None
    for option, value in options.items():
        words += [] if value is None else [f"--{option}", str(value)]
    words += [word for logger in loggers for word in ("--logger", logger)]
    for key, value in settings.items():
        words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value, default=str)}"]
    return words


def _line_watcher(comparison: Comparison) -> Watcher:
    """A watcher that prints when a run starts and ends, on standard error."""
    total = len(comparison.runs)

    def starts(number: int, run: str) -> None:
        print(f"run {number + 1} of {total}: {run}", file=sys.stderr)

    def ends(number: int, row: RunRow) -> None:
        print(f"  {row.run}: {row.status}{f', {row.error}' if row.error else ''}", file=sys.stderr)

    return Watcher(starts=starts, ends=ends)


def _notebook_watcher(comparison: Comparison) -> Watcher:
    """A watcher with one progress bar for the whole comparison."""
    bar, total = NotebookBar(), len(comparison.runs)
    done: dict[int, float] = {}

    def show(text: str) -> None:
        share = sum(done.values()) / total
        bar.update(f"{sum(each == 1 for each in done.values())} of {total} runs; {text}", share)

    def steps(number: int, step: int, of: int, score: float | None) -> None:
        done[number] = min(step / of, 0.999)
        show("" if score is None else f"validation {score:.1%}")

    def ends(number: int, row: RunRow) -> None:
        done[number] = 1.0
        show(row.run)
        if len(done) == total and all(each == 1 for each in done.values()):
            bar.close()

    return Watcher(plans=lambda: show("measuring the fastest settings for this machine (once)"), steps=steps, ends=ends)
