"""Everything that may be wrong with a data set, as a list of findings: what it is, which pictures, and what to do."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from fittingroom.data.images.guard import near, quality
from fittingroom.data.images.guard.labels import Doubtful
from fittingroom.data.images.listing import FEW

UNBALANCED = 3.0
"""The largest class has more than this many times the training pictures of the smallest."""
WEAK = 0.7
"""Networks that agree with a smaller share of the labels are poor judges."""
LEFT_OUT = "training leaves them out automatically; for other programs use --write-clean"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One kind of fault."""

    kind: str
    """For programs, such as `copies-in-two-parts`."""
    title: str
    advice: str
    sets: tuple[tuple[int, ...], ...] = ()
    """The pictures, by position among the readable ones. Copies of each other are one set, other pictures are sets of one."""
    details: tuple[str, ...] = ()
    """One for each set; or, for classes, one for each class."""

    @property
    def places(self) -> list[int]:
        """All its pictures."""
        return [place for each in self.sets for place in each]

    @property
    def number(self) -> int:
        """How many sets, or classes."""
        return len(self.sets) or len(self.details)


@runtime_checkable
class Picture(Protocol):
    """What findings need of a picture."""

    @property
    def label(self) -> str:
        """The name of its class."""
        ...

    @property
    def part(self) -> str:
        """train, val, test or all."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        ...

    @property
    def digest(self) -> bytes:
        """Of its pixels."""
        ...

    @property
    def constant(self) -> bool:
        """Whether all its pixels are equal."""
        ...


def find_all(
    pictures: Sequence[Picture], classes: Sequence[str], looks: quality.Looks, pairs: near.Pairs
) -> list[Finding]:
    """Every finding with something in it, the gravest first. `pictures` are the readable ones, `classes` all names."""
    found = [
        *_of_copies(pictures, copies_of(pictures)),
        *_of_near(pictures, near_sets(pictures, pairs)),
        *_of_classes(pictures, classes),
        *_of_looks(pictures, looks),
    ]
    return [each for each in found if each.number]


def copies_of(pictures: Sequence[Picture]) -> list[tuple[int, ...]]:
    """Positions of pictures whose pixels are equal."""
    by_digest: dict[bytes, list[int]] = defaultdict(list)
    for place, each in enumerate(pictures):
        by_digest[each.digest].append(place)
    return [tuple(places) for places in by_digest.values() if len(places) > 1]


def near_pairs(pictures: Sequence[Picture], small: near.Small) -> near.Pairs:
    """Near-duplicates among different pictures that show something."""
    seen: set[bytes] = set()
    unique = np.zeros(len(pictures), bool)
    for place, each in enumerate(pictures):
        unique[place] = not each.constant and each.digest not in seen
        seen.add(each.digest)
    return near.near_duplicates(small, unique)


def together(pictures: Sequence[Picture], pairs: near.Pairs) -> np.ndarray:
    """A number for each picture, the same for copies and near-duplicates. Pictures of one colour stay alone."""
    links = [
        (places[0], other) for places in copies_of(pictures) if not pictures[places[0]].constant for other in places
    ]
    first, second = (np.array([pair[side] for pair in links], np.int64) for side in (0, 1))
    return near.groups(len(pictures), np.concatenate([first, pairs.first]), np.concatenate([second, pairs.second]))


def near_sets(pictures: Sequence[Picture], pairs: near.Pairs) -> list[tuple[int, ...]]:
    """Near-duplicates and their copies, as sets; those with a copy in another part or with another label first."""
    group = together(pictures, pairs)
    chosen = set(group[pairs.first].tolist())
    sets: dict[int, list[int]] = defaultdict(list)
    for place in np.isin(group, list(chosen)).nonzero()[0].tolist():
        sets[int(group[place])].append(place)
    return [tuple(places) for places in sets.values()]


def of_labels(doubtful: Doubtful, class_names: Sequence[str], rows: Sequence[int]) -> Finding:
    """Likely wrong labels. `rows` are the positions of the pictures that were judged."""
    details = [
        f"rather {class_names[suggested]}? ({100 * sure:.0f} % to {100 * own:.0f} %)"
        for suggested, sure, own in zip(*(values.tolist() for values in doubtful[1:4]), strict=True)
    ]
    advice = "look at them, the most certain first, and correct the labels that are wrong"
    if doubtful.agreement < WEAK:
        share = f"{100 * doubtful.agreement:.0f} %"
        advice += f"; the networks agree with only {share} of all labels, so many of these doubts are mistakes"
    return Finding(
        kind="doubtful-labels",
        title="labels that are probably wrong",
        advice=advice,
        sets=tuple((rows[place],) for place in doubtful.place.tolist()),
        details=tuple(details),
    )


def _of_copies(pictures: Sequence[Picture], sets: Sequence[tuple[int, ...]]) -> Iterable[Finding]:
    mixed, across, within = _sorted(pictures, sets)
    yield Finding(
        kind="copies-with-other-labels",
        title="the same picture with different labels",
        advice="one of the labels is wrong: correct it",
        sets=tuple(mixed),
    )
    yield Finding(
        kind="copies-in-two-parts", title="the same picture in two parts", advice=LEFT_OUT, sets=tuple(across)
    )
    yield Finding(
        kind="copies",
        title="the same picture twice in one part",
        advice="it counts more than others; unless you want that, delete all but one",
        sets=tuple(within),
    )


def _of_near(pictures: Sequence[Picture], sets: Sequence[tuple[int, ...]]) -> Iterable[Finding]:
    mixed, across, within = _sorted(pictures, sets)
    yield Finding(
        kind="near-duplicates-with-other-labels",
        title="near-duplicates with different labels",
        advice="look at them, and find out which label is right",
        sets=tuple(mixed),
    )
    yield Finding(
        kind="near-duplicates-in-two-parts",
        title="near-duplicates in two parts",
        advice="they make the test too easy: use --write-clean, which leaves them out of training",
        sets=tuple(across),
    )
    yield Finding(
        kind="near-duplicates",
        title="near-duplicates in one part",
        advice="a new split could divide them: use --write-clean, which puts them into one group",
        sets=tuple(within),
    )


def _sorted(
    pictures: Sequence[Picture], sets: Sequence[tuple[int, ...]]
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Sets with several labels, sets in several parts, and the others. A set may be in the first two."""
    mixed = [each for each in sets if len({pictures[place].label for place in each}) > 1]
    across = [each for each in sets if len({pictures[place].part for place in each}) > 1]
    rest = set(sets) - set(mixed) - set(across)
    return (
        [_first_of_each(each, [pictures[place].label for place in each]) for each in mixed],
        [_first_of_each(each, [pictures[place].part for place in each]) for each in across],
        [each for each in sets if each in rest],
    )


def _first_of_each(places: tuple[int, ...], keys: Sequence[str]) -> tuple[int, ...]:
    """The places, those with a new key first: only the first few of a long set are shown."""
    seen: Counter[str] = Counter()
    order = []
    for place, key in zip(places, keys, strict=True):
        order.append((seen[key], place))
        seen[key] += 1
    return tuple(place for _, place in sorted(order, key=lambda each: each[0]))


def _of_classes(pictures: Sequence[Picture], classes: Sequence[str]) -> Iterable[Finding]:
    parts = list(dict.fromkeys(each.part for each in pictures))
    counts = {part: Counter(each.label for each in pictures if each.part == part) for part in parts}
    yield Finding(
        kind="missing-classes",
        title="classes without pictures in a part",
        advice="no score can include them: add pictures, or draw the parts again",
        details=tuple(f"{name} in {part}" for part in parts for name in classes if not counts[part][name]),
    )
    train = counts.get("train", counts.get("all", Counter()))
    yield Finding(
        kind="tiny-classes",
        title=f"classes with fewer than {FEW} training pictures",
        advice="add pictures, or merge them with other classes",
        details=tuple(
            f"{name} {train[name]:,}" for name in sorted(classes, key=lambda name: train[name]) if train[name] < FEW
        ),
    )
    there = {name: train[name] for name in classes if train[name]}
    if there and max(there.values()) > UNBALANCED * min(there.values()):
        least, most = min(there, key=lambda name: there[name]), max(there, key=lambda name: there[name])
        yield Finding(
            kind="unbalanced-classes",
            title="unbalanced classes",
            advice=f"the answer '{most}' for all would be right for {_percent(there[most], sum(there.values()))} of these "
            "pictures: also read balanced accuracy and macro F1, not only accuracy",
            details=(f"{most} {there[most]:,}, {least} {there[least]:,}",),
        )


def _percent(part: int, whole: int) -> str:
    """'90 %'. Only all is written as 100 %."""
    text = f"{100 * part / whole:.0f} %"
    return "over 99 %" if text == "100 %" and part < whole else text


def _of_looks(pictures: Sequence[Picture], looks: quality.Looks) -> Iterable[Finding]:
    constant = np.array([each.constant for each in pictures], bool)
    sizes = np.array([each.size for each in pictures], np.int64).reshape(-1, 2)
    kinds = (
        ("constant", "pictures of one colour", "they teach nothing: delete them", constant),
        ("dark", "very dark pictures", "check whether anything can be seen", quality.dark(looks) & ~constant),
        ("bright", "very bright pictures", "check whether anything can be seen", quality.bright(looks) & ~constant),
        ("blurred", "blurred pictures", "check whether anything can be seen", quality.blurred(looks)),
        ("odd-sizes", "pictures of an odd size", "check that they are what they should be", quality.odd_sizes(sizes)),
    )
    for kind, title, advice, marked in kinds:
        places = marked.nonzero()[0].tolist()
        details = tuple("x".join(map(str, pictures[place].size)) for place in places) if kind == "odd-sizes" else ()
        yield Finding(kind=kind, title=title, advice=advice, sets=tuple((place,) for place in places), details=details)
