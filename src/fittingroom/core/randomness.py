"""Random draws that depend only on `(seed, purpose, epoch, step)`, never on earlier draws.

A run resumed in mid-epoch therefore continues exactly, loggers and workers change nothing, and two seeds always differ.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fittingroom.core.errors import FittingRoomError

LARGEST_SEED = 2**63 - 1


def derive_seed(seed: int, purpose: str, epoch: int = 0, step: int = 0) -> int:
    """A 63-bit seed for one draw. Different arguments give unrelated numbers (BLAKE2b)."""
    key = f"{seed}|{purpose}|{epoch}|{step}".encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") >> 1


def generator(seed: int, purpose: str, epoch: int = 0, step: int = 0) -> torch.Generator:
    """A new CPU generator, shared with no other code."""
    return torch.Generator().manual_seed(derive_seed(seed, purpose, epoch, step))


def seed_global(seed: int, purpose: str, epoch: int = 0, step: int = 0) -> None:
    """Seed torch's global generators on every device. Dropout and initialisation draw from them."""
    torch.manual_seed(derive_seed(seed, purpose, epoch, step))


@contextmanager
def seeded(seed: int, purpose: str) -> Iterator[None]:
    """Seed torch's global CPU generator with `(seed, purpose)` inside the block; restore its state afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, purpose))
        yield


def check_seed(seed: int) -> int:
    """Return the seed. Raises FittingRoomError if it is not a whole number or is negative."""
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise FittingRoomError(f"seed {seed!r} is not a whole number: give one from 0 up")
    if seed < 0:
        raise FittingRoomError(f"seed {seed} is negative: give a whole number from 0 up")
    if seed > LARGEST_SEED:
        raise FittingRoomError(f"seed {seed} is too large: give at most {LARGEST_SEED}")
    return seed
