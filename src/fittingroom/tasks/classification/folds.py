"""Cross-validation of one data set: every image is once in the part that a run does not train on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from fittingroom.core.randomness import generator
from fittingroom.data.images.dataset import ImageData
from fittingroom.data.spec import DataSpec, Source
from fittingroom.tasks.classification.training import ClassificationTask

NEVER = -1
"""The fold of images that are always trained on."""


class FoldTask(ClassificationTask):
    """Train on all images but one fold, and validate on that fold."""

    def __init__(self, config: Any, spec: DataSpec, images: Source, folds: torch.Tensor, fold: int) -> None:
        super().__init__(config)
        train, val = (images.subset(which.nonzero().flatten()) for which in (folds != fold, folds == fold))
        self.data = ImageData(
            spec=replace(spec, num_val=len(val), notes=()),
            load_train=lambda: train,
            load_val=lambda: val,
            load_test=lambda: val,  # never opened
        )


def draw_folds(labels: Sequence[int], groups: Sequence[int], number: int, seed: int = 0) -> torch.Tensor:
    """The fold of each image. Groups stay whole, and each class is divided evenly as far as they allow.

    Images of a class with fewer than `number` groups are in fold `NEVER`: the others could not learn the class.
    """
    members: dict[int, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    class_groups = Counter(label for places in members.values() for label in {labels[place] for place in places})
    folds = torch.full((len(labels),), NEVER)
    filled = {label: [0] * number for label in class_groups}
    drawn = torch.randperm(len(members), generator=generator(seed, "folds")).tolist()
    keys = list(members)
    for each in drawn:
        places = members[keys[each]]
        held = {labels[place] for place in places}
        if min(class_groups[label] for label in held) < number:
            continue
        counts = filled[labels[places[0]]]
        fold = counts.index(min(counts))
        for place in places:
            filled[labels[place]][fold] += 1
        folds[places] = fold
    return folds
