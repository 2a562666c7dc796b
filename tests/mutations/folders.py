"""Finished runs and comparisons, tiny ones, and everything that reads their files."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fittingroom
from fittingroom.api.compare import ComparisonResult
from fittingroom.cli.run import print_summary
from fittingroom.comparison import grid
from fittingroom.comparison.summary import summarise
from fittingroom.core.errors import found_in
from fittingroom.core.records import read_state, read_summary
from fittingroom.report.page import write_report
from fittingroom.training import fit as fitting
from tests.image_fixture import TINY_MODELS, image_arrays, write_npz
from tests.mutations.guard import Trains
from tests.pairs_fixture import GREEK, TINY, made_up, write_tsv

PLAN = {
    "device": "cpu",
    "num_threads": "1",
    "precision": "fp32",
    "compile": "false",
    "channels_last": "false",
    "attention": "explicit",
}
RUNS = ("images", "words")
OLD = Path(__file__).parents[1] / "old_comparisons"


def settings_of(model: str) -> dict[str, Any]:
    """A network that trains in a moment."""
    return {**TINY_MODELS, **TINY}[model]


def build_runs(folder: Path) -> list[str]:
    """A finished run of a ViT and one of a transformer; return the files of both that people can read."""
    write_npz(folder)
    write_tsv(folder / "pairs.tsv", made_up(GREEK, 60))
    for name, data, model in ((RUNS[0], "fruit.npz", "vit"), (RUNS[1], "pairs.tsv", "transformer")):
        train(folder, name, data, model)
    return texts_in(folder, [folder / name for name in RUNS])


def train(folder: Path, name: str, data: str, model: str) -> Any:
    """Train, or return the finished run."""
    return fittingroom.train(
        model,
        folder / data,
        epochs=1,
        folder=folder / name,
        plan=PLAN,
        progress=False,
        batch_size=12,
        **settings_of(model),
    )


def texts_in(root: Path, folders: list[Path]) -> list[str]:
    """The JSON and CSV files below the folders, relative to `root`."""
    found = (path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in (".json", ".csv"))
    return [str(path.relative_to(root)) for path in found]


def read_run(root: Path, name: str, draw: random.Random) -> None:
    """Everything that one may ask of a finished run."""
    kind = name.split("/")[0]
    asks: list[Callable[[Any], Any]] = [
        lambda run: (run.model, run.predict(image_arrays(3)["images"] if kind == RUNS[0] else ["αβγ"])),
        lambda run: run.evaluate(draw.choice(("val", "test"))),
        lambda run: run.plot(),
    ]
    if draw.random() < 0.3:
        if kind == RUNS[0] and draw.random() < 0.3:
            fittingroom.explain(root / kind, index=0)
        else:
            data, model = ("fruit.npz", "vit") if kind == RUNS[0] else ("pairs.tsv", "transformer")
            train(root, kind, data, model)
        return
    run = fittingroom.load_run(root / kind)
    assert repr(run) and run._repr_html_() and run.name == kind
    assert isinstance(run.scores, dict) and run.spec is not None
    assert repr(run.metrics)
    draw.choice(asks)(run)


def build_comparisons(folder: Path) -> list[str]:
    """A comparison of two image models and one of two sequence models, with two seeds; and two of version 0.1.0."""
    write_npz(folder)
    write_tsv(folder / "pairs.tsv", made_up(GREEK, 60))
    for name in RUNS:
        fittingroom.compare(**arguments(folder, name), progress=False)
    for name in ("images", "words"):
        shutil.copytree(OLD / name, folder / "old" / name)
    return texts_in(folder, [*(folder / name for name in RUNS), folder / "old"])


def arguments(root: Path, name: str) -> dict[str, Any]:
    """What `compare` is called with to make the comparison, and to go on with it."""
    models = ("vit", "cnn") if name == RUNS[0] else ("transformer", "recurrent")
    texts = [
        "@".join([model, *(f"{key}={value}".replace(" ", "") for key, value in settings_of(model).items())])
        for model in models
    ]
    return {
        "models": texts, "data": root / ("fruit.npz" if name == RUNS[0] else "pairs.tsv"), "seeds": 2, "epochs": 1.0,
        "folder": root / name, "jobs": 1, "plan": PLAN, "settings": {"batch_size": 12},
    }  # fmt: skip


def read_comparison_folder(root: Path, name: str, draw: random.Random) -> None:
    """Report, summary, table, plot and going on."""
    parts = name.split("/")
    folder = next(
        root / Path(*parts[:place]) for place in (1, 2, 3) if (root / Path(*parts[:place]) / "plan.json").exists()
    )
    asks: list[Callable[[], Any]] = [
        lambda: write_report(folder),
        lambda: show(ComparisonResult(folder, summarise(folder))),
        lambda: print_saved(folder),
        lambda: [read_state(path) for path in sorted((folder / "runs").iterdir())],
    ]
    if folder.parent == root:
        asks.append(lambda: fittingroom.compare(**arguments(root, folder.name), progress=False))
    draw.choice(asks)()


def print_saved(folder: Path) -> None:
    """The table and verdict of summary.json."""
    summary = read_summary(folder)
    with found_in(folder / "summary.json"):
        print_summary(summary, None)


def show(result: ComparisonResult) -> None:
    """What a notebook shows of it."""
    assert repr(result) and result._repr_html_() and result.record
    for run in result.runs():
        assert repr(run)
    result.plot()


def stop_before_training() -> None:
    """From now on, training and measuring raise `Trains` instead."""

    def stop(*_: Any, **__: Any) -> Any:
        raise Trains

    fitting._train_and_evaluate = stop  # type: ignore[assignment]
    fitting.budget.check_budget = stop  # type: ignore[assignment]
    grid.plan_grid = stop  # type: ignore[assignment]
    grid.Processes.run = stop  # type: ignore[method-assign]
    grid.PICTURES.get = lambda name: lambda *_: None  # type: ignore[method-assign]
