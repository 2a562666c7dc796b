"""Joined sources read like one."""

import torch

from fittingroom.data.images.joined import Joined
from fittingroom.data.spec import ImageSet


def part(start: int, number: int) -> ImageSet:
    values = torch.arange(start, start + number)
    images = values.to(torch.uint8)[:, None, None, None].expand(number, 1, 2, 2).contiguous()
    return ImageSet(images, values % 3, torch.arange(number))


def test_images_labels_and_digests_are_those_of_the_parts() -> None:
    whole = Joined([part(0, 4), part(10, 3), part(20, 2)])
    assert len(whole) == 9
    values = [0, 1, 2, 3, 10, 11, 12, 20, 21]
    assert whole.labels.tolist() == [value % 3 for value in values]
    places = torch.tensor([8, 0, 5, 5, 3])
    assert whole.read(places)[:, 0, 0, 0].tolist() == [21, 0, 11, 11, 3]
    some = whole.subset(torch.tensor([7, 1, 4]))
    assert some.index.tolist() == [7, 1, 4] and some.labels.tolist() == [20 % 3, 1, 10 % 3]
    assert some.read(torch.tensor([2, 0]))[:, 0, 0, 0].tolist() == [10, 20]
    assert some.digests() == [whole.digests()[place] for place in (7, 1, 4)]
    assert whole.read(torch.arange(0)).shape == (0, 1, 2, 2)
