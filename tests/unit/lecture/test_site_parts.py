"""The generated pages of the site: the command line's reference has every command and option of the program."""

import argparse
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from docutils import nodes
from docutils.utils import new_document

from fittingroom.cli.main import build_parser

SOURCE = Path(__file__).parents[3] / "docs" / "site_parts.py"


@pytest.fixture(scope="module")
def parts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_parts", SOURCE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_every_command_and_option(parts: ModuleType) -> None:
    page = parts.command_line()
    parser = build_parser()
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        section = page.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
        options = [
            option
            for action in command._actions
            if action.help != argparse.SUPPRESS
            for option in action.option_strings
        ]
        assert [option for option in options if option not in ("-h", "--help") and f"`{option}" not in section] == []


def test_text_of_the_program_reads_the_same_in_markdown(parts: ModuleType) -> None:
    assert parts._escaped("a * b_c [x] <y> `keep*this`") == r"a \* b\_c \[x\] \<y\> `keep*this`"


def test_options_are_code_because_text_would_turn_their_hyphens_into_a_dash(parts: ModuleType) -> None:
    text = "give --train-sizes, with `--dev x`; all-or--nothing"
    assert parts._escaped(text) == "give `--train-sizes`, with `--dev x`; all-or--nothing"


def test_a_number_with_its_sign_and_an_interval_stay_on_one_line_except_in_code(parts: ModuleType) -> None:
    code = nodes.literal(text="5 % 3")
    page = new_document("page")
    page += nodes.paragraph("", "", nodes.Text("91.8 ± 0.1 % of 5 pictures (-1 to +2)"), code)
    parts._keep_together(None, page)
    assert code["classes"] == []
    assert page.astext() == "91.8\xa0±\xa00.1\xa0% of 5 pictures (-1\xa0to\xa0+2)5 % 3"


def test_docstrings_keep_code_and_examples(parts: ModuleType) -> None:
    lines = ["Call `f(*args)` for *all*.", "", "    import x", "", "Then stop."]
    parts._docstring(None, "function", "f", None, None, lines)
    assert lines[0] == r"Call ``f(*args)`` for \*all\*."
    assert lines[2:6] == ["", ".. code-block:: python", "", "    import x"] and lines[-1] == "Then stop."


def test_links_that_leave_the_site_become_text_and_others_stay(parts: ModuleType) -> None:
    text = [
        "[code](../src/fittingroom) [record](../results/explain/explain.json) [here](python.md) ![x](../results/a.png)"
    ]
    parts._adapt_links(None, "speed", text)
    assert text[0] == "code [record](../results/explain/explain.json) [here](python.md) ![x](../results/a.png)"


@pytest.mark.parametrize(
    ("text", "whole"),
    [("--folds 5", True), ("train cnn --resume", True), ("a--b", False), ("--set " + "x" * 40, False)],
)
def test_the_hyphens_of_an_option_stay_with_its_name_unless_that_is_too_long(
    parts: ModuleType, text: str, whole: bool
) -> None:
    page = new_document("page")
    code = nodes.literal(text=text)
    page += code
    parts._keep_together(None, page)
    assert (code["classes"] == ["options"]) is whole
