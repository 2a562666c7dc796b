"""A draw is a function of its arguments, never of what ran before."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import check_seed, derive_seed, generator, seed_global, seeded

KEYS = st.tuples(st.integers(0, 10**9), st.text(max_size=8), st.integers(0, 10**4), st.integers(0, 10**6))


@given(first=KEYS, second=KEYS)
def test_equal_keys_equal_seeds_and_other_keys_others(first: tuple, second: tuple) -> None:
    assert (derive_seed(*first) == derive_seed(*second)) == (first == second)
    assert 0 <= derive_seed(*first) < 2**63


def test_known_value_so_that_runs_of_old_versions_stay_comparable() -> None:
    assert derive_seed(0, "order", 1) == 6_746_446_068_900_048_957


def test_generators_share_nothing() -> None:
    first = generator(0, "augment", 2, 5)
    torch.rand(100, generator=generator(0, "other"))
    torch.rand(3)
    assert torch.equal(torch.rand(4, generator=first), torch.rand(4, generator=generator(0, "augment", 2, 5)))


def test_seeded_leaves_the_global_state_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with seeded(0, "init"):
        inside = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    seed_global(0, "init")
    assert torch.equal(torch.rand(3), inside)


def test_seeded_puts_the_state_back_when_its_block_fails() -> None:
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="negative dimension"), seeded(0, "init"):
        torch.cat([torch.rand(3), torch.rand(-1)])
    assert torch.equal(torch.get_rng_state(), before)


def test_making_a_generator_leaves_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    torch.rand(3, generator=generator(0, "order"))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_negative_seed_is_refused() -> None:
    assert check_seed(0) == 0
    with pytest.raises(FittingRoomError, match="seed -1 is negative"):
        check_seed(-1)
