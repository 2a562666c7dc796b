"""Training leaves the process as it was: threads, deterministic mode, logging."""

import logging
import os

import pytest
import torch

from fittingroom.training.process_state import CUBLAS, process_state


def words() -> tuple[object, ...]:
    return (
        torch.get_num_threads(),
        torch.get_deterministic_debug_mode(),
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark,
        os.environ.get(CUBLAS),
        logging.getLogger("lightning.pytorch").level,
    )


def change(number: int) -> None:
    """Each setting to a value of its own."""
    torch.set_num_threads(1 + number)
    torch.set_deterministic_debug_mode(number)
    torch.utils.deterministic.fill_uninitialized_memory = number == 0  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = number == 0
    os.environ[CUBLAS] = f":{number}:8"
    logging.getLogger("lightning.pytorch").setLevel(10 * number)


@process_state()
def fail() -> None:
    change(1)
    raise KeyError


def test_all_is_put_back_after_an_error_too() -> None:
    before = words()
    with process_state():
        change(0)
        by_user = words()
        with process_state():
            change(1)
            assert all(now != then for now, then in zip(words(), by_user, strict=True))
        assert words() == by_user
        with pytest.raises(KeyError):
            fail()
        assert words() == by_user
    assert words() == before
