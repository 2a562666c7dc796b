"""Inspect several networks on the same images: what `fittingroom explain` does before it draws."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import read_json
from fittingroom.core.text import distinct_names, shown
from fittingroom.data.images.batches import eval_batch_size, normalise
from fittingroom.data.images.dataset import ImageData, Splits
from fittingroom.data.images.image_file import read_image
from fittingroom.data.spec import DataSpec, Source
from fittingroom.evaluation.read_log import log_test_read
from fittingroom.evaluation.selection import disagreements, mistakes
from fittingroom.evaluation.shipped import FAITHFULNESS, is_shipped, shipped
from fittingroom.explain.catalogue import check_method
from fittingroom.explain.examine import answers, examine, measure_faithfulness
from fittingroom.explain.findings import Faithfulness, Findings, Inspection
from fittingroom.explain.methods import default_method, methods_for
from fittingroom.explain.question import Asked, Question, check_target, class_number
from fittingroom.tasks.load import SavedRun, load_run

MOST_EXAMPLES = 20
"""Classes of which an image is shown unasked: a picture of 200 rows takes long to draw, and nobody reads it."""
MOST_IMAGES, MOST_NETWORKS = 100, 5
FAMILIES = ("vit", "hybrid", "cnn")
"""One network of each family that comes with the package: the default if no RUN is named."""
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class _Network:
    name: str
    saved: SavedRun

    @property
    def folder(self) -> Path:
        return self.saved.folder

    @property
    def model(self) -> nn.Module:
        return self.saved.model

    @property
    def task(self) -> Any:
        """A `ClassificationTask`."""
        return self.saved.task

    @property
    def spec(self) -> DataSpec:
        return self.task.spec


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    images: Tensor
    labels: NDArray[np.int64] | None
    names: list[str]
    what: str
    notes: list[str]
    files: list[str] = field(default_factory=list)


def inspect(
    question: Question, say: Say = lambda words: None, check: Callable[[Asked], None] = lambda asked: None
) -> Inspection:
    """Find the images, run every network on them, and measure faithfulness if asked. `say` is told about progress.

    `check` may refuse the question before any image is read.

    Raises FittingRoomError if something cannot be found or does not fit together. Reading the test images is logged in each run
    before they are opened.
    """
    if question.kind in ("image", "given") and question.split == "test" and not question.faithfulness:
        raise FittingRoomError("--split chooses among the images of the data, and you gave your own: omit it")
    networks, notes = _networks(question)
    spec, pool = networks[0].spec, None
    target = None if question.target is None else class_number(question.target, spec.class_names)
    if target is not None:
        notes.append(f"the maps are for the class {spec.class_names[target]}, whatever the answer is")
    asked = question.asked([network.folder for network in networks], target)
    name_of_target = None if target is None else spec.class_names[target]
    check(Asked(names=tuple(network.name for network in networks), target=name_of_target, question=asked))
    if question.kind not in ("image", "given") or question.faithfulness:
        pool, more = _open(question, networks)
        notes += more
    if question.kind == "image":
        chosen = _from_files(question, spec)
    else:
        chosen = _from_memory(question) if question.kind == "given" else _from_split(question, networks, pool, say)
    found: list[Findings] = []
    for network in networks:
        faithfulness = _measure_faithfulness(question, network, pool, say)
        say(f"{network.name}: explaining")
        beats_random = _shipped_beats_random(network.folder, question.method, network.model)
        found.append(
            examine(
                network.model,
                normalise(chosen.images, network.spec),
                shown=(spec.height, spec.width),
                name=network.name,
                method=question.method,
                target=target,
                faithfulness=faithfulness,
                beats_random=beats_random,
            )
        )
    return Inspection(
        images=_for_people(chosen.images),
        labels=chosen.labels,
        names=chosen.names,
        files=chosen.files,
        class_names=spec.class_names,
        what=chosen.what,
        notes=[*notes, *chosen.notes],
        networks=found,
        question=asked,
    )


def _networks(question: Question) -> tuple[list[_Network], list[str]]:
    """The requested networks under distinct names, and notes about networks that were added."""
    if question.method is not None:
        check_method(question.method)
    if question.target is not None:
        check_target(question.method)
    runs, notes = list(question.runs or FAMILIES), []
    if len(set(runs)) != len(runs):
        raise FittingRoomError(f"RUN '{_twice(runs)}' is named twice: name each RUN once")
    if question.kind == "disagreements" and len(runs) == 1:
        asked = _load(runs[0], runs[0], question)
        model = asked.saved.config.model
        added = [name for name in FAMILIES if name in shipped() and name not in (runs[0], model)]
        if any(_load(name, name).spec.digest != asked.spec.digest for name in added):
            raise FittingRoomError(
                f"--disagreements: {runs[0]} was not trained on the data of the included networks: name two RUNs"
            )
        runs += added
        notes.append(f"{' and '.join(added)}, which come with the package, were added")
    if len(runs) > MOST_NETWORKS:
        raise FittingRoomError(f"{len(runs)} RUNs do not fit side by side: give at most {MOST_NETWORKS}")
    names = _names(runs)
    networks = [_load(run, name, question) for run, name in zip(runs, names, strict=True)]
    places = [network.folder.resolve() for network in networks]
    if len(set(places)) != len(places):
        raise FittingRoomError(f"the run in {_twice(places)} is named twice: name each RUN once")
    _check_same_data(networks)
    if question.method is not None and not any(question.method in methods_for(each.model) for each in networks):
        known = ", ".join(methods_for(networks[0].model))
        raise FittingRoomError(
            f"--method {question.method} needs attention between tokens, which {names[0]} does not have: choose {known}"
        )
    return networks, notes


def _names(runs: list[str]) -> list[str]:
    """The last part of each path, usable in file names. If several are the same, the later ones are numbered."""
    names: list[str] = []
    for run in runs:
        short = shown(Path(run).resolve().name)
        number = 1 + sum(each == short or each.startswith(f"{short} (") for each in names)
        names.append(short if number == 1 else f"{short} ({number})")
    return names


def _load(run: str, name: str, question: Question | None = None) -> _Network:
    place = {} if question is None else {"data_dir": question.data_dir, "data": question.data}
    return _Network(name=name, saved=load_run(run, "classification", **place))


def _check_same_data(networks: list[_Network]) -> None:
    """Raise FittingRoomError where two networks cannot look at the same images."""
    first = networks[0]
    for other in networks[1:]:
        if first.spec.source == other.spec.source and first.spec.image_shape != other.spec.image_shape:
            raise FittingRoomError(
                f"{first.name} was trained on images of {_size(first.spec)}, {other.name} on those of {_size(other.spec)}: "
                "explain one after the other, or train both with the same --image-size"
            )
        same = (first.spec.class_names, first.spec.image_shape) == (other.spec.class_names, other.spec.image_shape)
        if not same or first.spec.digest != other.spec.digest:
            raise FittingRoomError(
                f"{first.name} was trained on {first.spec.title}, {other.name} on {other.spec.title}: name runs of one data set"
            )


def _size(spec: DataSpec) -> str:
    return f"{spec.height}x{spec.width}"


def _open(question: Question, networks: list[_Network]) -> tuple[Source, list[str]]:
    """The images of the split. For validation: only images that no network was trained on."""
    by_seed: dict[int, Splits] = {}
    for network in networks:
        by_seed.setdefault(network.saved.config.seed, network.task.splits)
    splits = list(by_seed.values())
    if question.split == "test":

        def log(why: str) -> None:
            for network in networks:
                log_test_read(network.folder, why)

        return splits[0].open_test(log, f"explain, {question.kind}"), []
    val = splits[0].val
    for other in splits[1:]:
        val = val.subset(torch.isin(val.index, other.val.index).nonzero()[:, 0])
    if len(splits) == 1:
        return val, []
    return val, [f"runs of different seeds: only the {len(val):,} images that are validation images of all of them"]


def _from_files(question: Question, spec: DataSpec) -> _Chosen:
    images, notes, names = [], [], distinct_names(question.files)
    for path, name in zip(question.files, names, strict=True):
        own = read_image(path, spec, name)
        images.append(own.pixels)
        notes += own.notes
    notes.append(f"the networks know only these classes: {_listed(spec.class_names)}")
    return _Chosen(images=torch.stack(images), labels=None, names=names, what=_listed(names), notes=notes)


def _from_memory(question: Question) -> _Chosen:
    assert question.given is not None
    if len(question.given) > MOST_IMAGES:
        raise FittingRoomError(f"{len(question.given)} images are too many to show: give at most {MOST_IMAGES}")
    names = list(question.given_names) or [f"image {place}" for place in range(len(question.given))]
    what = f"{len(names)} images" if names[0] == "image 0" else _listed(names)
    return _Chosen(images=question.given, labels=None, names=names, what=what, notes=list(question.given_notes))


def _from_split(question: Question, networks: list[_Network], pool: Source | None, say: Say) -> _Chosen:
    assert pool is not None
    split = {"val": "validation", "test": "test"}[question.split]
    positions, what, notes = _positions(question, networks, pool, split, say)
    files = _files_of(networks[0].task.data, pool, positions)
    if files:
        notes.append(f"from the {'file' if len(files) == 1 else 'files'} {_listed(files)}")
    return _Chosen(
        images=pool.read(torch.tensor(positions)),
        labels=pool.labels[positions].numpy(),
        names=[f"{split} image {position}" for position in positions],
        what=what,
        notes=notes,
        files=files,
    )


def _files_of(data: ImageData, pool: Source, positions: list[int]) -> list[str]:
    """The files of images, below the root of the data. Empty for data that are not pictures in files."""
    if data.pictures is None:
        return []
    pictures = data.pictures()
    return [pictures[place].name for place in pool.index[positions].tolist()]


def _examples(labels: np.ndarray, split: str) -> tuple[list[int], str]:
    """The first image of each class, and that in words; of many classes, of some that are spread over the list."""
    there = np.unique(labels)
    chosen = there[np.linspace(0, len(there) - 1, min(len(there), MOST_EXAMPLES)).round().astype(int)]
    which = "each class" if len(chosen) == len(there) else f"each of {len(chosen)} of the {len(there):,} classes"
    return [int(np.argmax(labels == label)) for label in chosen], f"the first {split} image of {which}"


def _positions(
    question: Question, networks: list[_Network], pool: Source, split: str, say: Say
) -> tuple[list[int], str, list[str]]:
    """Positions of the chosen images in the pool, what they are in words, and notes."""
    labels, number = pool.labels.numpy(), question.number
    if question.kind == "examples":
        return (*_examples(labels, split), [])
    if question.kind == "index":
        if not 0 <= number < len(pool):
            raise FittingRoomError(
                f"--index {number}: there are {len(pool):,} {split} images: choose 0 to {len(pool) - 1}"
            )
        return [number], f"{split} image {number}", []
    if not 1 <= number <= MOST_IMAGES:
        raise FittingRoomError(f"--{question.kind} {number} is out of range: choose 1 to {MOST_IMAGES} images")
    probs = {}
    for network in networks:
        say(f"{network.name}: predicting {len(pool):,} {split} images")
        probs[network.name] = _answers_of(network, pool)
    if question.kind == "mistakes":
        found = mistakes(probs, labels)
        what = f"{split} images on which {'all are' if len(probs) > 1 else 'it is'} wrong, the most confident first"
    else:
        sides, between = {name: each[None] for name, each in probs.items()}, "two networks"
        if len(question.runs) == 1:
            own, *others = probs.values()
            sides, between = {"own": own[None], "others": np.stack(others)}, f"{networks[0].name} and the others"
        found = disagreements(sides, labels, limit=number)
        what = f"{split} images on which {between} predict different classes with the most confidence"
    if not len(found):
        raise FittingRoomError(
            f"there are no {question.kind} among the {len(pool):,} {split} images: choose an image with --index N"
        )
    notes = [f"there are only {len(found)} of them"] if len(found) < number else []
    return [int(position) for position in found[:number]], what, notes


def _answers_of(network: _Network, pool: Source) -> NDArray[np.float32]:
    """[images, classes]; normalised a part at a time, so that memory does not grow with the pool."""
    parts = torch.arange(len(pool)).split(eval_batch_size(network.spec))
    return np.concatenate([answers(network.model, normalise(pool.read(part), network.spec)) for part in parts])


def _measure_faithfulness(question: Question, network: _Network, pool: Source | None, say: Say) -> Faithfulness | None:
    if not question.faithfulness:
        return None
    assert pool is not None
    if not 2 <= question.faithfulness <= len(pool):
        raise FittingRoomError(
            f"--faithfulness {question.faithfulness} is out of range: choose 2 to {len(pool)} images"
        )
    images = normalise(pool.read(torch.arange(question.faithfulness)), network.spec)
    return measure_faithfulness(network.model, images, lambda words: say(f"{network.name}: measuring {words}"))


def _shipped_beats_random(folder: Path, method: str | None, model: nn.Module) -> bool | None:
    """Whether the method beats random maps, as recorded for weights that come with the package; None for other runs."""
    if not is_shipped(folder):
        return None
    chosen = method if method in methods_for(model) else default_method(model)
    return read_json(FAITHFULNESS).get(folder.name, {}).get(chosen)


def _for_people(images: Tensor) -> NDArray[np.uint8]:
    """Grey images as [N, H, W], RGB as [N, H, W, 3]."""
    return images[:, 0].numpy() if images.shape[1] == 1 else images.permute(0, 2, 3, 1).numpy()


def _twice(runs: list[Any]) -> Any:
    return next(run for place, run in enumerate(runs) if run in runs[:place])


def _listed(names: Sequence[str], most: int = 20) -> str:
    """The names, or the first `most` of them and how many there are besides."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
