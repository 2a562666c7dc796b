"""Tell pictures that show none of the classes: they are far from every class in the network's features.

The distance of a picture is that of Mahalanobis to the nearest class mean, in the features before the last layer, with one
covariance for all classes (Lee et al., NeurIPS 2018). Validation pictures say which distances are usual (conformal prediction):
of new pictures like them, at most 5 of 100 get a share below 5 %, whatever the network.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import generator
from fittingroom.data.images.batches import normalise
from fittingroom.data.spec import DataSpec, Source
from fittingroom.models.pretrained import features_of
from fittingroom.tasks.classification.features import feature_key, features
from fittingroom.tasks.load import SavedRun

MOST = 2000
"""Training pictures and validation pictures that are looked at."""
FLOOR = 1e-3
"""Added to all variances, relative to their mean: directions in which no training picture varies count, but not infinitely."""
BATCH = 100


@dataclass(frozen=True, eq=False)
class Usual:
    """What is usual for a run: where its classes lie, and how far its validation pictures are from them."""

    saved: SavedRun
    alarms: float
    """A picture whose share is at most this shows none of the classes."""
    means: Float[Tensor, "classes width"]
    """In the metric: distances between points are Euclidean."""
    metric: Float[Tensor, "width width"]
    """Features times this are in the metric."""
    distances: Float[Tensor, " val"]
    """In ascending order."""

    def shares(self, images: UInt8[Tensor, "num channels height width"]) -> list[float]:
        """For each picture, the share of validation pictures that are as far from all classes, 0 to 1.

        The picture itself counts as one of them, so the smallest share is 1 / (number + 1).
        """
        spec: DataSpec = self.saved.task.spec
        with torch.inference_mode():
            found = [features_of(self.saved.model, normalise(some, spec)).float() for some in images.split(BATCH)]
        return _shares(self.distances, _distances(torch.cat(found), self.means, self.metric)).tolist()


def usual(saved: SavedRun, alarms: float) -> Usual:
    """Look at training and validation pictures of a run. `alarms` is the share of usual pictures that may raise an alarm.

    The features are cached: only the first call takes seconds. Raises FittingRoomError if there are too few validation pictures
    for `alarms`, if the pictures are gone, and for a network without a linear last layer.
    """
    task: Any = saved.task
    train, val = (_some(part, task.config.seed) for part in (task.splits.train, task.splits.val))
    if alarms * (len(val) + 1) < 1:
        raise FittingRoomError(
            f"{100 * alarms:g} % is less than one of {len(val):,} validation pictures: allow {100 / (len(val) + 1) + 0.05:.1f} % "
            "or more"
        )
    key = feature_key(task.config.model, task.config.model_config, _digest(saved.model), task.spec)
    known, seen = (features(part, lambda: saved.model, task.spec, key) for part in (train, val))
    means, metric = _classes(known, train.labels)
    return Usual(saved, alarms, means, metric, _distances(seen, means, metric).sort().values)


def _classes(
    known: Float[Tensor, "train width"], labels: Int64[Tensor, " train"]
) -> tuple[Float[Tensor, "classes width"], Float[Tensor, "width width"]]:
    """Class means in the metric, and the metric, which makes the covariance within classes the unit matrix."""
    means = torch.stack([known[labels == label].mean(dim=0) for label in labels.unique()])
    rest = known - means[labels.unique(return_inverse=True)[1]]
    covariance = (rest.T @ rest / len(rest)).double()
    covariance += FLOOR * covariance.diagonal().mean().clamp(min=1e-12) * torch.eye(len(covariance))
    metric = torch.linalg.inv(torch.linalg.cholesky(covariance)).T.float()
    return means @ metric, metric


def _distances(values: Tensor, means: Tensor, metric: Tensor) -> Tensor:
    """To the nearest class, [num]."""
    return torch.cdist(values @ metric, means).min(dim=1).values


def _shares(of_val: Tensor, found: Tensor) -> Tensor:
    """The share of `of_val`, in ascending order, that is as large as each of `found`, itself included."""
    return (len(of_val) - torch.searchsorted(of_val, found) + 1) / (len(of_val) + 1)


def _some(images: Source, seed: int) -> Source:
    """At most MOST of the pictures, drawn by seed."""
    if len(images) <= MOST:
        return images
    return images.subset(torch.randperm(len(images), generator=generator(seed, "unlike"))[:MOST])


def _digest(model: torch.nn.Module) -> str:
    content = hashlib.sha256()
    for name, values in model.state_dict().items():
        content.update(name.encode() + values.cpu().contiguous().numpy().tobytes())
    return content.hexdigest()
