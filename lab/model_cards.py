"""The model cards of the included networks, `weights/NAME/README.md` (Model Cards for Model Reporting, arXiv 1810.03993).

`published_tables.py` writes them. All numbers come from the record of the weights and from the record of the run in `results/`.
"""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.cli.messages import flat
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import DataRecord, RunState, read_comparison, read_state
from fittingroom.core.rundir import read_json
from fittingroom.data.images.fashion_mnist import SPEC
from fittingroom.evaluation.shipped import WEIGHTS, shipped
from fittingroom.evaluation.statistics import accuracy_interval
from fittingroom.explain.findings import faithfulness_of
from fittingroom.models import MODELS, SEQUENCE_MODELS, Variant
from fittingroom.recipes import RECIPES
from fittingroom.recipes.choose import recipe
from fittingroom.recipes.sequences import SEQUENCE_RECIPES
from fittingroom.tasks.seq2seq.scoring import read_pair_predictions
from fittingroom.training.fit import resolve
from fittingroom.training.folder import holds

RESULTS = Path(__file__).parents[1] / "results"
LINE = "\n"


def cards() -> dict[Path, str]:
    """Path of each card -> its text."""
    found = {name: image_card(name) for name in shipped("classification")} | {
        name: word_card(name) for name in shipped("seq2seq")
    }
    assert found, "no network ships"
    return {WEIGHTS / name / "README.md": text for name, text in found.items()}


def image_card(name: str) -> str:
    """The card of an image classifier."""
    record, sizes, score = run_of(name), _sizes("quick"), _scores(name)
    with np.load(record / "predictions.npz") as predictions:
        labels, named = predictions["test_labels"], predictions["test_probs"].argmax(axis=1)
    right = named == labels
    by_class = [
        f"| {title} | {100 * right[labels == number].mean():.1f} | {_taken_for(number, labels, named)} |"
        for number, title in enumerate(SPEC.class_names)
    ]
    (maps,) = (each for each in read_json(RESULTS / "explain" / "explain.json")["networks"] if each["name"] == name)
    tested = {way: score["beats_random"] for way, score in faithfulness_of(maps)["scores"].items() if way != "random"}
    proofs = [f"{way} {'yes' if beats else 'no'}" for way, beats in tested.items()]
    half, test = score["half_precision_val_accuracy"], score["test_accuracy"]
    return f"""{_head(MODELS.get(name))}

`fittingroom evaluate {name}`, `fittingroom explain {name} --image shoe.jpg`

| | |
|---|---|
| reads | 28 × 28 grey pixels, light clothes on black |
| answers | one of ten: {", ".join(SPEC.class_names)} |
{_size(name, "an image")}
{_training(name, record, f"Fashion-MNIST, {sizes.num_train:,} images")}
| validation | {score["val_accuracy"]} of {sizes.num_val:,} images right; as stored, in half precision, {half} |
| test | {test} of {len(right):,} images right, {_interval(right)}; read once, after the last epoch |
| maps that beat random maps | {", ".join(proofs)} ([how that is tested](../../../../docs/looking-inside.md)) |

| test images of | right, % | most often taken for |
|---|---:|---|
{LINE.join(by_class)}

**For**: seeing quickly what such a network does and where it looks, and as a baseline. **Not for**: photographs, colour images,
or things outside the ten classes. The network names one of the ten for any image. Its probabilities do not show whether the
image belongs to them, because it was trained with smoothed labels.

One run, chosen by its length and not by its score; its settings were chosen on validation images
([how](../../../../docs/lab/results.md)). Another seed would give other numbers: the interval covers other test images, not
other seeds. Licences: Apache 2.0 for the weights and the code, MIT for Fashion-MNIST.
"""


def word_card(name: str) -> str:
    """The card of a network that pronounces words."""
    record, sizes, score = run_of(name), _sizes("sequences"), _scores(name)
    wrong = ~read_pair_predictions(record)["test"].right
    half, phonemes = score["half_precision_val_word_error_rate"], score["test_phoneme_error_rate"]
    return f"""{_head(SEQUENCE_MODELS.get(name))}

`fittingroom pronounce {name} WORD`, `fittingroom evaluate {name}`

| | |
|---|---|
| reads | an English word, letter by letter |
| writes | its phonemes in the alphabet of the CMU Pronouncing Dictionary, without stress |
{_size(name, "a word")}
{_training(name, record, f"cmudict, {sizes.num_train:,} words")}
| validation | {score["val_word_error_rate"]} of {sizes.num_val:,} words wrong; as stored, in half precision, {half} |
| test | {score["test_word_error_rate"]} of {len(wrong):,} words wrong, {_interval(wrong)}; read once, after the last step |
| phonemes of the test words | {phonemes} wrong |

**For**: seeing what such a network has learned and which letters it looks at. **Not for**: speech products; it writes phonemes
for any letters, even for nonsense. An answer counts as wrong unless it equals one of the dictionary's pronunciations.

One run; its settings were chosen on validation words ([how](../../../../docs/lab/sequences.md)). Another seed would give
other numbers: the interval covers other test words, not other seeds. Licences: Apache 2.0 for the weights and the code, BSD for
cmudict.
"""


def run_of(name: str) -> Path:
    """The record in `results/` of the run that produced these weights. Raises FittingRoomError unless there is exactly one."""
    wanted = identity(read_state(WEIGHTS / name))
    found = [path.parent for path in RESULTS.rglob("state.json") if identity(read_state(path.parent)) == wanted]
    if len(found) != 1:
        raise FittingRoomError(f"{len(found)} records in results/ match weights/{name}: exactly one is needed")
    return found[0]


def identity(state: RunState) -> tuple[Any, ...]:
    """Values that identify a run: the record of its weights has the same ones, and no other run does."""
    return state.config_hash, state.step, state.test_reads


def _sizes(comparison: str) -> DataRecord:
    """The number of images or words in each split, as recorded by a comparison."""
    return read_comparison(RESULTS / comparison).data


def _head(variant: Variant) -> str:
    summary = (inspect.getdoc(variant.make_config) or "").splitlines()[0]
    return f"# {variant.title}, ready to use\n\n{summary} Source: {variant.source}."


def _scores(name: str) -> dict[str, str]:
    """Accuracies and error rates as percentages."""
    scores = flat(read_state(WEIGHTS / name)).items()
    return {key: f"{100 * value:.2f} %" for key, value in scores if key.endswith(("accuracy", "error_rate"))}


def _size(name: str, each: str) -> str:
    state, size = read_state(WEIGHTS / name), (WEIGHTS / name / "model.safetensors").stat().st_size
    macs = f"{(state.num_macs or 0) / 1e6:.1f} million multiply-adds {each}"
    return f"| size | {state.num_params:,} parameters, {size / 1e6:.1f} MB in half precision; {macs} |"


def _training(name: str, record: Path, data: str) -> str:
    """The row on training: the command, the data, the duration and the machine."""
    state, environment = read_state(record), read_json(record / "environment.json")
    plan = environment["plan"]
    threads = "one core" if plan["num_threads"] == 1 else f"{plan['num_threads']} cores"
    where = f"{environment['processor'].partition(',')[0]}, {threads}, {plan['precision']}"
    length = f"{state.epochs:.3g} epochs, {(state.train_seconds or 0) / 60:.0f} minutes"
    folder = record.relative_to(RESULTS.parent)
    return f"| trained | `{command_of(name, record)}`: {data}, {length} ({where}); record: `{folder}` |"


def command_of(name: str, record: Path) -> str:
    """The command that repeats the training, with its budget or the recipe of its settings.

    Raises FittingRoomError if no recipe has these settings.
    """
    config = read_json(record / "config.json")
    start = f"fittingroom train {name} --seed {config['seed']}"
    if config["budget_seconds"] is not None:
        return f"{start} --budget {config['budget_seconds'] / 60:g}m"
    family = (MODELS if name in MODELS else SEQUENCE_MODELS).get(name).family
    for each in (*RECIPES, *SEQUENCE_RECIPES):
        if each.startswith(f"{family}_"):
            settings = resolve(recipe(name, seed=config["seed"], name=each))
            if holds(record, read_state(record), settings):
                return f"{start} --recipe {each}"
    raise FittingRoomError(f"no recipe has the settings of {record}")


def _taken_for(number: int, labels: NDArray[Any], named: NDArray[Any]) -> str:
    """The wrong class most often predicted for images of class `number`, and the percentage of images it is predicted for."""
    counts = np.bincount(named[labels == number], minlength=len(SPEC.class_names))
    total, counts[number] = counts.sum(), 0
    return f"{SPEC.class_names[counts.argmax()]} ({100 * counts.max() / total:.1f} %)" if counts.any() else ""


def _interval(happened: NDArray[np.bool_]) -> str:
    """The 95 % Wilson interval."""
    found = accuracy_interval(happened[None])
    return f"95 % interval {100 * found.low:.1f} to {100 * found.high:.1f}"
