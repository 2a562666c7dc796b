"""A search of recipes that was stopped goes on: nothing that was under way is lost, counted twice, or counted for ever."""

import importlib.util
from pathlib import Path
from types import ModuleType

import optuna
import pytest
from optuna.trial import TrialState

SCRIPT = Path(__file__).parents[3] / "lab" / "search.py"


@pytest.fixture(scope="module")
def search() -> ModuleType:
    """The script, imported."""
    spec = importlib.util.spec_from_file_location("search", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ask(study: optuna.Study) -> optuna.Trial:
    """The next trial, its one setting drawn."""
    trial = study.ask()
    trial.suggest_float("muon_lr", 0.005, 0.04)
    return trial


def test_what_was_under_way_is_tried_again_with_its_settings(search: ModuleType) -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for rate in (0.01, 0.02):
        study.enqueue_trial({"muon_lr": rate})
    study.tell(ask(study), 0.9)
    by_hand, drawn, stopped = ask(study), ask(study), ask(study)  # by_hand and drawn: killed, they seem to run for ever
    study.tell(stopped, state=TrialState.FAIL)  # as Ctrl-C leaves it
    search.take_up(study)
    search.take_up(study)  # stopped once more, before any of them began
    ask(study)
    search.take_up(study)  # and once more, while the first was under way again
    waiting = [trial for trial in study.trials if trial.state == TrialState.WAITING]
    assert not any(trial.state == TrialState.RUNNING for trial in study.trials)
    assert [search._chosen(trial) for trial in waiting] == [drawn.params, stopped.params, by_hand.params]
    assert [search._chosen_by(trial) for trial in waiting] == ["TPE", "TPE", "hand"]
    for expected in (drawn, stopped, by_hand):
        again = ask(study)
        assert again.params == expected.params
        study.tell(again, 0.8)
    search.take_up(study)
    done = [search._row(trial) for trial in study.trials if trial.state == TrialState.COMPLETE]
    assert len(done) == 4 and not any(trial.state == TrialState.WAITING for trial in study.trials)
    assert [row["chosen_by"] for row in done] == ["hand", "TPE", "TPE", "hand"]
