"""Registries of objects that are chosen by name. To add one, write a file with a decorator, and import that file."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from fittingroom.core.errors import FittingRoomError, did_you_mean

T = TypeVar("T")
_EXTERNAL: list[str] = []
_SCRIPT = ("__main__", "__mp_main__")
"""The user's script, and its name in a child process of multiprocessing."""


def external_modules() -> list[str]:
    """Modules outside fittingroom that registered something. Child processes must import them too."""
    return [module for module in _EXTERNAL if module not in _SCRIPT]


def script_registers() -> bool:
    """Whether the user's script registered something, so that child processes must import it."""
    return any(module in _SCRIPT for module in _EXTERNAL)


class Registry(Generic[T]):
    """Maps names to objects of one kind, in order of registration.

    Names with a prefix, such as `timm:resnet18`, come from a function: there may be thousands of them, and they are not listed.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, T] = {}
        self._prefixes: dict[str, Callable[[str], T]] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that registers the decorated object under `name`."""

        def file(thing: T) -> T:
            assert name not in self._things, f"{self.kind} '{name}' is registered twice"
            module = str(getattr(thing, "__module__", None) or type(thing).__module__)
            if module.split(".")[0] not in ("fittingroom", "builtins") and module not in _EXTERNAL:
                _EXTERNAL.append(module)
            self._things[name] = thing
            return thing

        return file

    def register_prefix(self, prefix: str) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
        """Decorator that registers a function: it gets the text after `prefix:` and returns the object of that name."""

        def file(find: Callable[[str], T]) -> Callable[[str], T]:
            self._prefixes[prefix] = find
            return find

        return file

    def get(self, name: str) -> T:
        """The object registered under `name`. Raises FittingRoomError that suggests the closest name."""
        if not isinstance(name, str):
            raise FittingRoomError(f"{self.kind} {name!r}: give its name: {', '.join(self._things)}")
        if name in self._things:
            return self._things[name]
        prefix, colon, rest = name.partition(":")
        if colon and prefix in self._prefixes:
            return self._prefixes[prefix](rest)
        raise FittingRoomError(f"unknown {self.kind} '{name}': {did_you_mean(name, self._things)}")

    def __contains__(self, name: str) -> bool:
        """Whether `name` is registered, or has a registered prefix: `get` then says whether it exists."""
        return name in self._things or (":" in name and name.partition(":")[0] in self._prefixes)

    @property
    def prefixes(self) -> list[str]:
        """The registered prefixes."""
        return list(self._prefixes)

    def names(self) -> list[str]:
        """All names, in order of registration."""
        return list(self._things)

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)
