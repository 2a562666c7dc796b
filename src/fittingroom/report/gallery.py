"""The images on which models disagree, each with what every model takes it for."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fittingroom.core.archives import MEND, open_arrays
from fittingroom.report import numbers
from fittingroom.tasks.classification.scoring import ClassPredictions

FILE = "gallery.npz"


class Named(Protocol):
    """What the sections need of a candidate."""

    @property
    def name(self) -> str:
        """Unique within the comparison."""
        ...

    @property
    def title(self) -> str:
        """For people."""
        ...

    @property
    def family(self) -> str:
        """Of the model."""
        ...


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Images on which models disagree: `images` uint8 [n, height, width] or [n, height, width, 3], `labels` [n].

    `probs` maps a candidate's name to its probabilities, mean over its seeds, [n, classes].
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    probs: dict[str, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What one model takes an image for. `place` is its position in the comparison, `percent` its probability."""

    place: int
    title: str
    predicted: str
    percent: str
    right: bool


@dataclass(frozen=True, kw_only=True)
class Card:
    """One image: a PNG as data address, its size in pixels, the true class, and the opinions in the models' order."""

    source: str
    width: int
    height: int
    truth: str
    opinions: list[Opinion]

    @property
    def right_places(self) -> str:
        """Positions of the models that are right, such as '0 2', for the page's filter; 'none' where no model is."""
        return " ".join(str(opinion.place) for opinion in self.opinions if opinion.right) or "none"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A button over a gallery: `value` is 'all', 'none' or a model's position; `number` of cards it shows."""

    value: str
    text: str
    number: int


def read_gallery(
    folder: Path, tests: Mapping[str, Mapping[int, ClassPredictions]], *, complete: bool
) -> Gallery | None:
    """The folder's gallery.npz with the probabilities of each candidate; None where there is nothing to disagree on, or not yet.

    Raises FittingRoomError that names the file and the fix where it is damaged, or missing from a complete comparison.
    """
    path = folder / FILE
    if len(tests) < 2 or not (complete or path.exists()):
        return None
    num_classes = next(iter(next(iter(tests.values())).values())).probs.shape[1]
    missing = "run the comparison again, finished runs are kept"
    with open_arrays(path, missing=missing, damaged=MEND) as archive:
        images, labels, index = (archive[name] for name in ("images", "labels", "test_index"))
        images = _check_images(images, labels, index, num_classes)
        if not len(images):
            return None
        probs = {name: _mean_probs(list(runs.values()), index, labels) for name, runs in tests.items()}
    return Gallery(images=images, labels=labels.astype(np.int64), probs=probs)


def cards(gallery: Gallery, models: Sequence[Named], class_names: Sequence[str]) -> list[Card]:
    """One card for each image of the gallery, in its order."""
    return [_card(gallery, number, models, class_names) for number in range(len(gallery.images))]


def filters(found: Sequence[Card], models: Sequence[Named]) -> list[Filter]:
    """The filters 'All', one for each model with predictions, and 'No model is right'. Filters without images are omitted."""
    places = sorted({opinion.place for card in found for opinion in card.opinions})
    choices = [(str(place), f"{models[place].title} is right") for place in places] + [("none", "No model is right")]
    counted = [
        Filter(value=value, text=text, number=sum(value in card.right_places.split() for card in found))
        for value, text in choices
    ]
    return [Filter(value="all", text="All", number=len(found)), *(choice for choice in counted if choice.number)]


def png_address(image: NDArray[np.uint8]) -> str:
    """The image, [height, width] or [height, width, 3], as `data:image/png;base64,...`."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def check_pixels(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Images as [n, height, width] or [n, height, width, 3]; a single channel loses its axis. Raises ValueError."""
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise ValueError(f"images are {images.dtype} {images.shape}")
    return images


def _card(gallery: Gallery, number: int, models: Sequence[Named], class_names: Sequence[str]) -> Card:
    image, label = gallery.images[number], int(gallery.labels[number])
    opinions = []
    for place, model in enumerate(models):
        if model.name in gallery.probs:
            probs = gallery.probs[model.name][number]
            guess = int(np.argmax(probs))
            opinions.append(
                Opinion(
                    place=place,
                    title=model.title,
                    predicted=class_names[guess],
                    percent=numbers.probability(float(probs[guess])),
                    right=guess == label,
                )
            )
    return Card(
        source=png_address(image),
        width=image.shape[1],
        height=image.shape[0],
        truth=class_names[label],
        opinions=opinions,
    )


def _check_images(
    images: NDArray[Any], labels: NDArray[Any], index: NDArray[Any], num_classes: int
) -> NDArray[np.uint8]:
    num_images = len(labels)
    images = check_pixels(images)
    if labels.shape != (num_images,) or len(images) != num_images or index.shape != (num_images,):
        raise ValueError(f"{len(images)} images, {num_images} labels, {len(index)} positions")
    if num_images and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise ValueError(f"labels lie outside 0 to {num_classes - 1}")
    return images


def _mean_probs(tests: Sequence[ClassPredictions], index: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities for the test images at `index`, [n, classes], mean over runs. Raises ValueError where `labels` are others."""
    found = []
    for test in tests:
        rows = {int(position): row for row, position in enumerate(test.index)}
        absent = [int(position) for position in index if int(position) not in rows]
        if absent:
            raise ValueError(f"test image {absent[0]} is not among the predictions of its runs")
        chosen = [rows[int(position)] for position in index]
        if not np.array_equal(test.labels[chosen], labels):
            raise ValueError("its labels are not those of the runs")
        found.append(test.probs[chosen])
    return np.asarray(np.mean(found, axis=0, dtype=np.float64))
