"""`import fittingroom`: cheap, complete, and `explain` is both a package and a function."""

import subprocess
import sys
import types

import pytest

import fittingroom as fr


def python(code: str) -> str:
    """What a fresh interpreter prints, in which warnings are errors."""
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_importing_the_package_imports_nothing_else() -> None:
    said = python("import sys, fittingroom; fittingroom.__version__; print(*sys.modules)").split()
    heavy = {"torch", "numpy", "scipy", "matplotlib", "lightning", "pandas", "PIL", "jinja2", "rich", "fittingroom.api"}
    assert "fittingroom" in said and not heavy & set(said)


def test_the_error_class_needs_no_torch_either() -> None:
    assert python("import sys, fittingroom; fittingroom.FittingRoomError; print('torch' in sys.modules)") == "False"


@pytest.mark.parametrize("name", fr.__all__)
def test_every_public_name_is_there(name: str) -> None:
    found = getattr(fr, name)
    assert found is not None and name in dir(fr)
    if not isinstance(found, types.ModuleType | str):
        assert found.__doc__ and found.__name__ == name


def test_public_names_are_those_that_are_imported_lazily() -> None:
    assert sorted(fr.__all__) == sorted({*fr._WHERE, *fr._MODULES, "__version__"}) == dir(fr)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'fittingroom' has no attribute 'trian'"):
        _ = fr.trian  # pyright: ignore[reportAttributeAccessIssue]
    assert not hasattr(fr, "trian")


STUB = """
import sys, types
import fittingroom as fr
api = types.ModuleType("fittingroom.api.explain")
api.explain = lambda *args, **options: print("called", *args, options)
sys.modules["fittingroom.api.explain"] = api
"""
"""In place of the function, whose module imports torch."""
CALL = "fr.explain('vit', index=3)"
PACKAGE = "from fittingroom.explain.catalogue import METHODS; assert METHODS"


@pytest.mark.parametrize(
    "lines",
    [
        [CALL, PACKAGE, CALL],
        [PACKAGE, CALL],
        ["import fittingroom.explain", CALL, PACKAGE],
        ["from fittingroom import explain", PACKAGE, "explain('vit', index=3)", CALL],
        ["import fittingroom.explain as package", "package('vit', index=3)", "assert package is fr.explain"],
    ],
    ids=["function first", "package first", "imported as a package", "imported as a name", "under another name"],
)
def test_explain_works_as_a_function_and_as_a_package_whichever_was_imported_first(lines: list[str]) -> None:
    assert set(python(STUB + "\n".join(lines)).splitlines()) == {"called vit {'index': 3}"}


def test_the_package_calls_the_function_of_the_api() -> None:
    with pytest.raises(
        fr.FittingRoomError, match="explain does not accept type int: give runs, their folders, or names"
    ):
        fr.explain(3)
