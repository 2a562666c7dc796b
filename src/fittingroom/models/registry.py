"""Model variants by name. A variant is a function that returns a config, and the class to build from that config."""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from torch import nn

from fittingroom.core.config import from_dict, to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.registry import Registry
from fittingroom.models.image_size import ImageSizeError

if TYPE_CHECKING:
    from fittingroom.models.pretrained import Pretrained

LARGEST, DEEPEST = 1_000_000, 1_000
"""The largest width or length of a model, and the most layers of one kind: more cannot be built, or only in hours."""

Family = Literal["vit", "cnn", "hybrid", "transformer", "recurrent"]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """An architecture that users choose by name."""

    name: str
    family: Family
    title: str
    """Its name in tables and sentences."""
    source: str
    """The paper, in a few words."""
    make_config: Callable[[], Any]
    build: Callable[[Any], nn.Module]
    pretrained: "Callable[[], Pretrained] | None" = None
    """What is known of its pretrained weights; None if there are none besides those of finished runs."""


MODELS: Registry[Variant] = Registry("model")
"""Images to logits: `forward(images)`."""
SEQUENCE_MODELS: Registry[Variant] = Registry("sequence model")
"""Sequences to sequences: `models.sequence.SequenceModel`."""


def variant(
    name: str,
    *,
    family: Family,
    title: str,
    source: str,
    build: Callable[[Any], nn.Module],
    registry: Registry[Variant] = MODELS,
    pretrained: "Callable[[], Pretrained] | None" = None,
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Decorator for a function that returns a model config: register it as `name`."""

    def register(make_config: Callable[[], Any]) -> Callable[[], Any]:
        entry = Variant(
            name=name, family=family, title=title, source=source, make_config=make_config, build=build, pretrained=pretrained
        )  # fmt: skip
        registry.register(name)(entry)
        return make_config

    return register


sequence_variant = partial(variant, registry=SEQUENCE_MODELS)
"""`variant` for sequence models."""


def resolve_config(name: str, values: dict[str, Any] | None = None, registry: Registry[Variant] = MODELS) -> Any:
    """The variant's config with `values` over its defaults. Unknown keys and bad values raise FittingRoomError."""
    default = registry.get(name).make_config()
    return from_dict(type(default), {**to_dict(default), **(values or {})}, where=f"{registry.kind} {name}")


def fit_to_images(
    name: str, values: dict[str, Any], *, img_size: tuple[int, int], in_chans: int, num_classes: int
) -> Any:
    """The variant's config for a data set: `values` over its defaults; size (height, width), channels and classes from the data.

    Raises FittingRoomError if the model cannot read images of this size. The message names the nearest setting that works.
    """
    height, width = img_size
    from_data = {
        "img_size": height if height == width else [height, width],
        "in_chans": in_chans,
        "num_classes": num_classes,
    }
    try:
        return resolve_config(name, {**values, **from_data})
    except ImageSizeError as error:
        settings = [f"{key}={json.dumps(value, separators=(',', ':'))}" for key, value in error.fix.items()]
        fix = " ".join(f"--set {shlex.quote(setting)}" for setting in settings)
        raise FittingRoomError(f"model {name}: {error}; nearest that works: {fix}") from error


def build_model(name: str, values: dict[str, Any] | None = None, registry: Registry[Variant] = MODELS) -> nn.Module:
    """A freshly initialised network of variant `name`. Its weights come from torch's global generator."""
    return registry.get(name).build(resolve_config(name, values, registry))


def check_divides(what: str, whole: int, part_name: str, part: int) -> None:
    """Raise FittingRoomError unless `part` is positive and divides `whole`. The message lists every value that does."""
    if part < 1 or whole % part:
        fits = [size for size in range(1, whole + 1) if whole % size == 0]
        raise FittingRoomError(f"{part_name} {part} does not divide {what} {whole}: choose one of {fits}")


def check_rate(name: str, rate: float) -> None:
    """Raise FittingRoomError unless `0 <= rate < 1`."""
    if not 0 <= rate < 1:
        raise FittingRoomError(f"{name} {rate} is out of range: choose a number from 0 to below 1")


def check_mlp_ratio(ratio: float, embed_dim: int) -> None:
    """Raise FittingRoomError unless an MLP of `ratio * embed_dim` has 1 to `LARGEST` units."""
    if not ratio * embed_dim >= 1:
        raise FittingRoomError(f"mlp_ratio {ratio} leaves the MLP without units: choose a number above 0, such as 4")
    if ratio * embed_dim > LARGEST:
        raise FittingRoomError(f"mlp_ratio {ratio:g} is too large: choose at most {LARGEST / embed_dim:g}")


def check_positive(**values: int) -> None:
    """Raise FittingRoomError for the first value below 1, or above `LARGEST` (a depth: above `DEEPEST`)."""
    for name, value in values.items():
        most = DEEPEST if name.startswith("depth") else LARGEST
        if value < 1:
            raise FittingRoomError(f"{name} {value} is too small: it must be at least 1")
        if value > most:
            raise FittingRoomError(f"{name} {value} is too large: choose at most {most:,}")
