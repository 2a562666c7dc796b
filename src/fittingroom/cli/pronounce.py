"""`fittingroom pronounce`: how a sequence model pronounces words, and which letters it looked at."""

import argparse
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fittingroom.cli.process import as_text
from fittingroom.cli.text_width import for_terminal, padded, text_width
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.text import named, shown

if TYPE_CHECKING:  # these import torch, and `--help` must not
    from fittingroom.evaluation.dictionary import Reference
    from fittingroom.evaluation.pronounce import Answer, Pronunciation
    from fittingroom.explain.findings import Alignment

PARTS = {
    "train": "a training word",
    "val": "a validation word, not trained on",
    "test": "a test word, not trained on",
}


def pronounce(args: argparse.Namespace) -> int:
    """`fittingroom pronounce`"""
    if args.out is not None and not args.explain:
        raise FittingRoomError("--out says where --explain writes its pictures: give both or neither")
    from fittingroom.evaluation import pronounce as asking
    from fittingroom.evaluation.dictionary import references
    from fittingroom.tasks.load import load_run

    saved = load_run(args.model, "seq2seq")
    source, target = saved.task.vocabularies  # pyright: ignore[reportAttributeAccessIssue]
    model, folder = saved.model, saved.folder
    answers = asking.pronounce(model, source, target, [*map(as_text, args.words)], num_beams=args.beam)
    entries = references(saved.config.data, target, [answer.spelling for answer in answers])
    known = [entries.get(answer.spelling) for answer in answers]
    aligned: list[Alignment | None] = [None] * len(answers)
    if args.explain:
        from fittingroom.explain.alignment import align

        aligned = [align(model, answer) for answer in answers]
    files = _draw(args.out, folder.name, answers, known, aligned) if args.out is not None else []
    if args.json:
        rows = [_row(*each) for each in zip(answers, known, aligned, strict=True)]
        print(json.dumps({"model": saved.config.model, "words": rows, "files": [str(path) for path in files]}))
    else:
        print(for_terminal("\n".join([*_lines(answers, known, aligned), *map(str, files)])))
    return 0


def _draw(
    out: Path,
    name: str,
    answers: "Sequence[Answer]",
    known: "Sequence[Reference | None]",
    aligned: "Sequence[Alignment | None]",
) -> list[Path]:
    """Write the pictures and the page that `out` asks for; return their paths."""
    from fittingroom.report.alignment import Alignments, Reading, Readings
    from fittingroom.report.alignment_page import write_alignment_files

    found = [
        Reading(alignment=alignment, prob=math.exp(answer.pronunciations[0].log_prob))
        for answer, alignment in zip(answers, aligned, strict=True)
        if alignment is not None
    ]
    references = [[" ".join(target) for target in entry.targets] if entry else [] for entry in known]
    words = [answer.word for answer in answers]
    looks = [Readings(place=0, answers=found)]
    return write_alignment_files(out, name, Alignments(words=words, references=references, looks=looks))


def _lines(
    answers: "Sequence[Answer]", known: "Sequence[Reference | None]", aligned: "Sequence[Alignment | None]"
) -> list[str]:
    """The output as text: each word with its answers, then the notes."""
    words = [shown(answer.word) for answer in answers]
    margin = max(map(text_width, words)) + 2
    lines: list[str] = []
    for word, answer, entry, alignment in zip(words, answers, known, aligned, strict=True):
        several = len(answer.pronunciations) > 1
        for place, found in enumerate(answer.pronunciations):
            lines.append(padded("" if place else word, margin) + _answer(found, several))
        if entry is not None:
            said = " | ".join(" ".join(target) for target in entry.targets)
            lines.append(" " * margin + f"dictionary: {said} ({PARTS[entry.part]})")
        if alignment is not None:
            from fittingroom.cli.alignment import alignment_lines

            width = shutil.get_terminal_size().columns
            lines += ["", *alignment_lines(alignment, width), ""]
    return lines + [f"note: {note}" for note in _notes(answers)]


def _answer(found: "Pronunciation", several: bool) -> str:
    share = f"{_share(math.exp(found.log_prob)):>7}  " if several else ""
    written = " ".join(map(shown, found.symbols)) or "(nothing)"
    return share + written + ("" if found.finished else " ...")


def _share(probability: float) -> str:
    """A probability such as `12.3 %`. Small ones become `<0.1 %`, never `0.0 %`."""
    return "<0.1 %" if 0 < probability < 0.0005 else f"{100 * probability:.1f} %"


def _notes(answers: "Sequence[Answer]") -> list[str]:
    notes = [
        f"{shown(answer.word)}: the model does not know {', '.join(map(named, answer.unknown))}; it was read as an unknown symbol"
        for answer in answers
        if answer.unknown
    ]
    notes += [
        f"{shown(answer.word)}: {named(given)} was {f'read as {named(read)}' if read else 'left out'}; the model does not know it"
        for answer in answers
        for given, read in answer.replaced
    ]
    if any(_is_out_of_order(answer) for answer in answers):
        notes.append(
            "answers are ordered by probability for their length, log p / ((5 + length) / 6) ^ 0.6, so that short ones have no "
            "advantage"
        )
    cut = [shown(answer.word) for answer in answers if not answer.pronunciations[0].finished]
    return notes + ([f"cut off at the model's maximum length: {', '.join(cut)}"] if cut else [])


def _is_out_of_order(answer: "Answer") -> bool:
    """Whether the printed probabilities are not in the order of the answers."""
    probs = [found.log_prob for found in answer.pronunciations]
    return probs != sorted(probs, reverse=True)


def _row(answer: "Answer", entry: "Reference | None", alignment: "Alignment | None") -> dict[str, Any]:
    """The `--json` values of one word."""
    row: dict[str, Any] = {
        "word": answer.word,
        "read": list(answer.read),
        "replaced": [list(pair) for pair in answer.replaced],
        "unknown": list(answer.unknown),
        "pronunciations": [
            {
                "symbols": list(found.symbols),
                "prob": math.exp(found.log_prob),
                "log_prob": found.log_prob,
                "score": found.score,
                "finished": found.finished,
            }
            for found in answer.pronunciations
        ],
        "dictionary": None,
    }
    if entry is not None:
        row["dictionary"] = {"pronunciations": [list(target) for target in entry.targets], "part": entry.part}
    if alignment is not None:
        row["alignment"] = {
            "letters": list(alignment.letters),
            "phonemes": list(alignment.phonemes),
            "weights": alignment.weights.round(5).tolist(),
        }
    return row
