"""A name for each thing that can be chosen by name. Adding one takes a file, a decorator and an import line."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from fittingroom.core.errors import FittingRoomError, did_you_mean

T = TypeVar("T")
_EXTERNAL: list[str] = []


def external_modules() -> list[str]:
    """Modules outside this package that have registered something: other processes must import them, too."""
    return list(_EXTERNAL)


class Registry(Generic[T]):
    """Names to things of one kind, in the order in which they were registered."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator: file the decorated thing under `name`."""

        def file(thing: T) -> T:
            assert name not in self._things, f"{self.kind} '{name}' is registered twice"
            module = str(getattr(thing, "__module__", None) or type(thing).__module__)
            if module.split(".")[0] not in ("fittingroom", "builtins", "__main__") and module not in _EXTERNAL:
                _EXTERNAL.append(module)
            self._things[name] = thing
            return thing

        return file

    def get(self, name: str) -> T:
        """The thing of that name. Raises FittingRoomError that names the nearest one."""
        if name not in self._things:
            raise FittingRoomError(f"unknown {self.kind} '{name}': {did_you_mean(name, self._things)}")
        return self._things[name]

    def names(self) -> list[str]:
        """All names, first registered first."""
        return list(self._things)

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)
