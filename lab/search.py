"""Search the recipe of a family on the validation split: `python lab/search.py cnn`.

Families that are compared with each other get the same number of trials. The first trials are chosen by hand: the recipe at the
time of the recorded search, and the changes that looked most promising in the literature. Optuna's TPE chooses the others. The
test split is not read. Each core runs one trial at a time. You can stop the search at any time; the same command continues from
the checkpoints. The study, with all trials and the search space, goes to results/search/FAMILY.json.
"""

import argparse
import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from fittingroom.core.config import config_hash
from fittingroom.core.rundir import make_folder, write_json

ROOT = Path(__file__).parents[1]
RECORDS, WORK = ROOT / "results" / "search", ROOT / "runs" / "search"

# The shapes of the recorded search: all downsample by strides and have four heads. The models have changed since.
SHAPES: dict[str, dict[str, dict[str, Any]]] = {
    "cnn": {
        "32-64-128, blocks 0-1-2": {"downsample": "stride"},
        "32-64-128, blocks 1-1-1": {"downsample": "stride", "blocks": [1, 1, 1]},
        "32-96-160, blocks 0-1-1": {"downsample": "stride", "widths": [32, 96, 160], "blocks": [0, 1, 1]},
    },
    "hybrid": {
        "4 convolutions, depth 3": {
            "stem_downsample": "stride", "stem_widths": [32, 64, 64, 128], "stem_strides": [1, 2, 1, 2], "depth": 3,
        },
        "5 convolutions, depth 3": {
            "stem_downsample": "stride", "stem_widths": [32, 64, 64, 128, 128], "stem_strides": [1, 2, 1, 2, 1], "depth": 3,
        },
        "6 convolutions, depth 2": {
            "stem_downsample": "stride", "stem_widths": [32, 64, 64, 64, 128, 128], "stem_strides": [1, 2, 1, 1, 2, 1],
            "depth": 2,
        },
    },
    "vit": {
        "width 128, depth 4": {"num_heads": 4},
        "width 96, depth 8": {"embed_dim": 96, "depth": 8, "num_heads": 3},
        "width 128, depth 6, MLP ratio 2": {"num_heads": 4, "depth": 6, "mlp_ratio": 2.0},
    },
    "transformer": {"3 + 3 blocks, width 192": {}},
    "recurrent": {"2 + 2 layers, width 224": {}},
}  # fmt: skip
SPACE = {
    "muon_lr": "log-uniform 0.005 to 0.04",
    "label_smoothing": [0.0, 0.1],
    "batch_size": [64, 128],
}
PAIR_SPACE = {**SPACE, "batch_size": [128, 256]}
PAIRS = ("transformer", "recurrent")


def first_trials(family: str) -> list[dict[str, Any]]:
    """The trials chosen by hand: the recipe unchanged, then one change at a time."""
    if family in PAIRS:
        now = {"shape": next(iter(SHAPES[family])), "muon_lr": 0.01, "label_smoothing": 0.1, "batch_size": 256}
        return [now, {**now, "muon_lr": 0.02}, {**now, "muon_lr": 0.005}, {**now, "batch_size": 128}]
    now = {
        "shape": next(iter(SHAPES[family])), "muon_lr": 0.02 if family == "cnn" else 0.01, "label_smoothing": 0.1,
        "batch_size": 128,
    }  # fmt: skip
    second, third = list(SHAPES[family])[1:]
    return [now, {**now, "shape": second}, {**now, "shape": third}, {**now, "batch_size": 64}]


def settings(family: str, trial: Trial) -> dict[str, Any]:
    """The settings of a trial, drawn from the search space."""
    low, high, space = 0.005, 0.04, PAIR_SPACE if family in PAIRS else SPACE
    return {
        "shape": trial.suggest_categorical("shape", list(SHAPES[family])),
        "muon_lr": trial.suggest_float("muon_lr", low, high, log=True),
        **{name: trial.suggest_categorical(name, space[name]) for name in space if name != "muon_lr"},
    }


def run_trial(family: str, epochs: float, trial: Trial) -> float:
    """Train with the trial's settings. Return the share of correct validation images or words."""
    from dataclasses import replace

    from fittingroom.cli.messages import flat
    from fittingroom.recipes import recipe
    from fittingroom.training.fit import FitOptions, fit

    chosen = settings(family, trial)
    config = recipe(family, seed=0, epochs=epochs)
    config = replace(
        config,
        model_config=SHAPES[family][chosen["shape"]],
        batch_size=chosen["batch_size"],
        label_smoothing=chosen["label_smoothing"],
        optim=replace(config.optim, muon_lr=chosen["muon_lr"]),
    )
    # The settings name the folder, because a stopped trial gets a new number when it is repeated.
    row = flat(fit(config, FitOptions(folder=WORK / family / config_hash(config)[:12], resume=True, open_test=False)))
    score = 1 - row["val_word_error_rate"] if family in PAIRS else row["val_accuracy"]
    for key in (
        "num_params",
        "num_macs",
        "train_seconds",
        "images_per_second",
        "pairs_per_second",
        "val_phoneme_error_rate",
    ):
        if row.get(key) is not None:
            trial.set_user_attr(key, row[key])
    print(json.dumps({"family": family, "trial": trial.number, **chosen, "val": score}), flush=True)
    return score


def open_study(family: str) -> optuna.Study:
    """The study, created if it does not exist. It is stored in a journal file that both workers append to."""
    storage = JournalStorage(JournalFileBackend(str(make_folder(WORK / family) / "journal.log")))
    return optuna.create_study(
        study_name=family,
        storage=storage,
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=os.getpid(), n_startup_trials=4),
    )


def take_up(study: optuna.Study) -> None:
    """Put stopped trials back into the queue. Optuna counts them as failed or still running."""
    for trial in study.trials:
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
    known = [_chosen(trial) for trial in study.trials if trial.state in (TrialState.COMPLETE, TrialState.WAITING)]
    for trial in study.trials:
        if trial.state == TrialState.FAIL and _chosen(trial) and _chosen(trial) not in known:
            study.enqueue_trial(_chosen(trial), user_attrs={"chosen_by": _chosen_by(trial)})
            known.append(_chosen(trial))


def _chosen(trial: FrozenTrial) -> dict[str, Any]:
    """The settings of a trial; for a waiting trial, the settings it is queued with."""
    return trial.params or trial.system_attrs.get("fixed_params", {})


def _chosen_by(trial: FrozenTrial) -> str:
    return trial.user_attrs.get("chosen_by") or ("hand" if "fixed_params" in trial.system_attrs else "TPE")


def work(family: str, epochs: float, num_trials: int, core: int) -> None:
    """Run trials in one worker with its own core, until enough are finished or running."""
    os.sched_setaffinity(0, {core})
    import torch

    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = open_study(family)
    while sum(trial.state in (TrialState.COMPLETE, TrialState.RUNNING) for trial in study.trials) < num_trials:
        study.optimize(lambda trial: run_trial(family, epochs, trial), n_trials=1)


def record(family: str, epochs: float) -> Path:
    """Write the study as one JSON file, best trial first."""
    done = [trial for trial in open_study(family).trials if trial.state == TrialState.COMPLETE]
    trials = sorted((_row(trial) for trial in done), key=lambda row: -row["val_accuracy"])
    path = RECORDS / f"{family}.json"
    make_folder(RECORDS)
    space = {"shape": SHAPES[family], **(PAIR_SPACE if family in PAIRS else SPACE)}
    write_json(path, {"family": family, "epochs": epochs, "seed": 0, "split": "val", "space": space, "trials": trials})
    return path


def _row(trial: FrozenTrial) -> dict[str, Any]:
    more = {key: value for key, value in trial.user_attrs.items() if key != "chosen_by"}
    return {
        "number": trial.number, "chosen_by": _chosen_by(trial), "val_accuracy": trial.value, **trial.params, **more
    }  # fmt: skip


def main() -> None:
    """Run the missing trials and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=list(SHAPES))
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=float, default=1.0)
    args = parser.parse_args()
    study = open_study(args.family)
    for chosen in first_trials(args.family) if not study.trials else []:
        study.enqueue_trial(chosen)
    take_up(study)
    context = multiprocessing.get_context("spawn")
    cores = sorted(os.sched_getaffinity(0))
    workers = [context.Process(target=work, args=(args.family, args.epochs, args.trials, core)) for core in cores]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        sys.exit("a worker failed: see above")
    print(record(args.family, args.epochs))


if __name__ == "__main__":
    main()
