"""Inspect several networks on the same images: what `fittingroom explain` does before it draws."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import read_json
from fittingroom.data.images.batches import normalise
from fittingroom.data.images.fashion_mnist import SPEC
from fittingroom.data.images.image_file import read_image
from fittingroom.data.images.load import Splits, load_splits
from fittingroom.data.spec import ImageSet
from fittingroom.evaluation.saved import load_run
from fittingroom.evaluation.score import log_test_read
from fittingroom.evaluation.selection import disagreements, mistakes
from fittingroom.evaluation.shipped import FAITHFULNESS, find_run, is_shipped, shipped
from fittingroom.explain.catalogue import check_method
from fittingroom.explain.examine import answers, examine, measure_faithfulness
from fittingroom.explain.findings import Faithfulness, Findings, Inspection
from fittingroom.explain.methods import default_method, methods_for

MOST_IMAGES, MOST_NETWORKS = 100, 5
FAMILIES = ("vit", "hybrid", "cnn")
"""One network of each family that comes with the package: the default if no RUN is named."""
Kind = Literal["examples", "index", "image", "mistakes", "disagreements"]
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a user wants to see."""

    runs: tuple[str, ...]
    """Run folders or names of weights that come with the package. Empty: one of each family."""
    kind: Kind = "examples"
    """examples: the first image of each class; mistakes: the most confident ones; disagreements: where networks are confident
    of different classes."""
    number: int = 0
    """The index, or how many mistakes or disagreements."""
    files: tuple[Path, ...] = ()
    """Image files, for kind 'image'."""
    method: str | None = None
    split: Literal["val", "test"] = "val"
    faithfulness: int = 0
    """Number of images on which to measure whether the maps mean something; 0: do not measure."""
    data_dir: Path | None = None


@dataclass(frozen=True, kw_only=True)
class _Network:
    name: str
    folder: Path
    model: nn.Module
    config: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    images: Tensor
    labels: NDArray[np.int64] | None
    names: list[str]
    what: str
    notes: list[str]


def inspect(question: Question, say: Say = lambda words: None) -> Inspection:
    """Find the images, run every network on them, and measure faithfulness if asked. `say` is told about progress.

    Raises FittingRoomError if something cannot be found or does not fit together. Reading the test images is logged in each run
    before they are opened.
    """
    networks, notes = _networks(question)
    pool: ImageSet | None = None
    if question.kind != "image" or question.faithfulness:
        pool, more = _open(question, networks)
        notes += more
    chosen = _from_files(question) if question.kind == "image" else _from_split(question, networks, pool, say)
    images = normalise(chosen.images, SPEC)
    found: list[Findings] = []
    for network in networks:
        faithfulness = _measure_faithfulness(question, network, pool, say)
        say(f"{network.name}: explaining")
        beats_random = _shipped_beats_random(network.folder, question.method, network.model)
        found.append(
            examine(
                network.model,
                images,
                name=network.name,
                method=question.method,
                faithfulness=faithfulness,
                beats_random=beats_random,
            )
        )
    return Inspection(
        images=_for_people(chosen.images),
        labels=chosen.labels,
        names=chosen.names,
        class_names=SPEC.class_names,
        what=chosen.what,
        notes=[*notes, *chosen.notes],
        networks=found,
    )


def _networks(question: Question) -> tuple[list[_Network], list[str]]:
    """The requested networks under distinct names, and notes about networks that were added."""
    if question.method is not None:
        check_method(question.method)
    runs, notes = list(question.runs or FAMILIES), []
    if len(set(runs)) != len(runs):
        raise FittingRoomError(f"RUN '{_twice(runs)}' is named twice: name each RUN once")
    if question.kind == "disagreements" and len(runs) == 1:
        family = _load(runs[0], runs[0]).config["model"]
        added = [name for name in FAMILIES if name in shipped() and name not in (runs[0], family)]
        runs += added
        notes.append(f"{' and '.join(added)}, which come with the package, were added")
    if len(runs) > MOST_NETWORKS:
        raise FittingRoomError(f"{len(runs)} RUNs do not fit side by side: give at most {MOST_NETWORKS}")
    names = _names(runs)
    networks = [_load(run, name) for run, name in zip(runs, names, strict=True)]
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
        short = Path(run).resolve().name
        number = 1 + sum(each == short or each.startswith(f"{short} (") for each in names)
        names.append(short if number == 1 else f"{short} ({number})")
    return names


def _load(run: str, name: str) -> _Network:
    folder = find_run(run)
    model, config = load_run(folder)
    return _Network(name=name, folder=folder, model=model, config=config)


def _open(question: Question, networks: list[_Network]) -> tuple[ImageSet, list[str]]:
    """The images of the split: of validation those that none of the networks was trained on."""
    by_seed: dict[int, Splits] = {}
    for network in networks:
        seed = network.config["seed"]
        if seed not in by_seed:
            by_seed[seed] = load_splits(seed, data_dir=question.data_dir)
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


def _from_files(question: Question) -> _Chosen:
    images, notes = [], []
    for path in question.files:
        image, inverted = read_image(path, SPEC)
        images.append(image)
        if inverted:
            notes.append(
                f"{path.name} has a bright ground: its colours were inverted, because the networks know only a black ground"
            )
    notes.append(f"the networks know only these classes: {', '.join(SPEC.class_names)}")
    names = [path.name for path in question.files]
    return _Chosen(images=torch.stack(images), labels=None, names=names, what=", ".join(names), notes=notes)


def _from_split(question: Question, networks: list[_Network], pool: ImageSet | None, say: Say) -> _Chosen:
    assert pool is not None
    split = {"val": "validation", "test": "test"}[question.split]
    positions, what, notes = _positions(question, networks, pool, split, say)
    return _Chosen(
        images=pool.images[positions],
        labels=pool.labels[positions].numpy(),
        names=[f"{split} image {position}" for position in positions],
        what=what,
        notes=notes,
    )


def _positions(
    question: Question, networks: list[_Network], pool: ImageSet, split: str, say: Say
) -> tuple[list[int], str, list[str]]:
    """Positions of the chosen images in the pool, what they are in words, and notes."""
    labels, number = pool.labels.numpy(), question.number
    if question.kind == "examples":
        return (
            [int(np.argmax(labels == label)) for label in np.unique(labels)],
            f"the first {split} image of each class",
            [],
        )
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
        probs[network.name] = answers(network.model, normalise(pool.images, SPEC))
    if question.kind == "mistakes":
        found = mistakes(probs, labels)
        what = f"{split} images on which {'all are' if len(probs) > 1 else 'it is'} wrong, the most confident first"
    else:
        sides, between = {name: each[None] for name, each in probs.items()}, "two networks"
        if len(question.runs) == 1:
            own, *others = probs.values()
            sides, between = {"own": own[None], "others": np.stack(others)}, f"{networks[0].name} and the others"
        found = disagreements(sides, labels, limit=number)
        what = f"{split} images on which {between} are confident of different classes"
    if not len(found):
        raise FittingRoomError(
            f"there are no {question.kind} among the {len(pool):,} {split} images: choose an image with --index N"
        )
    notes = [f"there are only {len(found)} of them"] if len(found) < number else []
    return [int(position) for position in found[:number]], what, notes


def _measure_faithfulness(
    question: Question, network: _Network, pool: ImageSet | None, say: Say
) -> Faithfulness | None:
    if not question.faithfulness:
        return None
    assert pool is not None
    if not 2 <= question.faithfulness <= len(pool):
        raise FittingRoomError(
            f"--faithfulness {question.faithfulness} is out of range: choose 2 to {len(pool)} images"
        )
    images = normalise(pool.images[: question.faithfulness], SPEC)
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


def _twice(runs: list[str]) -> str:
    return next(run for place, run in enumerate(runs) if run in runs[:place])
