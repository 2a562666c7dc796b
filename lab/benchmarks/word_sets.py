"""Write word lists for testing claims about heads and positions: `python -m lab.benchmarks.word_sets FOLDER`.

The TSV files contain only training and validation words of cmudict, so that its test words stay sealed. In FOLDER/all, half of
the validation words are for validation and half for the test. In FOLDER/short, training and dev words have at most 8 letters, and
all test words are longer. docs/lab/sequences.md has the two comparisons that use these files.
"""

import argparse
from pathlib import Path

from fittingroom.core.rundir import make_folder, write_text
from fittingroom.data.seq2seq.load import load_pair_splits
from fittingroom.data.seq2seq.tsv import Pairs

SHORT = 8  # letters: 71 % of the training words have no more


def longer(pairs: Pairs, which: bool) -> Pairs:
    """The words with more than SHORT letters, or the others."""
    return pairs.subset(place for place, source in enumerate(pairs.sources) if (len(source) > SHORT) == which)


def lines(pairs: Pairs) -> str:
    """Write a file with one pronunciation per line: SOURCE TAB TARGET."""
    rows = zip(pairs.sources, pairs.targets, strict=True)
    return "".join(f"{source}\t{' '.join(target)}\n" for source, targets in rows for target in targets)


def word_sets() -> dict[str, dict[str, Pairs]]:
    """Folder -> part -> pairs."""
    splits = load_pair_splits("cmudict")
    train, val = splits.train, splits.val
    halves = (val.subset(range(first, len(val), 2)) for first in (0, 1))
    return {
        "all": dict(zip(("train", "dev", "test"), (train, *halves), strict=True)),
        "short": {"train": longer(train, False), "dev": longer(val, False), "test": longer(val, True)},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name, parts in word_sets().items():
        for part, pairs in parts.items():
            file = make_folder(folder / name) / f"{part}.tsv"
            write_text(file, lines(pairs))
            print(f"{file}: {len(pairs):,} words")
