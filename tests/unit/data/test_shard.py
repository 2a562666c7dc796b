"""One batch over several devices: together they see exactly what one would have seen."""

import itertools
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.augment import AugmentConfig
from fittingroom.data.images.batches import TrainBatches
from fittingroom.data.seq2seq.batches import PairBatch, TrainPairBatches, encode, pair_batch
from fittingroom.data.seq2seq.tsv import Pairs, group
from fittingroom.data.seq2seq.vocabulary import build_both
from fittingroom.data.shard import shard
from fittingroom.data.spec import DataSpec, ImageSet


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int]:
    """The batch size, and a number of devices that does not exceed it."""
    size = draw(st.integers(1, 40))
    return size, draw(st.integers(1, size))


def image_batches(batch_size: int = 6) -> TrainBatches:
    images = torch.arange(20 * 12, dtype=torch.uint8).view(20, 1, 4, 3)
    spec = DataSpec(
        name="tiny", title="Tiny", source="tiny", digest="", class_names=("a", "b"), channels=1, height=4, width=3,
        mean=(0.5,), std=(0.25,), num_val=1, num_test=1,
    )  # fmt: skip
    augment = AugmentConfig(shift_pixels=1, flip="random", mixup_alpha=0.3, erase_rate=0.5)
    train = ImageSet(images, torch.arange(20) % 2, torch.arange(20))
    return TrainBatches(train=train, spec=spec, seed=3, batch_size=batch_size, augment=augment)


def pairs(number: int = 20) -> Pairs:
    return group([(f"{'ab' * (place % 4 + 1)}{place}", tuple("XYZ"[: place % 3 + 1])) for place in range(number)])


def pair_batches(batch_size: int = 6) -> TrainPairBatches:
    return TrainPairBatches(pairs=encode(pairs(), *build_both(pairs())), seed=3, batch_size=batch_size)


def merged(parts: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """The whole batch, restored from the ranks' shares: rank r has items r, r + world size, ..."""
    world_size, whole = len(parts), []
    for tensors in zip(*parts, strict=True):
        together = tensors[0].new_empty((sum(map(len, tensors)), *tensors[0].shape[1:]))
        for rank, tensor in enumerate(tensors):
            together[rank::world_size] = tensor
        whole.append(together)
    return tuple(whole)


def same(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return all(torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))


@given(sizes())
def test_the_ranks_together_hold_each_image_once_and_no_rank_has_two_more_than_another(sizes: tuple[int, int]) -> None:
    size, world_size = sizes
    batch = (torch.randn(size, 1, 2, 2), torch.rand(size, 3))
    parts = [shard(batch, rank, world_size) for rank in range(world_size)]
    assert all(type(part) is tuple for part in parts)
    assert same(merged(parts), batch)
    lengths = [len(part[0]) for part in parts]
    assert sum(lengths) == size and max(lengths) - min(lengths) <= 1 and min(lengths) >= 1


@pytest.mark.thorough
@given(sizes())
def test_the_ranks_together_hold_each_pair_once_and_stay_pair_batches(sizes: tuple[int, int]) -> None:
    size, world_size = sizes
    whole = pair_batch(encode(pairs(size), *build_both(pairs(size))), torch.arange(size))
    parts = [shard(whole, rank, world_size) for rank in range(world_size)]
    assert all(isinstance(part, PairBatch) for part in parts)
    assert same(merged(parts), whole)
    assert sorted(place for part in parts for place in part.places.tolist()) == list(range(size))


def test_one_device_gets_the_batch_itself() -> None:
    batch = (torch.zeros(3),)
    assert shard(batch) is batch


@pytest.mark.parametrize(
    ("rank", "world_size", "said"),
    [
        (2, 2, r"^rank 2 of 2 devices does not exist: choose 0 to 1$"),
        (-1, 2, r"^rank -1 of 2 devices does not exist: choose 0 to 1$"),
        (1, 1, r"^rank 1 of 1 devices does not exist: choose 0 to 0$"),
        (0, 0, r"^world_size 0 is too small: choose 1 or more$"),
        (0, -1, r"^world_size -1 is too small: choose 1 or more$"),
        (0, 4, r"^a batch of 3 does not suit 4 devices: choose batch_size 4 or more$"),
        (3, 4, r"^a batch of 3 does not suit 4 devices: choose batch_size 4 or more$"),
    ],
)
def test_a_rank_that_does_not_exist_or_would_get_nothing_is_refused(rank: int, world_size: int, said: str) -> None:
    with pytest.raises(FittingRoomError, match=said):
        shard((torch.zeros(3, 2), torch.zeros(3)), rank, world_size)


@pytest.mark.parametrize("batches", [image_batches(), pair_batches()], ids=["images", "pairs"])
@pytest.mark.parametrize(("first_step", "world_size"), [(0, 1), (0, 2), (2, 3), (5, 2)])
def test_every_rank_walks_through_the_batches_of_one_device_from_any_step(
    batches: TrainBatches | TrainPairBatches, first_step: int, world_size: int
) -> None:
    whole = list(itertools.islice(batches.from_step(0), first_step + 5))[first_step:]
    ranks = [list(itertools.islice(batches.from_step(first_step, rank, world_size), 5)) for rank in range(world_size)]
    for batch, *parts in zip(whole, *ranks, strict=True):
        assert same(merged(parts), batch)


@pytest.mark.parametrize("batches", [image_batches(), pair_batches()], ids=["images", "pairs"])
def test_batches_refuse_a_bad_rank_at_the_first_one(batches: TrainBatches | TrainPairBatches) -> None:
    with pytest.raises(FittingRoomError, match="rank 2 of 2 devices does not exist"):
        next(batches.from_step(0, rank=2, world_size=2))
