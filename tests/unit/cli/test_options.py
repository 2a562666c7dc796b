"""Words of the command line as values: those of the speed plan and of the number of runs at a time."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.api.compare import check_jobs
from fittingroom.cli.options import parse_formats, parse_plan, parse_settings
from fittingroom.core.errors import FittingRoomError

WORDS = st.text("abcdefghij_0123456789", min_size=1)
SPACE = st.sampled_from(["", " ", "  "])


@given(parts=st.dictionaries(WORDS, WORDS), space=SPACE)
def test_a_plan_is_read_as_it_was_written_spaces_or_not(parts: dict[str, str], space: str) -> None:
    text = f",{space}".join(f"{key}{space}={space}{value}" for key, value in parts.items())
    assert parse_plan(text) == parts


@pytest.mark.parametrize(("text", "parts"), [("", {}), (",", {}), ("precision=fp32,", {"precision": "fp32"})])
def test_a_comma_too_many_does_no_harm(text: str, parts: dict[str, str]) -> None:
    assert parse_plan(text) == parts


@pytest.mark.parametrize("text", ["nonsense", "=fp32", "precision=", "precision", "precision=fp32,x"])
def test_what_is_no_plan_is_shown_how_to_write_one(text: str) -> None:
    with pytest.raises(FittingRoomError, match=f"--plan '{text}': write PART=VALUE,PART=VALUE"):
        parse_plan(text)


@pytest.mark.parametrize("jobs", [None, 1, 7])
def test_a_number_of_jobs_is_itself(jobs: int | None) -> None:
    assert check_jobs(jobs) == jobs


@pytest.mark.parametrize("jobs", [0, -1])
def test_no_jobs_are_refused(jobs: int) -> None:
    with pytest.raises(FittingRoomError, match=f"--jobs {jobs}: give 1 .one run after another. or more"):
        check_jobs(jobs)


@pytest.mark.parametrize(
    ("parse", "given", "said"),
    [
        (parse_settings, ["depth=2", "optim.lr=0.1", "depth = 3"], "--set depth is given twice, 2 and 3: give it once"),
        (parse_settings, ["size=nano", "size=base"], "--set size is given twice, nano and base: give it once"),
        (parse_plan, "precision=fp32,precision=bf16", "--plan precision is given twice, fp32 and bf16: give it once"),
    ],
)
def test_a_value_given_twice_is_not_ignored(parse: Callable[[Any], Any], given: Any, said: str) -> None:
    with pytest.raises(FittingRoomError, match=said):
        parse(given)
    assert parse_settings(["depth=2", "depth=2"]) == {"depth": "2"}


def test_a_format_named_twice_is_written_once() -> None:
    assert parse_formats("svg, png,svg") == ["svg", "png"]
