"""The grid of a comparison, models x seeds: run what is missing, skip what is finished, resume what is broken."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fittingroom import __version__
from fittingroom.comparison.alignments import choose_words, write_alignments
from fittingroom.comparison.executors import Work, have_own_core, side_by_side
from fittingroom.comparison.pictures import write_pictures
from fittingroom.comparison.planning import plan_grid
from fittingroom.comparison.protocol import Budget
from fittingroom.comparison.summary import summarise
from fittingroom.core.config import config_hash, from_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import Summary, write_summary
from fittingroom.core.rundir import exclusive_lock, read_json, read_state, write_json
from fittingroom.models import build_model
from fittingroom.models.cost import num_params
from fittingroom.tasks.scoring import SCORINGS, ProtocolFacts
from fittingroom.training.config import RunConfig
from fittingroom.training.fit import run_identity
from fittingroom.training.images import ImageProblem
from fittingroom.training.pairs import PairProblem
from fittingroom.training.problem import Problem, open_problem
from fittingroom.training.results import ledger_row
from fittingroom.training.speed.plan import Plan, differences, first_guess, with_fixed


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is compared; `configs` stand in the order in which they run."""

    folder: Path
    configs: Sequence[RunConfig]
    budget: Budget
    command: list[str]
    data_dir: Path | None = None
    checkpoint_seconds: float = 30.0
    jobs: int | None = None
    """Runs at a time; as many as pay off when absent."""
    plan: Mapping[str, str] = field(default_factory=dict)
    """Parts of the speed plan that are chosen by hand."""


@dataclass(kw_only=True)
class Watcher:
    """Who is told what happens; each does nothing unless given."""

    plans: Callable[[], None] = field(default=lambda: None)
    """Called when the speed plans are begun: some seconds a model, the first time on a machine."""
    starts: Callable[[int, RunConfig], None] = field(default=lambda number, config: None)
    steps: Callable[[int, int, int, float | None], None] = field(default=lambda number, step, total, accuracy: None)
    ends: Callable[[int, dict[str, Any]], None] = field(default=lambda number, row: None)
    looks: Callable[[], None] = field(default=lambda: None)
    """Called when the pictures of what the models look at are begun: some seconds, after the last run."""


def run_comparison(comparison: Comparison, watcher: Watcher) -> Summary:
    """Make every run, then pictures and summary; returns the summary. Can be stopped at any moment and called again.

    Raises FittingRoomError for bad input, and where another process is at work in the folder.
    """
    problems = _problems(comparison)
    configs = [
        problem.config for problem in problems
    ]  # pairs that are missing or wrong are refused before the folder is made
    _check_plan(comparison)
    with exclusive_lock(comparison.folder):
        return _run_comparison(comparison, problems, configs, watcher)


def _run_comparison(
    comparison: Comparison, problems: list[Problem], configs: list[RunConfig], watcher: Watcher
) -> Summary:
    _check_folder(comparison.folder, configs)
    record = _record(comparison, problems, watcher)
    rows: dict[int, dict[str, Any]] = {}
    for number, row in _run_all(comparison, configs, record, watcher):
        rows[number] = row | {"folder": _run_folder(configs[number])}
        record["runs"] = [rows[number] for number in sorted(rows)]
        write_json(comparison.folder / "comparison.json", record)
        watcher.ends(number, row)
    record["environment"] = _environment(comparison.folder, record["runs"])
    write_json(comparison.folder / "comparison.json", record)
    summary = summarise(comparison.folder)
    first = problems[0]
    if isinstance(first, ImageProblem):
        by_seed = {problem.config.seed: problem for problem in problems if isinstance(problem, ImageProblem)}
        write_pictures(comparison.folder, record, lambda seed: by_seed[seed].splits, watcher.looks)
    elif words := choose_words(comparison.folder, record):
        watcher.looks()
        write_alignments(comparison.folder, record, list(words), words)
    write_summary(comparison.folder, summary)
    return summary


def _problems(comparison: Comparison) -> list[Problem]:
    """Of each run. Raises FittingRoomError where some read images and others pairs."""
    first = comparison.configs[0]
    for config in comparison.configs:
        if config.kind != first.kind:
            raise FittingRoomError(
                f"{first.model} reads {first.kind} and {config.model} reads {config.kind}: compare models of one kind"
            )
    return [open_problem(config, comparison.data_dir) for config in comparison.configs]


def _run_folder(config: RunConfig) -> str:
    return f"runs/{config.run}"


def _check_folder(folder: Path, configs: list[RunConfig]) -> None:
    """Nothing is begun where a run of other settings is in the way."""
    for config in configs:
        place = folder / _run_folder(config)
        state = read_state(place)
        if state["status"] != "absent" and state.get("config_hash") != config_hash(config):
            raise FittingRoomError(
                f"{place} holds a run with other settings: choose another folder with --out, or delete it"
            )


def _check_plan(comparison: Comparison) -> None:
    """A plan that cannot be is refused before anything is written, and so is another one than the runs here have had."""
    with_fixed(first_guess(comparison.configs[0]), comparison.plan)
    for model, values in _earlier_plans(comparison.folder)["plans"].items():
        plan = from_dict(Plan, values, f"{comparison.folder / 'plan.json'}: {model}")
        changed = differences(with_fixed(plan, comparison.plan), plan)
        if changed:
            wanted = ", ".join(f"{key}={value}" for key, value in changed.items())
            raise FittingRoomError(
                f"{comparison.folder} was begun with another plan than {wanted}: leave --plan away to go on, or choose "
                "another folder with --out"
            )


def _earlier_plans(folder: Path) -> dict[str, Any]:
    place = folder / "plan.json"
    earlier = read_json(place) if place.exists() else {"jobs": None, "plans": {}}
    if not (
        isinstance(earlier.get("plans"), dict) and isinstance(earlier.get("probes", {}), dict) and "jobs" in earlier
    ):
        raise FittingRoomError(f"{place} lacks jobs or plans: delete {folder} and run the comparison again")
    return earlier


def _run_all(
    comparison: Comparison, configs: Sequence[RunConfig], record: dict[str, Any], watcher: Watcher
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number and the ledger row of each run as it ends: first those that were finished before."""
    states = [read_state(comparison.folder / _run_folder(config)) for config in configs]
    missing = [number for number, state in enumerate(states) if state["status"] != "finished"]
    for number in sorted(set(range(len(configs))) - set(missing)):
        yield number, ledger_row(states[number])
    works = [
        Work(
            config=configs[number],
            folder=comparison.folder / _run_folder(configs[number]),
            data_dir=comparison.data_dir,
            checkpoint_seconds=comparison.checkpoint_seconds,
            plan={key: json.dumps(value) for key, value in record["plans"][configs[number].model].items()},
            probe=_earlier_plans(comparison.folder).get("probes", {}).get(configs[number].model, []),
        )
        for number in missing
    ]
    for event in side_by_side(works, record["jobs"]):
        number = missing[event.number]
        if event.kind == "starts":
            watcher.starts(number, configs[number])
        elif event.kind == "progress":
            watcher.steps(number, *event.content)
        else:
            yield number, event.content if event.kind == "finished" else _failed(configs[number], event.content)


def _failed(config: RunConfig, error: str) -> dict[str, Any]:
    return run_identity(config) | {"status": "failed", "error": error}


def _plans(comparison: Comparison, configs: Sequence[RunConfig], watcher: Watcher) -> tuple[int, dict[str, Any]]:
    """As they were when this comparison was begun, so that all of its runs have the same; new models are measured now."""
    before = _earlier_plans(comparison.folder)
    jobs, plans = comparison.jobs or before["jobs"], before["plans"]
    new = [config for config in configs if config.model not in plans]
    if new:
        watcher.plans()
        # Beside runs that had a core each, a new model's runs get no more: also where there is only one of them.
        one_core = (
            before["jobs"] is not None and before["jobs"] > 1 and all(p["num_threads"] == 1 for p in plans.values())
        )
        fixed = {**({"num_threads": "1"} if one_core else {}), **comparison.plan}
        measured, more, tables = plan_grid(new, jobs=jobs, fixed=fixed, data_dir=comparison.data_dir)
        jobs, plans = jobs or measured, {**plans, **more}
        probes = {**before.get("probes", {}), **tables}
        write_json(comparison.folder / "plan.json", {"jobs": jobs, "plans": plans, "probes": probes})
    return min(jobs, len(configs)), plans


def _record(comparison: Comparison, problems: list[Problem], watcher: Watcher) -> dict[str, Any]:
    """comparison.json before the first run."""
    configs = [problem.config for problem in problems]
    jobs, plans = _plans(comparison, configs, watcher)
    seeds = sorted({config.seed for config in configs})
    by_model = {problem.config.model: problem for problem in problems if problem.config.seed == seeds[0]}
    title, data = _describe_data(problems[0])
    sizes = {key: data[key] for key in ("num_train", "num_val", "num_test")}
    return {
        "title": title,
        "kind": configs[0].kind,
        "command": shlex.join(comparison.command),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "budget": comparison.budget.to_dict(),
        "data": data,
        "seeds": seeds,
        "models": [_describe(by_model[name]) for name in configs[0].registry if name in by_model],
        "jobs": jobs,
        "plans": plans,
        "runs": [],
        "protocol": _protocol(comparison.budget, seeds, jobs, have_own_core(plans, jobs), problems[0], sizes),
        "environment": {},
    }


def _protocol(
    budget: Budget, seeds: list[int], jobs: int, own_core: bool, problem: Problem, sizes: dict[str, Any]
) -> list[str]:
    task, given = ("classification", {})
    if isinstance(problem, PairProblem):
        task, given = "seq2seq", {"three_files": problem.config.dev is not None}
    facts = ProtocolFacts(budget=budget.record, num_seeds=len(seeds), jobs=jobs, own_core=own_core, **sizes, task=given)
    return SCORINGS.get(task).protocol(facts)


def _describe_data(problem: Problem) -> tuple[str, dict[str, Any]]:
    """How sentences call the data, and what comparison.json says of it."""
    if isinstance(problem, ImageProblem):
        spec, splits = problem.splits.spec, problem.splits
        sizes = {"num_train": len(splits.train), "num_val": len(splits.val), "num_test": spec.num_test}
        return spec.title, {"name": spec.name, "class_names": list(spec.class_names), **sizes}
    assert isinstance(problem, PairProblem)
    return problem.title, problem.describe()


def _describe(problem: Problem) -> dict[str, Any]:
    config = problem.config
    variant = config.registry.get(config.model)
    return {
        "name": variant.name,
        "family": variant.family,
        "title": variant.title,
        "num_params": num_params(build_model(config.model, config.model_config, config.registry)),
        "num_macs": problem.step_macs(),
        "source": variant.source,
    }


def _environment(folder: Path, runs: list[dict[str, Any]]) -> dict[str, str]:
    """The machine of the first finished run, as plain words."""
    finished = [row for row in runs if row["status"] == "finished"]
    if not finished:
        return {}
    found = read_json(folder / finished[0]["folder"] / "environment.json")
    plan = found.pop("plan", {})
    for key in ("probe", "resumed"):
        found.pop(key, None)
    return {key: str(value) for key, value in {**found, **plan}.items() if value is not None}
