"""An image set keeps images, labels and positions together."""

import pytest
import torch

from fittingroom.data.spec import ImageSet


def five_images() -> ImageSet:
    images = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1)
    return ImageSet(images, torch.tensor([4, 3, 2, 1, 0]), torch.arange(10, 15))


def test_a_subset_of_a_subset_still_points_into_the_original_file() -> None:
    chosen = five_images().subset(torch.tensor([4, 0, 2])).subset(torch.tensor([2, 0]))
    assert len(chosen) == 2
    assert chosen.images.flatten().tolist() == [2, 4]
    assert chosen.labels.tolist() == [2, 0]
    assert chosen.index.tolist() == [12, 14]


def test_parts_of_different_length_are_refused() -> None:
    with pytest.raises((AssertionError, TypeError)):
        ImageSet(torch.zeros(2, 1, 1, 1, dtype=torch.uint8), torch.zeros(3).long(), torch.zeros(2).long())
