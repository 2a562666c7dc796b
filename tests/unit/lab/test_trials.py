"""A trial of a search trains with its settings, leaves the test part sealed, and is recorded as earlier trials are."""

import json
from pathlib import Path
from typing import Any

import optuna
import pytest

from fittingroom.core.config import to_dict
from fittingroom.core.records import RunState
from fittingroom.models import resolve_config
from fittingroom.tasks.config import RunConfig
from fittingroom.tasks.load import task_of_model
from fittingroom.training import fit as fitting
from lab import search

SCORES: dict[str, dict[str, float]] = {
    "classification": {"accuracy": 0.75},
    "seq2seq": {"word_error_rate": 0.25, "phoneme_error_rate": 0.125},
}
Calls = list[tuple[RunConfig, fitting.FitOptions]]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What `fit` is called with; it answers at once."""
    made: Calls = []

    def fit(config: RunConfig, options: fitting.FitOptions) -> RunState:
        made.append((config, options))
        return RunState(
            task=config.task, model=config.model, status="finished", num_params=10, num_macs=20, train_seconds=1.5,
            items_per_second=100.0, evals={"val": SCORES[config.task]},
        )  # fmt: skip

    monkeypatch.setattr(fitting, "fit", fit)
    monkeypatch.setattr(search, "WORK", tmp_path)
    return made


def trial_with(settings: dict[str, Any]) -> optuna.Trial:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(settings)
    return study.ask()


@pytest.mark.parametrize("family", list(search.SHAPES))
def test_the_score_is_the_share_that_is_right_on_validation(family: str, calls: Calls) -> None:
    chosen = search.first_trials(family)[0]
    assert search.run_trial(family, 1.0, trial_with(chosen)) == 0.75
    ((config, options),) = calls
    assert (config.model, config.seed, config.epochs) == (family, 0, 1.0)
    assert (config.batch_size, config.optim.muon_lr) == (chosen["batch_size"], chosen["muon_lr"])
    assert options.resume and not options.open_test


@pytest.mark.parametrize("family", list(search.SHAPES))
def test_a_trial_is_recorded_with_the_keys_of_the_recorded_search(family: str, calls: Calls) -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(search.first_trials(family)[0])
    trial = study.ask()
    study.tell(trial, search.run_trial(family, 1.0, trial))
    (row,) = map(search._row, study.trials)
    recorded = json.loads((search.RECORDS / f"{family}.json").read_text())["trials"]
    assert [set(row)] * len(recorded) == [set(each) for each in recorded]
    speed = "pairs_per_second" if family in search.PAIRS else "images_per_second"
    assert (row[speed], row["num_params"], row["train_seconds"], row["val_accuracy"]) == (100.0, 10, 1.5, 0.75)


def test_a_trial_that_is_tried_again_finds_its_folder_and_no_other_one_does(calls: Calls) -> None:
    first, other = search.first_trials("vit")[0], search.first_trials("vit")[3]
    for chosen in (first, first, other):
        search.run_trial("vit", 1.0, trial_with(chosen))
    folders = [options.folder for _, options in calls]
    assert folders[0] == folders[1] != folders[2]


@pytest.mark.parametrize("family", list(search.SHAPES))
def test_every_shape_of_the_space_is_one_that_the_model_has(family: str) -> None:
    registry = task_of_model(family).config_class.registry
    for shape in search.SHAPES[family].values():
        found = to_dict(resolve_config(family, shape, registry=registry))
        assert {key: found[key] for key in shape} == shape
