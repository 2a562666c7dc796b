"""What the pages say can be done can be done: commands run or parse, targets, links and files exist."""

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fittingroom.cli.commands import COMMANDS
from fittingroom.cli.main import build_parser

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *(
        page
        for folder in ("docs", "src")
        for page in sorted((ROOT / folder).rglob("*.md"))
        if page.parent.name != "_generated"  # copies that the site makes
    ),
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def blocks(page: Path, *languages: str) -> list[str]:
    """The code blocks of a page that open with one of these words."""
    return [body for language, body in BLOCK.findall(page.read_text(encoding="utf-8")) if language.strip() in languages]


def inline_code(page: Path) -> list[str]:
    return INLINE.findall(BLOCK.sub("", page.read_text(encoding="utf-8")))


def commands(page: Path) -> list[list[str]]:
    """Each line of the shell blocks as words up to `>` or `|`; comments left out, lines that end in a backslash joined."""
    text = "\n".join(blocks(page, "sh", "sh test")).replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [list(itertools.takewhile(lambda word: word not in (">", "|"), words)) for words in lines if words]


def mentioned(page: Path, program: str) -> list[list[str]]:
    """The commands of `program` in shell blocks and in inline code, as words after its name."""
    everywhere = commands(page) + [code.split() for code in inline_code(page)]
    return [words[1:] for words in everywhere if Path(words[0]).name == program]


def runnable() -> list[str]:
    return [block for page in PAGES for block in blocks(page, "sh test")]


@pytest.fixture
def user_folder(tmp_path: Path) -> Path:
    """A folder like a user's: the environment in .venv, nothing else."""
    if not Path(sys.prefix, "bin", "fittingroom").exists():
        pytest.fail("fittingroom is not installed in this environment: make setup")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def test_readme_opens_with_the_two_commands() -> None:
    first_block = blocks(README, "sh")[0]
    assert [line.split("#")[0].strip() for line in first_block.splitlines()] == ["make compare", "make test"]


def test_some_block_is_run() -> None:
    assert runnable(), "mark short blocks of README.md that shall be run with ```sh test"


@pytest.mark.slow
@pytest.mark.parametrize("block", runnable())
def test_a_block_marked_test_runs_as_written(block: str, user_folder: Path) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=user_folder,
        env={**os.environ, "PATH": f"{user_folder}/.venv/bin{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_in_a_shell_block_parses(page: Path) -> None:
    for words in commands(page):
        if Path(words[0]).name == "fittingroom":
            build_parser().parse_args(words[1:])  # raises FittingRoomError with the mistake


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_subcommand_that_a_page_names_exists(page: Path) -> None:
    named = {words[0] for words in mentioned(page, "fittingroom") if words and re.fullmatch(r"[a-z]+", words[0])}
    assert named <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    for words in mentioned(page, "make"):
        done = subprocess.run(["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_and_named_file_exists(page: Path) -> None:
    links = [link.split("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    broken = [link for link in links if link and not (page.parent / link).exists()]
    files = [code for code in inline_code(page) if re.fullmatch(r"[\w.-]+/[\w./-]+\.(py|md|sh|toml|txt)", code)]
    lost = [name for name in files if not any((base / name).exists() for base in (ROOT, ROOT / "src" / "fittingroom"))]
    assert (broken, lost) == ([], [])


@pytest.mark.slow
def test_make_compare_ends_well_on_a_fresh_clone(tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / "clone")], check=True)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PIP_CACHE_DIR": str(tmp_path / "pip")}
    environment.pop("OMP_NUM_THREADS", None)
    done = subprocess.run(
        ["make", "compare"], cwd=tmp_path / "clone", env=environment, capture_output=True, text=True, timeout=3600
    )
    assert done.returncode == 0, done.stderr
    for word in ("ViT", "CNN", "Hybrid", "report.html"):
        assert word in done.stdout
    states = [json.loads(path.read_text()) for path in (tmp_path / "clone" / "runs").rglob("state.json")]
    (record,) = (json.loads(path.read_text()) for path in (tmp_path / "clone" / "runs").rglob("comparison.json"))
    assert len(states) == 6 and sum(state["train_seconds"] for state in states) / record["jobs"] <= 360
