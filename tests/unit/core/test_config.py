"""Configs convert to dictionaries and back, with strict checks."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.core.config import config_dataclass, config_hash, from_dict, replace, to_dict
from fittingroom.core.errors import FittingRoomError


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.5
    pair: tuple[float, float] = (1.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: Literal["a", "b"] = "a"
    count: int = 3
    limit: float | None = None
    on: bool = False
    widths: tuple[int, ...] = (1, 2)
    inner: Inner = field(default_factory=Inner)
    free: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Required:
    first: int
    second: int = 0


CONFIGS = st.builds(
    Outer,
    name=st.sampled_from(["a", "b"]),
    count=st.integers(),
    limit=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    on=st.booleans(),
    widths=st.lists(st.integers(), max_size=4).map(tuple),
    inner=st.builds(Inner, rate=st.floats(0, 1)),
)


@given(CONFIGS)
def test_there_and_back_is_the_same(config: Outer) -> None:
    assert from_dict(Outer, to_dict(config)) == config
    assert config_hash(from_dict(Outer, to_dict(config))) == config_hash(config)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"cuont": 1}, "unknown key 'cuont': did you mean 'count'?"),
        ({"inner": {"rat": 1}}, "config.inner: unknown key 'rat': did you mean 'rate'?"),
        ({"count": "3"}, "config.count: expected a whole number, got '3'"),
        ({"count": True}, "expected a whole number, got True"),
        ({"count": 1.5}, "expected a whole number, got 1.5"),
        ({"on": 1}, "expected true or false, got 1"),
        ({"name": "c"}, "'c' is not one of a, b"),
        ({"widths": 3}, "expected a list"),
        ({"widths": [1, "x"]}, "expected a whole number, got 'x'"),
        ({"inner": {"pair": [1]}}, "expected 2 values, got 1"),
        ({"inner": 3}, "expected a group of keys, got 3"),
    ],
)
def test_what_does_not_fit_is_named(values: dict, said: str) -> None:
    with pytest.raises(FittingRoomError) as caught:
        from_dict(Outer, values)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(FittingRoomError, match=r"config\.inner\.rate: expected a finite number"):
        from_dict(Outer, {"inner": {"rate": value}})
    with pytest.raises(FittingRoomError, match=r"--set\.inner\.rate: expected a finite number"):
        replace(Outer(), {"inner.rate": str(value) if value == 10**400 else json.dumps(value)})


def test_a_key_without_default_must_be_there() -> None:
    with pytest.raises(FittingRoomError, match="file: key 'first' is missing"):
        from_dict(Required, {"second": 1}, where="file")
    assert from_dict(Required, {"first": 3}) == Required(first=3)


@pytest.mark.parametrize("values", [None, [], "name", 3])
def test_what_is_no_dictionary_is_refused(values: object) -> None:
    with pytest.raises(FittingRoomError, match="file: expected a group of keys"):
        from_dict(Outer, values, where="file")  # type: ignore[arg-type]


def test_the_order_of_keys_changes_nothing() -> None:
    values = to_dict(Outer(count=5, free={"x": 1, "y": 2}))
    backwards = {key: values[key] for key in reversed(values)} | {"free": {"y": 2, "x": 1}}
    assert list(backwards) != list(values)
    assert config_hash(from_dict(Outer, backwards)) == config_hash(from_dict(Outer, values))


def test_a_whole_number_where_a_real_one_may_stand_is_the_same_configuration() -> None:
    assert config_hash(Outer(limit=5)) == config_hash(Outer(limit=5.0)) != config_hash(Outer(limit=5.5))


def test_replace_reaches_inside_and_parses_by_type() -> None:
    changes = {"inner.rate": "1", "widths": "[4]", "limit": "null", "on": "True", "free.x": "2"}
    changed = replace(Outer(limit=1.0, free={"x": 1}), changes)
    assert changed == Outer(inner=Inner(rate=1.0), widths=(4,), limit=None, on=True, free={"x": 2})


@pytest.mark.parametrize("path", ["nope", "inner.nope", "count.x", "inner"])
def test_replace_refuses_what_is_not_there(path: str) -> None:
    with pytest.raises(FittingRoomError, match="--set"):
        replace(Outer(), {path: "1"})


def test_the_hash_is_the_same_in_another_process_and_differs_with_any_value() -> None:
    code = (
        "from dataclasses import make_dataclass; from fittingroom.core.config import config_hash; "
        "print(config_hash(make_dataclass('C', [('a', int), ('b', str)])(1, 'x')))"
    )
    found = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(found) == 1
    assert config_hash(Outer()) != config_hash(Outer(count=4))


@dataclass(frozen=True, kw_only=True)
class Groups:
    rates: dict[str, float] = field(default_factory=dict)
    inner: dict[str, Inner] = field(default_factory=dict)
    nested: dict[str, dict[str, int | None]] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    plain: dict = field(default_factory=dict)
    anything: Any = None
    facts: dict[str, Any] = field(default_factory=dict)


TEXT = st.text(max_size=5)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | TEXT,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXT, inside, max_size=3),
    max_leaves=8,
)
GROUPS = st.builds(
    Groups,
    rates=st.dictionaries(TEXT, FINITE, max_size=3),
    inner=st.dictionaries(TEXT, st.builds(Inner, rate=FINITE), max_size=3),
    nested=st.dictionaries(TEXT, st.dictionaries(TEXT, st.none() | st.integers(), max_size=2), max_size=2),
    lists=st.dictionaries(TEXT, st.lists(TEXT, max_size=3).map(tuple), max_size=2),
    plain=st.dictionaries(TEXT, JSON, max_size=2),
    anything=JSON,
    facts=st.dictionaries(TEXT, JSON, max_size=2),
)


@given(GROUPS)
@settings(max_examples=40)
def test_groups_with_any_keys_come_back_with_values_of_their_type(groups: Groups) -> None:
    again = from_dict(Groups, json.loads(json.dumps(to_dict(groups))))
    assert again == groups
    assert all(type(value) is Inner for value in again.inner.values())
    assert all(type(value) is tuple for value in again.lists.values())
    assert config_hash(again) == config_hash(groups)


def test_values_in_a_group_are_converted_as_fields_are() -> None:
    read = from_dict(Groups, {"rates": {"a": 1}, "inner": {"b": {"rate": 2}}, "facts": {"c": [1]}})
    assert type(read.rates["a"]) is float and read.inner["b"] == Inner(rate=2.0) and read.facts == {"c": [1]}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rates": {"a": "x"}}, "config.rates.a: expected a number, got 'x'"),
        ({"rates": {"a": None}}, "config.rates.a: expected a number, got None"),
        ({"rates": {"a": float("nan")}}, "config.rates.a: expected a finite number"),
        ({"rates": [1.0]}, "config.rates: expected a group of keys, got [1.0]"),
        ({"inner": {"b": {"rat": 1}}}, "config.inner.b: unknown key 'rat': did you mean 'rate'?"),
        ({"nested": {"a": {"b": 1.5}}}, "config.nested.a.b: expected a whole number, got 1.5"),
        ({"lists": {"a": "text"}}, "config.lists.a: expected a list"),
        ({"facts": 3}, "config.facts: expected a group of keys, got 3"),
        ({"plain": None}, "config.plain: expected a group of keys, got None"),
    ],
)
def test_a_wrong_value_in_a_group_is_named_with_its_key(values: dict, said: str) -> None:
    with pytest.raises(FittingRoomError) as caught:
        from_dict(Groups, values)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_replace_reaches_into_groups_of_any_type() -> None:
    before = Groups(rates={"a": 1.0}, facts={"x": 1}, nested={"a": {"b": 1}})
    after = replace(before, {"rates.b": "2", "facts.y": "[1, 2]", "anything": '{"z": 1}', "nested.a": '{"b": null}'})
    assert after.rates == {"a": 1.0, "b": 2.0} and after.facts == {"x": 1, "y": [1, 2]}
    assert after.anything == {"z": 1} and after.nested == {"a": {"b": None}}
    with pytest.raises(FittingRoomError, match=r"--set: 'rates' is a group of settings; set one of: rates\.a"):
        replace(before, {"rates": "{}"})
    with pytest.raises(FittingRoomError, match=r"--set\.rates\.a: expected a number, got 'x'"):
        replace(before, {"rates.a": "x"})


@config_dataclass
class Parent:
    kind: Literal["a", "b"] = "a"
    size: int | tuple[int, int] = 1


@config_dataclass
class Child(Parent):
    rate: float = 0.5

    def __post_init__(self) -> None:
        if self.rate > 1:
            raise FittingRoomError("too high")


class TestConfigDataclass:
    """A config that is built in Python is checked like one from a file, in subclasses too."""

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"kind": "c"}, "Child.kind: 'c' is not one of a, b"),
            ({"size": "3"}, "Child.size: expected a whole number or a list"),
            ({"rate": float("nan")}, "Child.rate: expected a finite number"),
            ({"rate": 2.0}, "too high"),
        ],
    )
    def test_wrong_values_are_refused(self, values: dict, said: str) -> None:
        with pytest.raises(FittingRoomError, match=said):
            Child(**values)

    def test_right_values_stay_as_they_are(self) -> None:
        assert Child(kind="b", size=(1, 2), rate=1) == Child(kind="b", size=(1, 2), rate=1.0)
        with pytest.raises(FittingRoomError, match="Parent"):
            Parent(kind="c")  # type: ignore[arg-type]
