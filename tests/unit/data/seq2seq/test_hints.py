"""Readable files that look like a mistake: a header, spreadsheet quotes, targets without spaces. Good files give no hint."""

from pathlib import Path

import pytest

from fittingroom.data.seq2seq.hints import read_file
from tests.pairs_fixture import ARABIC, GREEK, made_up, write_tsv

GOOD = made_up(GREEK, 60)


def hints(folder: Path, lines: list[tuple[str, str]]) -> list[str]:
    path = write_tsv(folder / "pairs.tsv", lines)
    found = read_file(path)
    assert found.num_lines == len(lines)
    assert all(hint.startswith(str(path)) for hint in found.hints)
    return [hint.removeprefix(str(path)) for hint in found.hints]


@pytest.mark.parametrize(
    "first", [("word", "phonemes"), ("#word", "ipa"), ("Grapheme", "IPA transcription"), ("palabra", "fonemas")]
)
def test_a_header_is_named_with_its_line(first: tuple[str, str], tmp_path: Path) -> None:
    (hint,) = hints(tmp_path, [first, *GOOD])
    assert hint == f", line 1 looks like a header ('{first[0]}', '{first[1]}'): delete it"


def test_a_header_after_a_blank_line_keeps_its_number(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("\n\nword\tipa\n" + "".join(f"{source}\t{target}\n" for source, target in GOOD))
    assert ", line 3 looks like a header" in read_file(path).hints[0]


def test_spreadsheet_quotes_are_named_with_the_first_line(tmp_path: Path) -> None:
    lines = [GOOD[0], ('"O ""Neil"""', "o n i l"), ("neil", '"n i l"'), *GOOD[1:]]
    (hint,) = hints(tmp_path, lines)
    assert hint.startswith(", line 2 has spreadsheet quotes: write 'O \"Neil\"' instead of ")
    assert hint.endswith("(1 more lines)")


def test_targets_without_spaces_are_named(tmp_path: Path) -> None:
    (hint,) = hints(tmp_path, [(source, target.replace(" ", "")) for source, target in GOOD])
    assert hint.startswith(": 60 of 60 targets are one symbol") and "columns swapped" not in hint
    (hint,) = hints(tmp_path, [(target, source) for source, target in GOOD])
    assert hint.startswith(": 60 of 60 targets are one symbol") and "are the columns swapped?" in hint


@pytest.mark.parametrize(
    "lines",
    [
        GOOD,
        made_up(ARABIC, 60),
        [(source, "NOUN" if number % 3 else "VERB") for number, (source, _) in enumerate(GOOD)],
        [(source, source[0]) for source, _ in GOOD],
        [("word", "W ER D"), ('"', "K W OW T"), ('5" disc', "D IH S K"), *GOOD],
    ],
    ids=["Greek", "Arabic", "classes", "one letter", "the word word, and single quotes"],
)
def test_good_files_give_no_hint(lines: list[tuple[str, str]], tmp_path: Path) -> None:
    assert hints(tmp_path, lines) == []


@pytest.mark.parametrize(("start", "end", "what"), [("/", "/", "slashes"), ("[", "]", "brackets")])
def test_slashes_and_brackets_around_targets_are_named(start: str, end: str, what: str, tmp_path: Path) -> None:
    (hint,) = hints(tmp_path, [(source, f"{start}{target}{end}") for source, target in GOOD])
    target = GOOD[0][1]
    assert hint.startswith(f", line 1 has {what} around the target: write '{target}' instead of '{start}{target}{end}'")
    assert hints(tmp_path, [*GOOD, ("[a]", "a"), ("/b/", "b"), ("c", "/ / k"), ("d", "/")]) == []


def test_numbered_variants_of_a_word_are_named(tmp_path: Path) -> None:
    (hint,) = hints(tmp_path, [*GOOD, ("tomato", "T AH"), ("tomato(2)", "T OW")])
    assert (
        hint.startswith(f", line {len(GOOD) + 2} has a numbered variant") and "'tomato' instead of 'tomato(2)'" in hint
    )
    assert hints(tmp_path, [*GOOD, ("f(2)", "F T UW"), ("(3)", "TH")]) == []
