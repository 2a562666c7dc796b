"""Registries map names to objects."""

from types import SimpleNamespace
from typing import Any

import pytest

from fittingroom.core import registry
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.registry import Registry, external_modules, script_registers


def letters() -> Registry[int]:
    things: Registry[int] = Registry("thing")
    things.register("beta")(2)
    things.register("alpha")(1)
    return things


def test_names_keep_the_order_in_which_they_came() -> None:
    assert letters().get("alpha") == 1
    assert letters().names() == list(letters()) == ["beta", "alpha"]


def test_the_decorator_returns_what_it_files() -> None:
    things: Registry[type] = Registry("thing")

    @things.register("it")
    class It: ...

    assert things.get("it") is It


def test_an_unknown_name_is_told_the_nearest_or_all() -> None:
    with pytest.raises(FittingRoomError, match=r"^unknown thing 'alhpa': did you mean 'alpha'\?$"):
        letters().get("alhpa")
    with pytest.raises(FittingRoomError, match=r"^unknown thing 'zzz': known: beta, alpha$"):
        letters().get("zzz")


def test_names_with_a_prefix_are_found_by_a_function_and_not_listed() -> None:
    things = letters()
    things.register_prefix("far")(len)
    assert things.get("far:abc") == 3 and things.prefixes == ["far"]
    assert "far:abc" in things and "beta" in things and "gamma" not in things and "fra:abc" not in things
    assert things.names() == ["beta", "alpha"]
    with pytest.raises(FittingRoomError, match="unknown thing 'fra:abc'"):
        things.get("fra:abc")


def test_a_name_is_taken_once() -> None:
    with pytest.raises(AssertionError, match="thing 'alpha' is registered twice"):
        letters().register("alpha")(3)


@pytest.fixture
def no_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """No module has registered anything yet."""
    monkeypatch.setattr(registry, "_EXTERNAL", [])


def thing_of(module: str) -> SimpleNamespace:
    return SimpleNamespace(__module__=module)


@pytest.mark.usefixtures("no_modules")
def test_modules_outside_the_package_that_register_something_are_remembered_once_in_order() -> None:
    things: Registry[object] = Registry("thing")
    for number, module in enumerate(("theirs.models", "theirs.data", "theirs.models", "fittingroomy")):
        things.register(f"thing {number}")(thing_of(module))
    assert external_modules() == ["theirs.models", "theirs.data", "fittingroomy"]


@pytest.mark.usefixtures("no_modules")
@pytest.mark.parametrize("module", ["fittingroom.models.vit", "fittingroom", "builtins", "__main__"])
def test_our_own_modules_and_what_cannot_be_imported_are_not_among_them(module: str) -> None:
    Registry[object]("thing").register("it")(thing_of(module))
    Registry[int]("number").register("one")(1)
    assert external_modules() == []


@pytest.mark.usefixtures("no_modules")
@pytest.mark.parametrize(("module", "is_script"), [("__main__", True), ("__mp_main__", True), ("theirs", False)])
def test_a_script_that_registers_something_is_noticed(module: str, is_script: bool) -> None:
    Registry[object]("thing").register("it")(thing_of(module))
    assert script_registers() is is_script
    assert external_modules() == ([] if is_script else [module])


@pytest.mark.usefixtures("no_modules")
def test_functions_classes_and_instances_tell_their_module() -> None:
    class It: ...

    for number, thing in enumerate((It, It(), letters)):
        external_modules().clear()  # a copy: this changes nothing
        Registry[object]("thing").register(str(number))(thing)
    assert external_modules() == [__name__]


@pytest.mark.usefixtures("no_modules")
def test_a_name_that_is_taken_leaves_nothing_behind() -> None:
    things = letters()
    with pytest.raises(AssertionError, match="registered twice"):
        things.register("alpha")(thing_of("theirs"))  # type: ignore[arg-type]
    assert things.get("alpha") == 1 and external_modules() == []


def test_the_package_itself_registers_nothing_from_outside() -> None:
    import fittingroom.cli.main
    import fittingroom.recipes
    import fittingroom.tasks.load  # noqa: F401

    assert not [module for module in external_modules() if module.split(".")[0] != "tests"]


@pytest.mark.parametrize("name", [None, 5, ["a"]])
def test_what_is_no_name_is_one_line(name: Any) -> None:
    things: Registry[str] = Registry("preset")
    things.register("quick")("first")
    with pytest.raises(FittingRoomError, match=r"^preset .*: give its name: quick$"):
        things.get(name)
