"""The project rules that a test can check: small files and functions, docstrings, a fast `--help`."""

import ast
import io
import re
import subprocess
import sys
import time
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "fittingroom"
SOURCES = [path for folder in ("src", "tests", "lab") for path in sorted((ROOT / folder).rglob("*.py"))]
OTHER_SOURCES = [*ROOT.glob("scripts/*.sh"), *PACKAGE.glob("*/templates/*"), ROOT / "Makefile", ROOT / "pyproject.toml"]

MAX_FILE_LINES, MAX_MODEL_LINES, MAX_FUNCTION_LINES = 500, 300, 60
MAX_HELP_SECONDS = 0.5
HEAVY = ("torch", "lightning", "matplotlib", "numpy", "scipy")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def num_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def too_long(paths: list[Path], limit: int) -> list[str]:
    return [f"{path.relative_to(ROOT)}: {num_lines(path)} lines" for path in paths if num_lines(path) > limit]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(parsed(path)) if isinstance(node, Function))


def own_lines(node: ast.stmt) -> int:
    """Lines of a function without those of classes in it: their methods are functions of their own."""
    inside = sum(span(each) for each in getattr(node, "body", []) if isinstance(each, ast.ClassDef))
    return span(node) - inside


def span(node: ast.stmt) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def public_functions(body: list[ast.stmt]) -> Iterator[Function]:
    """A module's functions and its classes' methods whose names are public all the way; not functions in functions."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            if isinstance(node, ast.ClassDef):
                yield from public_functions(node.body)
            else:
                yield node


def comments(path: Path) -> Iterator[tokenize.TokenInfo]:
    readline = io.StringIO(path.read_text(encoding="utf-8")).readline
    return (token for token in tokenize.generate_tokens(readline) if token.type == tokenize.COMMENT)


def run_python(*words: str) -> str:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True, timeout=60).stdout


def help_seconds() -> float:
    began = time.perf_counter()
    run_python("-m", "fittingroom", "--help")
    return time.perf_counter() - began


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 50
    assert len(OTHER_SOURCES) > 5


def test_no_file_is_over_500_lines() -> None:
    assert not too_long(SOURCES + OTHER_SOURCES, MAX_FILE_LINES)


def test_no_model_file_is_over_300_lines() -> None:
    assert not too_long(sorted((PACKAGE / "models").rglob("*.py")), MAX_MODEL_LINES)


def test_no_function_is_over_60_lines() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES
        if num_lines(path) > MAX_FUNCTION_LINES
        for node in functions(path)
        if own_lines(node) > MAX_FUNCTION_LINES
    ]
    assert not long


def test_every_module_and_public_function_has_a_docstring() -> None:
    silent = []
    for path in PACKAGE.rglob("*.py"):
        tree = parsed(path)
        nodes = [tree, *public_functions(tree.body)]
        silent += [
            f"{path.relative_to(ROOT)} {getattr(node, 'name', '')}" for node in nodes if not ast.get_docstring(node)
        ]
    assert not silent


def test_pictures_of_users_are_opened_in_one_place() -> None:
    """What one reader has learnt about odd files holds for all."""
    opening = [path for path in PACKAGE.rglob("*.py") if "Image.open(" in path.read_text(encoding="utf-8")]
    assert [path.relative_to(PACKAGE).as_posix() for path in opening] == ["data/images/decode.py"]


def test_what_is_left_to_do_names_its_issue() -> None:
    bare = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))")
    found = [
        f"{path.relative_to(ROOT)}:{token.start[0]}"
        for path in SOURCES
        if bare.search(path.read_text(encoding="utf-8"))  # reading is quick, splitting into tokens is not
        for token in comments(path)
        if bare.search(token.string)
    ]
    assert not found


def test_mutations_name_lines_and_tests_that_exist() -> None:
    rows = [line for line in (ROOT / "tests" / "mutations.md").read_text(encoding="utf-8").splitlines() if "`" in line]
    table = [re.split(r"(?<!\\)\|", row)[2:-1] for row in rows if row.startswith("| ")]
    assert len(table) >= 19
    for cells in table:
        file, line, _, test = (cell.strip().strip("`").replace("\\|", "|") for cell in cells)
        source = (PACKAGE / file).read_text(encoding="utf-8")
        assert all(each.strip() in source for each in line.split("⏎")), f"{file} has no line {line}"
        path, name = test.split("::")
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8"), test


def test_help_of_every_command_imports_nothing_heavy() -> None:
    script = f"""
import contextlib, io, sys
from fittingroom.cli.commands import COMMANDS
from fittingroom.cli.main import main
for words in [["--help"], *([name, "--help"] for name in COMMANDS)]:
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main(words)
print(*[name for name in {HEAVY} if name in sys.modules])
"""
    assert run_python("-c", script).split() == []


def test_help_answers_in_half_a_second() -> None:
    # The best of up to ten: what else the machine does can only make it slower.
    if not any(help_seconds() < MAX_HELP_SECONDS for _ in range(10)):
        pytest.fail(f"fittingroom --help never answered within {MAX_HELP_SECONDS} s")
