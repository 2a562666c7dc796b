"""The images on which models disagree, each with what every model takes it for."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fittingroom.report import numbers
from fittingroom.report.load import Gallery


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
    """A button over the gallery: `value` is 'all', 'none' or a model's position."""

    value: str
    text: str
    num_images: int


def cards(gallery: Gallery, models: Sequence[dict[str, Any]], class_names: Sequence[str]) -> list[Card]:
    """One card for each image of the gallery, in its order."""
    return [_card(gallery, number, models, class_names) for number in range(len(gallery.images))]


def filters(found: Sequence[Card], models: Sequence[dict[str, Any]]) -> list[Filter]:
    """'All', one for each model with an opinion, 'No model is right'; those that would show nothing are left out."""
    places = sorted({opinion.place for card in found for opinion in card.opinions})
    choices = [(str(place), f"{models[place]['title']} is right") for place in places] + [("none", "No model is right")]
    counted = [
        Filter(value=value, text=text, num_images=sum(value in card.right_places.split() for card in found))
        for value, text in choices
    ]
    return [
        Filter(value="all", text="All", num_images=len(found)),
        *(choice for choice in counted if choice.num_images),
    ]


def png_address(image: NDArray[np.uint8]) -> str:
    """The image, [height, width] or [height, width, 3], as `data:image/png;base64,...`."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _card(gallery: Gallery, number: int, models: Sequence[dict[str, Any]], class_names: Sequence[str]) -> Card:
    image, label = gallery.images[number], int(gallery.labels[number])
    opinions = []
    for place, model in enumerate(models):
        if model["name"] in gallery.probs:
            probs = gallery.probs[model["name"]][number]
            guess = int(np.argmax(probs))
            opinions.append(
                Opinion(
                    place=place,
                    title=model["title"],
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
