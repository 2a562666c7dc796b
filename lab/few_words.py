"""Train on few words of cmudict, with the recipe for few words and with that for all: `python lab/few_words.py`, two hours.

`python lab/few_words.py transformer` does only that model. Each point is one sealed run: the test words are not read, error rates
are those of all validation words. You can stop the program at any time; the same command does the missing points. Writes
results/few-words.json.
"""

import sys
from pathlib import Path
from typing import Any

from fittingroom.api.runs import configure
from fittingroom.core.rundir import exclusive_lock, read_json, write_json
from fittingroom.training.environment import describe_environment
from fittingroom.training.fit import FitOptions, fit
from fittingroom.training.speed.plan import first_guess, with_fixed

ROOT = Path(__file__).parents[1]
RECORD, WORK = ROOT / "results" / "few-words.json", ROOT / "runs" / "few-words"
MODELS = ("transformer", "recurrent")
PLAN = {"num_threads": "1"}
POINTS = [
    (number, recipe, seed) for number in (800, 8000) for recipe in ("for all words", "for few words") for seed in (0,)
]


def measure(model: str, number: int, recipe: str, seed: int) -> dict[str, Any]:
    """Train one point and return its record."""
    short = {"epochs": 10, "recipe_name": f"{model}_10"} if recipe == "for all words" else {}
    config = configure(model, "cmudict", seed=seed, settings={"num_train": number}, **short)
    folder = WORK / f"{model}-{number}-{recipe.replace(' ', '-')}-seed{seed}"
    state = fit(config, FitOptions(folder=folder, open_test=False, resume=True, plan=PLAN))
    environment = describe_environment(with_fixed(first_guess(config), PLAN), [])
    return {
        "model": model,
        "num_train": number,
        "recipe": recipe,
        "seed": seed,
        "epochs": state.epochs,
        "steps": state.steps,
        "train_seconds": state.train_seconds,
        **state.evals["val"],
        "commit": environment["commit"],
        "processor": environment["processor"],
    }


def records() -> list[dict[str, Any]]:
    """The points so far."""
    return read_json(RECORD)["points"] if RECORD.exists() else []


def main() -> None:
    """Measure every point that has no record."""
    if unknown := set(sys.argv[1:]) - set(MODELS):
        sys.exit(f"no model {', '.join(sorted(unknown))}: choose from {', '.join(MODELS)}")
    for model in sys.argv[1:] or MODELS:
        for point in POINTS:
            done = {(each["model"], each["num_train"], each["recipe"], each["seed"]) for each in records()}
            if (model, *point) not in done:
                found = measure(model, *point)
                with exclusive_lock(WORK, 30.0):
                    write_json(RECORD, {"points": [*records(), found]})
                print(found, flush=True)


if __name__ == "__main__":
    main()
