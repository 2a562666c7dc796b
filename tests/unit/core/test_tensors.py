"""Tensors of every kind become arrays of the same numbers."""

import numpy as np
import pytest
import torch

from fittingroom.core.tensors import plain_array

VALUES = torch.tensor([[0.0, 0.5], [1.0, 0.25]])


@pytest.mark.parametrize(
    "given",
    [
        VALUES, VALUES.double(), VALUES.half(), VALUES.bfloat16(), VALUES.to_sparse(), VALUES.to(torch.float8_e4m3fn),
        VALUES.clone().requires_grad_(), VALUES.mT.contiguous().mT, list(VALUES.bfloat16()), (VALUES[0], VALUES[1].numpy()),
    ],
)  # fmt: skip
def test_the_numbers_stay(given: object) -> None:
    np.testing.assert_array_equal(np.asarray(plain_array(given), np.float32), VALUES.numpy())


def test_bytes_stay_bytes_and_other_values_are_left_alone() -> None:
    assert plain_array(torch.ones(2, dtype=torch.uint8)).dtype == np.uint8
    for other in (None, "x", [1, 2], np.ones(2)):
        assert plain_array(other) is other
