"""Divide a batch between several devices: each rank takes every `world_size`-th item.

Every rank builds the whole batch first, so all ranks together train on exactly the items that a single device would use.
"""

from typing import TypeVar

from torch import Tensor

from fittingroom.core.errors import FittingRoomError

B = TypeVar("B", bound=tuple[Tensor, ...])


def shard(batch: B, rank: int = 0, world_size: int = 1) -> B:
    """The share of `batch` (a tuple of tensors, items first) that belongs to `rank`.

    Raises FittingRoomError for a bad rank, or if a device would get no items: its mean loss would be NaN.
    """
    if world_size < 1:
        raise FittingRoomError(f"world_size {world_size} is too small: choose 1 or more")
    if not 0 <= rank < world_size:
        raise FittingRoomError(f"rank {rank} of {world_size} devices does not exist: choose 0 to {world_size - 1}")
    if world_size == 1:
        return batch
    if len(batch[0]) < world_size:
        raise FittingRoomError(
            f"a batch of {len(batch[0])} does not suit {world_size} devices: choose batch_size {world_size} or more"
        )
    parts = [part[rank::world_size] for part in batch]
    return type(batch)(*parts) if hasattr(batch, "_fields") else tuple(parts)  # type: ignore[return-value]
