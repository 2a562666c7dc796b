"""Configs: frozen dataclasses that check their values, and convert to plain dictionaries and back.

An unknown key, a wrong type and a word that is no choice are errors.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import sys
import types
import typing
from typing import Any, TypeVar

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.core.json_text import parse_json

T = TypeVar("T")

WANTED = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
"""How error messages name the plain types."""


@typing.dataclass_transform(frozen_default=True, kw_only_default=True)
def config_dataclass(cls: type[T]) -> type[T]:
    """Decorator for a config: a frozen, keyword-only dataclass whose constructor checks each value's type and choices.

    So a value that is built in Python is refused like one from a file or an option. `__post_init__` then checks ranges.
    """
    check_range = cls.__dict__.get("__post_init__")

    def check(self: Any) -> None:
        hints = _hints(type(self))
        for field in dataclasses.fields(self):
            _convert(hints[field.name], getattr(self, field.name), f"{type(self).__name__}.{field.name}")
        if check_range is not None:
            check_range(self)

    if check_range is not None or not hasattr(cls, "__post_init__"):  # a parent's checks all fields, too
        cls.__post_init__ = check  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def to_dict(config: Any) -> dict[str, Any]:
    """Convert a dataclass to nested plain values, ready for JSON."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def from_dict(cls: type[T], values: dict[str, Any], where: str = "config") -> T:
    """Build dataclass `cls` from plain values. `where` names the file or option in error messages."""
    if not isinstance(values, dict):
        raise FittingRoomError(f"{where}: expected a group of keys, got {values!r}")
    hints = _hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise FittingRoomError(f"{where}: unknown key '{key}': {did_you_mean(key, sorted(fields))}")
    for key, field in fields.items():
        if key not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise FittingRoomError(f"{where}: key '{key}' is missing: it has no default, so give it a value")
    return cls(**{key: _convert(hints[key], value, f"{where}.{key}") for key, value in values.items()})


def replace(config: T, changes: dict[str, str], where: str = "--set") -> T:
    """Return a copy of `config` with `changes` such as `{'optim.lr': '0.01'}`. Each value is parsed as its field's type."""
    values = to_dict(config)
    for path, text in changes.items():
        _set(type(config), values, path, text, where)
    return from_dict(type(config), values, where)


def check_texts(cls: type[Any], changes: dict[str, str], where: str = "--set") -> None:
    """Raise FittingRoomError for a text that is no value of its field. Ranges depend on the other fields: not checked."""
    for key, text in changes.items():
        _convert(_hints(cls)[key], _parse_json(text), f"{where}.{key}")


def config_hash(config: Any) -> str:
    """Twelve hex digits that identify this configuration: the run's id. `epochs` 5 and 5.0 give the same id.

    A config with a method `identity` chooses the values that identify it.
    """
    read_back = from_dict(type(config), to_dict(config))
    values = read_back.identity() if hasattr(read_back, "identity") else to_dict(read_back)
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _set(cls: Any, values: dict[str, Any], path: str, text: str, where: str) -> None:
    head, _, rest = path.partition(".")
    hints = _hints(cls)
    if head not in hints:
        raise FittingRoomError(f"{where}: unknown key '{path}': {did_you_mean(head, sorted(hints))}")
    if rest:
        if not isinstance(values[head], dict):
            raise FittingRoomError(f"{where}: '{head}' has no key '{rest}': it is a single value")
        inner = hints[head] if dataclasses.is_dataclass(hints[head]) else None
        if inner is None:
            values[head] = {**values[head], rest: _parse_json(text)}
        else:
            _set(inner, values[head], rest, text, where)
        return
    if dataclasses.is_dataclass(hints[head]) or hints[head] is dict or typing.get_origin(hints[head]) is dict:
        inside = ", ".join(f"{head}.{key}" for key in values[head])
        raise FittingRoomError(f"{where}: '{head}' is a group of settings; set one of: {inside}")
    values[head] = _parse_json(text)


def _parse_json(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:  # not JSON, or too deep, or a number with more digits than Python parses
        return {"True": True, "False": False, "None": None}.get(text, text)


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        if dataclasses.is_dataclass(value):
            return value
        return from_dict(hint, value, where)  # type: ignore[arg-type]
    if origin in (types.UnionType, typing.Union):
        return _convert_union(args, value, where)
    if origin is typing.Literal:
        if value not in args:
            raise FittingRoomError(f"{where}: {value!r} is not one of {', '.join(map(str, args))}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise FittingRoomError(f"{where}: expected a list such as [1, 2], got {value!r}")
        inner = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(inner) != len(value):
            raise FittingRoomError(f"{where}: expected {len(inner)} values, got {len(value)}")
        return tuple(_convert(kind, item, where) for kind, item in zip(inner, value, strict=True))
    if origin is dict or hint is dict:
        if not isinstance(value, dict):
            raise FittingRoomError(f"{where}: expected a group of keys, got {value!r}")
        return {key: _convert(args[1], item, f"{where}.{key}") for key, item in value.items()} if args else value
    return value if hint is Any else _convert_plain(hint, value, where)


def _convert_union(args: tuple[Any, ...], value: Any, where: str) -> Any:
    """Convert `value` to the first type that fits. A list is always read as a tuple, so that errors name the bad item."""
    if value is None and type(None) in args:
        return None
    kinds = [kind for kind in args if kind is not type(None)]
    tuples = [kind for kind in kinds if typing.get_origin(kind) is tuple]
    if isinstance(value, list | tuple) and tuples:
        kinds = tuples
    if len(kinds) == 1:
        return _convert(kinds[0], value, where)
    for kind in kinds:
        with contextlib.suppress(FittingRoomError):
            return _convert(kind, value, where)
    raise FittingRoomError(f"{where}: expected {' or '.join(map(_describe, kinds))}, got {value!r}")


def _describe(kind: Any) -> str:
    """Describe a value of this type for an error message."""
    if typing.get_origin(kind) is tuple:
        return "a list such as [1, 2]"
    return WANTED.get(kind, getattr(kind, "__name__", str(kind)))


def _convert_plain(hint: Any, value: Any, where: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) <= sys.float_info.max else float("inf")
    if isinstance(value, int | float) and not abs(value) <= sys.float_info.max:
        shown = f"one of {value.bit_length():,} bits" if isinstance(value, int) else repr(value)
        raise FittingRoomError(f"{where}: expected a finite number, got {shown}")
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise FittingRoomError(f"{where}: expected {_describe(hint)}, got {value!r}")
    return value
