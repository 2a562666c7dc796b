"""`train` and `load_run`: train a model, open a finished run, and use it."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fittingroom.api.data import Data, images_of, load_data, pairs_of, say_hint
from fittingroom.api.settings import (
    apply_settings,
    check_before_data,
    check_length,
    check_options,
    named,
    num_train_in,
    plan_texts,
    seconds_of,
    several,
    whole,
)
from fittingroom.core.config import config_hash
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import user_path
from fittingroom.core.records import RunState
from fittingroom.core.text import file_name
from fittingroom.core.torch_settings import usual_torch
from fittingroom.evaluation.evaluators import evaluate
from fittingroom.evaluation.read_log import log_test_read
from fittingroom.recipes import recipe
from fittingroom.tasks.config import RunConfig
from fittingroom.tasks.load import SavedRun
from fittingroom.tasks.load import load_run as open_run

if TYPE_CHECKING:
    from fittingroom.api.predict import FilePrediction


class Metrics(Mapping[str, list[float | None]]):
    """The columns of a run's metrics.csv: step, epoch, seconds, lr, train_loss, val_loss, and the task's scores."""

    def __init__(self, columns: dict[str, list[float | None]]) -> None:
        self._columns = columns

    def __getitem__(self, name: str) -> list[float | None]:
        return self._columns[name]

    def __iter__(self) -> Any:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        rows = len(next(iter(self._columns.values()), []))
        return f"Metrics({', '.join(self._columns)}: {rows} rows)"

    def to_pandas(self) -> Any:
        """A pandas DataFrame with one row per logged step. Raises FittingRoomError if pandas is not installed."""
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise FittingRoomError("to_pandas needs pandas: pip install pandas") from error
        return pandas.DataFrame({name: [np.nan if v is None else v for v in col] for name, col in self.items()})


class Run:
    """A finished run with its scores, curves and network. `train` and `load_run` return it."""

    def __init__(self, saved: SavedRun) -> None:
        self._saved = saved

    @property
    def name(self) -> str:
        """The name of its folder, or of the included network."""
        return self._saved.name

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self._saved.folder

    @property
    def config(self) -> RunConfig:
        """All settings that decide the result."""
        return self._saved.config

    @property
    def state(self) -> RunState:
        """Status, costs and scores."""
        return self._saved.state

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """`scores["test"]["accuracy"]`, as measured at the end of training."""
        return {name: dict(found) for name, found in self.state.evals.items()}

    @property
    def spec(self) -> Any:
        """The description of its data."""
        return self._saved.task.spec

    @property
    def model(self) -> Any:
        """The trained network, a plain `nn.Module` in evaluation mode, on the CPU in fp32."""
        return self._saved.model

    @cached_property
    def metrics(self) -> Metrics:
        """The curves of the run. Raises FittingRoomError for included networks, which have none."""
        path = self.folder / "metrics.csv"
        try:
            rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
            names = list(rows[0]) if rows else []
            if any(len(row) != len(names) or None in row.values() for row in rows):
                raise ValueError("a line is longer or shorter than the first")
            return Metrics({name: [float(row[name]) if row[name] else None for row in rows] for name in names})
        except OSError as error:
            raise FittingRoomError(f"{path} is missing: only runs that you trained have curves") from error
        except (TypeError, ValueError, csv.Error) as error:
            raise FittingRoomError(f"{path} is damaged ({error}): train the run again") from error

    def plot(self) -> Any:
        """A matplotlib Figure with the learning curves."""
        from fittingroom.api import plot

        return plot.curves(self)

    def evaluate(self, split: str = "val") -> dict[str, float]:
        """Score the run's weights again on `val` or `test`. Each read of the test split is logged in the run."""
        return evaluate_run(self._saved, split)[0]

    @usual_torch()
    def predict(self, images: Any, batch_size: int = 500) -> Any:
        """Predictions for images, or for words if this is a sequence model.

        Images are arrays or tensors in the run's size, or PIL pictures or paths in any size. Arrays are uint8 from 0 to 255 or
        floats from 0 to 1, with shape (N, height, width) or (N, height, width, 3); a single image needs no N. Raises
        FittingRoomError for anything else.
        """
        number = whole(batch_size, "batch_size")
        if number < 1:
            raise FittingRoomError(f"batch_size {number} is too small: choose 1 or more")
        return self._saved.task.predict_new(self._saved.placed, images, number)

    def predict_files(
        self, files: str | Path | Iterable[str | Path], *, top: int = 1, alarms: float | None = None
    ) -> Iterator["FilePrediction"]:
        """Answers for one or many picture files, in order: `file`, `classes` (the `top` best, with probabilities), `notes` and
        `error`.

        With `alarms`, such as 0.05, also `none_of_these`: whether the picture is unlike the training pictures. Of pictures that
        are like them, about this share is called so by mistake.

        Folders stand for the pictures in them. Files are read while you iterate, so thousands need no more memory than a few.
        """
        from fittingroom.api.predict import predict_files

        return predict_files(self, files, top=top, alarms=alarms)

    def __repr__(self) -> str:
        return f"Run({self.name!r}: {self._words()})"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<b>{escape(self.name)}</b>: {escape(self._words())}<br><code>{escape(str(self.folder))}</code>"

    def _words(self) -> str:
        scores = [
            f"{split} {metric.title} {metric.scale * found[metric.name]:.2f} {metric.unit}".rstrip()
            for split, found in self.state.evals.items()
            for metric in self._saved.task.scoring.metrics
            if metric.name in found
        ]
        return ", ".join(scores) or self.state.status


@usual_torch()
def load_run(run: str | Path, data_dir: str | Path | None = None, data: Data | str | Path | None = None) -> Run:
    """Open a finished run by its folder, or an included network by name: `vit`, `cnn`, `hybrid`, `vit_cls`, ...

    Give `data` if the run's files are elsewhere now. Raises FittingRoomError if they hold other data.
    """
    if not isinstance(run, str | Path):
        raise FittingRoomError(
            f"load_run does not accept type {type(run).__name__}: give the folder of a run, or a name such as 'vit'"
        )
    request = None if data is None else load_data(data).asked
    return Run(open_run(run, data_dir=None if data_dir is None else user_path(data_dir, "data_dir"), data=request))


@usual_torch()
def evaluate_run(saved: SavedRun, split: str) -> tuple[dict[str, float], int]:
    """The scores of a saved run on one split, and the number of items. Raises FittingRoomError for an unknown split."""
    evaluators = saved.task.evaluators()
    chosen = [each for each in evaluators if each.name == split]
    if not chosen:
        raise FittingRoomError(f"unknown split '{split}': choose {' or '.join(each.name for each in evaluators)}")
    scoring = saved.task.scoring
    (found,) = evaluate(
        saved.task.predictor(saved.placed),
        chosen,
        scoring.scores,
        log=lambda why: log_test_read(saved.folder, "evaluate"),
    )
    details = scoring.details([found.predictions], saved.task.data_record())
    numbers = {key: value for key, value in details.items() if isinstance(value, float)}
    return {**found.scores, **numbers, **saved.task.extras([found])}, scoring.num_items(found.predictions)


def configure(
    model: str,
    data: Data | str | Path | None = None,
    *,
    epochs: float | None = None,
    budget: str | float | None = None,
    seed: int = 0,
    recipe_name: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> RunConfig:
    """The run config for the arguments of `train`. Raises FittingRoomError for invalid or contradictory arguments."""
    seconds = seconds_of(budget)
    check_length(epochs, seconds)
    source = None if data is None else load_data(data)
    name = None if source is None else source.source
    changes = named(settings, "settings")
    size = changes.get("size")
    check_before_data(model, name, epochs if seconds is None else 1.0, changes, recipe_name=recipe_name)
    sized = size is not None or seconds is not None or (epochs is None and recipe_name is None)
    number = num_train_in(changes)
    config = recipe(
        model,
        seed=whole(seed, "seed"),
        epochs=epochs,
        budget_seconds=seconds,
        name=recipe_name,
        data=name,
        images=images_of(source, model, number) if sized else None,
        pairs=pairs_of(source, model, number) if sized else None,
        size=None if size is None else str(size),
    )
    config = config if source is None else source.on(config)
    return apply_settings(config, changes)


def length_slug(config: RunConfig) -> str:
    """The length of a run as part of a folder name: `5-epochs` or `90s`."""
    return f"{config.epochs:g}-epochs" if config.epochs is not None else f"{config.budget_seconds:g}s"


def data_slug(config: RunConfig) -> list[str]:
    """The name of the data as a part of a folder name; empty for the default data of the task."""
    if config.data == type(config).__dataclass_fields__["data"].default:
        return []
    place = Path(config.data).resolve()
    return [file_name(place.name if place.is_dir() else place.stem, most=60)]


@usual_torch()
def train(
    model: str,
    data: Data | str | Path | None = None,
    *,
    epochs: float | None = None,
    budget: str | float | None = None,
    seed: int = 0,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
    resume: bool = True,
    loggers: Sequence[Any] = (),
    callbacks: Sequence[Any] = (),
    plan: Mapping[str, Any] | None = None,
    sealed: bool = False,
    progress: bool | None = None,
    **more_settings: Any,
) -> Run:
    """Train one model with the recipe of its family, evaluate its last epoch, and return the finished run.

    `epochs=5` or `budget="10m"` sets the length; the default is the recipe's. Change settings of recipe and model by name, as
    keywords (`depth=6`, `batch_size=64`) or in `settings` (`{"optim.lr": 0.001}`). The default folder is
    `runs/MODEL-LENGTH-seedS-ID`. If it holds a finished run, that run is returned; an interrupted run is continued.
    `loggers` are names (`tensorboard`, `wandb`) or Lightning loggers; `callbacks` are Lightning callbacks. With `sealed`, the
    test split is not read. Raises FittingRoomError for bad input.
    """
    from fittingroom.api.events import training_progress
    from fittingroom.comparison.executors.processes import check_main_guard
    from fittingroom.training.fit import FitOptions, fit, resolve

    check_main_guard()
    given, fixed = {**named(settings, "settings"), **more_settings}, plan_texts(plan)
    loggers, callbacks = several(loggers), several(callbacks)
    check_options(loggers, fixed, callbacks=callbacks)
    source = None if data is None else load_data(data)
    config = configure(model, source, epochs=epochs, budget=budget, seed=seed, recipe_name=recipe, settings=given)
    data_dir = None if source is None else source.data_dir
    if folder is None:
        name = f"{file_name(model)}-{length_slug(config)}-seed{seed}-{config_hash(resolve(config, data_dir))[:6]}"
        folder = Path("runs") / name
    folder = user_path(folder)
    with training_progress(config.run, progress) as tell:
        fit(
            config,
            FitOptions(
                folder=folder,
                data_dir=data_dir,
                resume=resume,
                loggers=loggers,
                callbacks=callbacks,
                plan=fixed,
                open_test=not sealed,
                on_hint=say_hint,
                progress=tell,
            ),
        )
    return load_run(folder, data_dir)
