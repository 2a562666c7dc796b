"""Features of a frozen network: computed once per image, then kept in the cache.

    features/KEY/00000.npz    prints [images, 16], features [images, width]; 00001.npz, ... for images that came later

KEY is the digest of weights, model settings and preprocessing. An image is found by its fingerprint, so that all seeds, parts and
data sets share its features. A file is complete or absent.
"""

import hashlib
import io
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.archives import DAMAGE
from fittingroom.core.cache import cache_folder
from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import generator
from fittingroom.core.rundir import exclusive_lock, write_atomic
from fittingroom.data.images.batches import check_batch_size, normalise, smooth_targets
from fittingroom.data.images.cache import progress
from fittingroom.data.shard import shard
from fittingroom.data.spec import DataSpec, Source
from fittingroom.evaluation.weights import in_layout, suits_channels_last
from fittingroom.models.pretrained import features_of

FORMAT = 1
"""Increase it when the same images and weights give other features."""
BATCH_PIXELS = 16 * 224 * 224
"""Pixels per channel in a batch: 16 images of 224x224."""
BLOCK = 4096
"""Images whose features are written together: an interrupted command loses no more."""
PATIENCE = 24 * 3600.0
TOLD_FROM_SECONDS = 2.0
"""The shortest computation that the program mentions."""


def feature_key(model: str, model_config: dict[str, object], weights_digest: str, spec: DataSpec) -> str:
    """The name of the folder of features: equal exactly when the same image gives the same features."""
    made_by = {key: value for key, value in model_config.items() if key not in ("num_classes", "drop_rate")}
    content = {
        "format": FORMAT, "model": model, "settings": made_by, "weights": weights_digest, "images": spec.image_shape,
        "input": spec.input_shape, "mean": spec.mean, "std": spec.std, "preprocessing": to_dict(spec.preprocessing),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def features(
    source: Source, network: Callable[[], nn.Module], spec: DataSpec, key: str
) -> Float[Tensor, "images width"]:
    """The features of all images in `source`, in its order. Features that are not in the cache are computed and added to it.

    `network` returns the network in evaluation mode. Raises FittingRoomError if the cache cannot be written.
    """
    folder = cache_folder("features") / key
    prints = source.digests()
    found = _known(folder, prints)
    if found is not None:
        return found
    with exclusive_lock(folder, PATIENCE, fixed=True):  # the runs of other seeds want the same features
        rows = {each for block in _blocks(folder) for each in block.prints}
        missing = [place for place, each in enumerate(prints) if each not in rows]
        first = {prints[place]: place for place in reversed(missing)}
        _compute(source, sorted(first.values()), prints, network(), spec, folder)
    found = _known(folder, prints)
    if found is None:
        raise FittingRoomError(f"{folder} changes while it is used: run the command again")
    return found


@dataclass(frozen=True, eq=False)
class _Block:
    prints: list[bytes]
    features: np.ndarray


def _blocks(folder: Path) -> Iterator[_Block]:
    for path in sorted(folder.glob("*.npz")):
        try:
            with path.open("rb") as file, np.load(file) as archive:  # np.load does not close a damaged file
                yield _Block([row.tobytes() for row in archive["prints"]], archive["features"])
        except DAMAGE:
            path.unlink(missing_ok=True)  # computed again


def _known(folder: Path, prints: Sequence[bytes]) -> Tensor | None:
    """The features of these images; None if some are not in the cache."""
    wanted: dict[bytes, list[int]] = {}
    for place, each in enumerate(prints):
        wanted.setdefault(each, []).append(place)
    result: np.ndarray | None = None
    for block in _blocks(folder):
        pairs = [(row, place) for row, each in enumerate(block.prints) for place in wanted.pop(each, ())]
        if result is None:
            result = np.empty((len(prints), block.features.shape[1]), np.float32)
        if pairs:
            rows, places = np.array(pairs).T
            result[places] = block.features[rows]
    return None if wanted or result is None else torch.from_numpy(result)


def _compute(
    source: Source, places: Sequence[int], prints: Sequence[bytes], network: nn.Module, spec: DataSpec, folder: Path
) -> None:
    began, number = time.perf_counter(), len(list(folder.glob("*.npz")))
    network = in_layout(network, suits_channels_last(network))
    _, height, width = spec.input_shape
    size = max(1, BATCH_PIXELS // (height * width))
    with progress("features", len(places)) as advance:
        for start in range(0, len(places), BLOCK):
            block = places[start : start + BLOCK]
            parts = []
            for first in range(0, len(block), size):
                some = block[first : first + size]
                with torch.inference_mode():
                    images = normalise(source.read(torch.tensor(some)), spec)
                    parts.append(features_of(network, images).float().numpy())
                advance(len(some))
            _write(folder / f"{number:05d}.npz", [prints[place] for place in block], np.concatenate(parts))
            number += 1
    seconds = time.perf_counter() - began
    if seconds > TOLD_FROM_SECONDS and multiprocessing.parent_process() is None:
        print(f"note: features of {len(places):,} images: {seconds:.0f} s, kept in the cache", file=sys.stderr)


def _write(path: Path, prints: Sequence[bytes], values: np.ndarray) -> None:
    content = io.BytesIO()
    np.savez(content, prints=np.frombuffer(b"".join(prints), np.uint8).reshape(-1, 16), features=values)
    write_atomic(path, lambda file: file.write(content.getvalue()))


@dataclass(frozen=True, kw_only=True)
class FeatureBatches:
    """The training batches of a head: features and soft targets. Each depends only on `(seed, epoch, step)`."""

    features: Float[Tensor, "images width"]
    labels: Tensor
    num_classes: int
    seed: int
    batch_size: int
    label_smoothing: float

    def __post_init__(self) -> None:
        check_batch_size(self.batch_size, len(self.labels))

    @property
    def steps_per_epoch(self) -> int:
        """Number of complete batches in one pass."""
        return len(self.labels) // self.batch_size

    @property
    def mean_batch_size(self) -> float:
        """Images per step."""
        return float(self.batch_size)

    def from_step(self, first_step: int, rank: int = 0, world_size: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless batches from step `first_step` on. Each rank gets its share of every batch."""
        epoch, step = divmod(first_step, self.steps_per_epoch)
        while True:
            order = torch.randperm(len(self.labels), generator=generator(self.seed, "order", epoch))
            for index in range(step, self.steps_per_epoch):
                picked = order[index * self.batch_size : (index + 1) * self.batch_size]
                targets = smooth_targets(self.labels[picked], self.num_classes, self.label_smoothing)
                yield shard((self.features[picked], targets), rank, world_size)
            epoch, step = epoch + 1, 0


class FeatureLoader:
    """Features in order, in large batches, with their labels."""

    def __init__(self, features: Tensor, labels: Tensor, batch_size: int = 4096) -> None:
        self.features, self.labels, self.batch_size = features, labels, batch_size

    def __len__(self) -> int:
        return -(-len(self.labels) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self.features.split(self.batch_size), self.labels.split(self.batch_size), strict=True)
