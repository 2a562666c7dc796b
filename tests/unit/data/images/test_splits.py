"""The split: stratified, a function of the seed, and no copy of a validation or test image in training."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.fashion_mnist import open_fashion_mnist
from fittingroom.data.images.splits import split
from fittingroom.data.spec import ImageSet, digests


def image_set(labels: list[int], codes: list[int] | None = None) -> ImageSet:
    """Images of 1 x 2 x 2 pixels; equal codes make equal images."""
    values = torch.tensor(list(range(len(labels))) if codes is None else codes, dtype=torch.int64)
    images = torch.stack([values // 256, values % 256, values * 0, values * 0], dim=1).to(torch.uint8)
    return ImageSet(images.view(-1, 1, 2, 2), torch.tensor(labels, dtype=torch.int64), torch.arange(len(labels)) + 1000)


@dataclass(frozen=True)
class Case:
    """A shuffled set of 2 to 4 classes with some copies, the number of validation images, and some test images."""

    labels: list[int]
    codes: list[int]
    test_codes: list[int]
    num_val: int

    def build(self) -> tuple[ImageSet, int, frozenset[bytes]]:
        """The images, the number of validation images, and the digests to avoid."""
        avoid = digests(image_set([0] * len(self.test_codes), self.test_codes).images)
        return image_set(self.labels, self.codes), self.num_val, frozenset(avoid)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    counts = draw(st.lists(st.integers(15, 30), min_size=2, max_size=4))
    labels = draw(st.permutations([label for label, count in enumerate(counts) for _ in range(count)]))
    codes = list(range(len(labels)))
    for _ in range(draw(st.integers(0, 5))):
        codes[draw(st.integers(0, len(codes) - 1))] = draw(st.sampled_from(codes))
    test_codes = draw(st.lists(st.integers(0, len(labels) + 50), max_size=4))
    return Case(labels, codes, test_codes, draw(st.integers(10, len(labels) // 3)))


@pytest.mark.thorough
@settings(deadline=None, max_examples=60)
@given(cases(), st.integers(0, 2**31))
def test_train_and_val_are_disjoint_and_all_but_the_copies_are_kept(case: Case, seed: int) -> None:
    images, num_val, avoid = case.build()
    train, val = split(images, seed, num_val, avoid)
    in_train, in_val = set(train.index.tolist()), set(val.index.tolist())
    assert len(in_val) == len(val) == num_val
    assert len(in_train) == len(train)
    assert not in_train & in_val
    barred = avoid | set(digests(val.images))
    everything = zip(images.index.tolist(), digests(images.images), strict=True)
    assert in_train == {index for index, fingerprint in everything if index not in in_val and fingerprint not in barred}


@settings(deadline=None, max_examples=60)
@given(cases(), st.integers(0, 2**31))
def test_each_class_gives_its_share_to_within_one_image(case: Case, seed: int) -> None:
    images, num_val, avoid = case.build()
    _, val = split(images, seed, num_val, avoid)
    found = Counter(val.labels.tolist())
    for label, count in Counter(images.labels.tolist()).items():
        assert abs(found[label] - num_val * count / len(images)) < 1


@settings(deadline=None, max_examples=30)
@given(cases(), st.integers(0, 2**31))
def test_the_split_is_a_function_of_the_seed_alone(case: Case, seed: int) -> None:
    images, num_val, avoid = case.build()
    first = split(images, seed, num_val, avoid)
    torch.manual_seed(seed + 1)
    torch.rand(3)
    again = split(images, seed, num_val, avoid)
    other = split(images, seed + 1, num_val, avoid)
    for part, same in zip(first, again, strict=True):
        assert torch.equal(part.index, same.index)
    assert not torch.equal(first[1].index, other[1].index)


@settings(deadline=None, max_examples=30)
@given(cases(), st.integers(0, 2**31))
def test_images_labels_and_positions_stay_together(case: Case, seed: int) -> None:
    images, num_val, avoid = case.build()
    for part in split(images, seed, num_val, avoid):
        assert torch.equal(part.images, images.images[part.index - 1000])
        assert torch.equal(part.labels, images.labels[part.index - 1000])
        assert torch.equal(part.index, part.index.sort().values)


def test_what_does_not_divide_goes_to_the_largest_remainders() -> None:
    # Shares of 10 validation images: 12 / 36 makes 3.33, 24 / 36 makes 6.67.
    _, val = split(image_set([0] * 12 + [1] * 24), seed=0, num_val=10)
    assert val.labels.bincount().tolist() == [3, 7]


def test_a_copy_of_a_test_image_leaves_training_but_validation_stays_whole() -> None:
    images = image_set([0, 1] * 20)
    train, val = split(images, seed=0, num_val=10)
    fingerprints = digests(images.images)
    avoid = {fingerprints[int(train.index[0]) - 1000], fingerprints[int(val.index[0]) - 1000]}
    cleaned, same_val = split(images, seed=0, num_val=10, avoid=avoid)
    assert torch.equal(same_val.index, val.index)
    assert torch.equal(cleaned.index, train.index[1:])


@pytest.mark.parametrize("num_val", [0, -1, 40, 41])
def test_a_validation_size_that_does_not_suit_is_named(num_val: int) -> None:
    with pytest.raises(FittingRoomError, match=f"num_val {num_val} .* from 1 to 39"):
        split(image_set([0, 1] * 20), 0, num_val)


def test_a_class_with_too_few_images_is_named() -> None:
    with pytest.raises(FittingRoomError, match="class 7 has 1 of 31 images, too few"):
        split(image_set([0] * 30 + [7]), 0, 10)


def test_a_class_of_which_only_copies_are_left_is_named() -> None:
    with pytest.raises(FittingRoomError, match="class 1 has no training image left"):
        split(image_set([0] * 10 + [1] * 10, list(range(10)) + [99] * 10), 0, 6)


def test_a_negative_seed_is_an_error() -> None:
    with pytest.raises(FittingRoomError, match="seed -1"):
        split(image_set([0, 1] * 20), -1, 10)


def test_digests_are_equal_for_equal_images_only_and_the_same_for_tensors_and_arrays() -> None:
    images = image_set([0, 0, 0], [5, 6, 5]).images
    first, second, third = digests(images)
    assert first == third != second
    assert digests(images.numpy()) == digests(images) == digests(images[:, 0])
    assert digests(np.zeros((0, 2, 2), np.uint8)) == []


def test_fashion_mnist_divides_into_55000_and_5000_with_500_a_class() -> None:
    splits = open_fashion_mnist(None).split(0)
    train, val = splits.train, splits.val
    assert (len(train), len(val)) == (55_000, 5_000)  # This release has no copies, so none are left out.
    assert val.labels.bincount().tolist() == [500] * 10
    assert train.labels.bincount().tolist() == [5_500] * 10
