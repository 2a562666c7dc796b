"""What a user sets for a whole process does not reach our work, and our work changes nothing of the user's."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import torch

from fittingroom.core.torch_settings import usual_torch


@contextmanager
def double_precision() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


SETTINGS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "float64": double_precision,
    "another device": lambda: torch.device("meta"),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}


def words() -> tuple[object, ...]:
    return (
        torch.get_default_dtype(), torch.get_default_device().type, torch.is_grad_enabled(), torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
    )  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_inside_is_a_new_process_and_outside_is_as_before(name: str) -> None:
    usual = words()
    with SETTINGS[name]():
        before, random = words(), torch.get_rng_state()
        assert before != usual
        with usual_torch():
            assert words() == usual
            torch.manual_seed(3)
            torch.rand(5)
        assert words() == before and torch.equal(torch.get_rng_state(), random)
    assert words() == usual


def test_it_is_as_before_after_an_error_too() -> None:
    @usual_torch()
    def fails() -> None:
        raise KeyError

    with double_precision():
        with pytest.raises(KeyError):
            fails()
        assert torch.get_default_dtype() == torch.float64
