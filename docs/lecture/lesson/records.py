"""The measurements in `results/`. Every number of a lesson that is not computed in the lesson is read here."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import fittingroom as fr
from fittingroom.api.verdict import VerdictResult
from fittingroom.comparison.summary import summarise
from fittingroom.core.records import RunState, read_state
from fittingroom.explain.findings import faithfulness_of

RESULTS = Path(__file__).parents[3] / "results"
FAMILIES = {"cnn": "CNN", "hybrid": "Hybrid", "vit": "ViT"}
"""Image models and their titles."""


def read(name: str) -> Any:
    """A JSON record, such as `bench/claims.json`."""
    path = RESULTS / name
    if not path.exists():
        raise fr.FittingRoomError(f"{path} is missing: run the lesson in a clone of the repository")
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def comparison(name: str) -> fr.ComparisonResult:
    """A recorded comparison, such as `heads`, `positions`, `sequences` or `quick`, with its statistics computed now."""
    return fr.ComparisonResult(folder=RESULTS / name, summary=summarise(RESULTS / name))


def ladder_runs(model: str, epochs: int) -> list[RunState]:
    """The recorded runs of one recipe on Fashion-MNIST, seed 0 first."""
    return [read_state(path.parent) for path in sorted((RESULTS / "ladder").glob(f"{model}_{epochs}-seed*/state.json"))]


@cache
def ladder(epochs: int, models: tuple[str, ...] = tuple(FAMILIES)) -> VerdictResult:
    """Verdict over the recorded runs of `epochs` epochs on Fashion-MNIST, three seeds each, computed from their predictions."""
    probs: dict[str, list[Any]] = {}
    labels = None
    for model in models:
        runs = probs[FAMILIES[model]] = []
        for path in sorted((RESULTS / "ladder").glob(f"{model}_{epochs}-seed*/predictions.npz")):
            with np.load(path) as archive:
                runs.append(archive["test_probs"].astype(float))
                labels = archive["test_labels"]
    return fr.verdict(probs, labels, title=f"Fashion-MNIST, {epochs} epochs")


def claim_sizes() -> list[int]:
    """The numbers of training images for which the claims page has a record, smallest first."""
    return sorted(int(path.stem.removeprefix("data-")) for path in (RESULTS / "claims").glob("data-*.json"))


@cache
def claim(name: str) -> VerdictResult:
    """Verdict over the recorded test answers of an experiment of the claims page, such as `data-550` or `heads`."""
    answers = np.load(RESULTS / "claims" / f"{name}.npz")
    certain = np.eye(answers["labels"].max() + 1)  # a predicted class as probabilities: only right and wrong count here
    probs: dict[str, list[Any]] = {}
    for run in read(f"claims/{name}.json")["runs"]:
        model: str = run["candidate"]
        probs.setdefault(FAMILIES.get(model, model), []).append(certain[answers[run["run"]]])
    return fr.verdict(probs, answers["labels"], title=f"Fashion-MNIST, {name}")


def sequence_errors(name: str, min_letters: int = 0, max_letters: int = 99) -> dict[str, list[float]]:
    """Share of wrong test words of each model in a recorded comparison of words, for each seed, by the length of the word."""
    found: dict[str, list[float]] = {}
    for run in comparison(name).record.finished():
        with np.load(RESULTS / name / run.folder / "predictions.npz") as archive:
            chosen = np.array([min_letters <= len(word) <= max_letters for word in archive["test_sources"]])
            pairs = zip(archive["test_predicted"], archive["test_references"], strict=True)
            wrong = np.array([str(said) not in str(right).split("\t") for said, right in pairs])
        found.setdefault(run.candidate, []).append(float(wrong[chosen].mean()))
    return found


def faithfulness(network: str) -> dict[str, Any]:
    """Deletion and insertion of every method on an included network, from the record of 1,000 test images."""
    networks = {each["name"]: each for each in read("explain/explain.json")["networks"]}
    return faithfulness_of(networks[network])["scores"]
