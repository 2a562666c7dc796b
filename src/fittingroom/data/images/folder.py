"""List the pictures in a folder: `CLASS/*`, or `{train,val,test}/CLASS/*`.

Names of files and folders decide; no picture is opened. Hidden files and the litter of file managers are passed over. Links are
followed, but not in circles.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.listing import (
    PART_NAMES,
    Listing,
    Picture,
    check_names,
    counted,
    listed,
    printable,
    table_in,
)

ENDINGS = frozenset(
    {
        ".avif", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".qoi",
        ".tga", ".tif", ".tiff", ".webp",
    }
)  # fmt: skip
LITTER = frozenset({"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin"})
RESULTS = (("explain.json",), ("comparison.json",), ("config.json", "state.json"))
"""What tells a folder of results: it holds all files of one of these lines."""
LAYOUT = "put the pictures of each class into a folder of their own, such as cat/1.jpg and dog/1.jpg"


def list_folder(root: Path) -> Listing:
    """All pictures below `root`. Raises FittingRoomError if there are none, and for a folder that cannot be read."""
    tops, own = _without_results(_folders(str(root)))
    parts = {name: PART_NAMES[name.lower()] for name in tops if name.lower() in PART_NAMES and _has_classes(tops[name])}
    twice = [part for part, count in Counter(parts.values()).items() if count > 1]
    if twice:
        names = " and ".join(sorted(name for name, part in parts.items() if part == twice[0]))
        raise FittingRoomError(f"{printable(str(root))} holds both {names}: keep one, or rename one")
    others: Counter[str] = Counter()
    pictures: list[Picture] = []
    notes = [f"results of this program, so not used: {listed(own)}"] if own else []
    for name, part in parts.items():
        pictures += _classes(str(root), os.path.join(str(root), name), part, others, notes)
    if "train" not in parts.values():
        rest = {name: path for name, path in tops.items() if name not in parts}
        pictures += _of_classes(str(root), rest, "train" if parts else "", others, notes)
    else:
        unused = [name for name in tops if name not in parts and any(_pictures(tops[name], Counter()))]
        if unused:
            notes.append(f"not used, because there is a folder {_named(parts, 'train')}: {listed(unused)}")
    loose = sum(1 for entry in _entries(str(root)) if _is_picture(entry))
    if not pictures:
        raise FittingRoomError(_nothing(root, loose, others))
    if loose:
        notes.append(f"not in a class folder, so not used: {counted(loose, 'picture')}")
    if others:
        notes.append(f"not pictures by their names: {counted_endings(others)}")
    check_names(root, pictures)
    notes += _parts_as_classes({each.label: each for each in pictures}, tops)
    pictures.sort(key=lambda each: (each.part, each.label, each.name))
    return Listing(
        title=printable(root.resolve().name or "pictures"), source=root, pictures=tuple(pictures), notes=tuple(notes)
    )


def _without_results(folders: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """The folders that may be classes, and the names of those with our runs and figures: people train where their data are."""

    def is_ours(path: str) -> bool:
        inside = [path, *(each.path for each in _entries(path) if _is_folder(each))]
        return any(
            all(os.path.isfile(os.path.join(each, name)) for name in names) for each in inside for names in RESULTS
        )

    ours = [name for name, path in folders.items() if is_ours(path)]
    return {name: path for name, path in folders.items() if name not in ours}, ours


def _parts_as_classes(classes: Mapping[str, object], tops: dict[str, str]) -> list[str]:
    """A note if folders that were taken for classes hold the same folders: they may be parts, such as `seg_train`."""
    inner: dict[tuple[str, ...], list[str]] = {}
    for label in classes:
        if label in tops:
            inner.setdefault(_inner(tops[label]), []).append(label)
    return [
        f"{listed(sorted(labels))} were taken as classes, but hold the same folders ({listed(folders)}): if they are parts, "
        "rename them to train, val and test"
        for folders, labels in inner.items()
        if len(folders) > 1 and len(labels) > 1
    ]


def _inner(folder: str) -> tuple[str, ...]:
    """The names of the folders in a folder, or in the only folder in it."""
    found = [each for each in _entries(folder) if _is_folder(each)]
    if len(found) == 1:
        found = [each for each in _entries(found[0].path) if _is_folder(each)]
    return tuple(printable(each.name) for each in found)


def _classes(root: str, folder: str, part: str, others: Counter[str], notes: list[str]) -> Iterator[Picture]:
    loose = sum(1 for entry in _entries(folder) if _is_picture(entry))
    if loose:
        notes.append(f"not in a class folder of {_name(root, folder)}, so not used: {counted(loose, 'picture')}")
    return _of_classes(root, _folders(folder), part, others, notes)


def _of_classes(
    root: str, folders: dict[str, str], part: str, others: Counter[str], notes: list[str]
) -> Iterator[Picture]:
    empty = []
    for label, folder in folders.items():
        number = 0
        for number, path in enumerate(_pictures(folder, others), start=1):  # noqa: B007  (the last number counts)
            yield Picture(path=path, name=_name(root, path), label=label, part=part)
        if not number:
            empty.append(_name(root, folder))
    if empty:
        notes.append(f"no pictures in {listed(empty)}: not counted as {'a class' if len(empty) == 1 else 'classes'}")


def _name(root: str, path: str) -> str:
    return printable(path[len(root) :].lstrip(os.sep)).replace(os.sep, "/")


def _named(parts: dict[str, str], part: str) -> str:
    return next(name for name, each in parts.items() if each == part)


def pictures_in(folder: Path, others: Counter[str]) -> Iterator[Path]:
    """The files in a folder and its subfolders that are named like pictures, in the order of their paths.

    Endings of other files are counted in `others`.
    """
    whole = os.path.abspath(folder)
    return (folder / os.path.relpath(path, whole) for path in sorted(_pictures(whole, others)))


def counted_endings(others: Counter[str]) -> str:
    """`3 files (.heic 2, no ending 1)`."""
    most_first = sorted(others.items(), key=lambda each: (-each[1], each[0]))
    endings = listed([f"{ending or 'no ending'} {count:,}" for ending, count in most_first])
    return f"{counted(sum(others.values()), 'file')} ({endings})"


def _pictures(folder: str, others: Counter[str]) -> Iterator[str]:
    """Paths of the pictures in a folder and its subfolders; endings of other files are counted in `others`."""
    stack = [(folder, frozenset({_identity(os.path.dirname(folder))}))]
    while stack:
        place, above = stack.pop()
        key = _identity(place)
        if key in above:  # a link to a folder that holds it
            continue
        for entry in _entries(place):
            if _is_folder(entry):
                stack.append((entry.path, above | {key}))
            elif _is_picture(entry):
                yield entry.path
            elif _is_file(entry):
                others[os.path.splitext(printable(entry.name))[1].lower()] += 1


def _has_classes(folder: str) -> bool:
    """Whether a folder named like a part holds folders with pictures. One that holds pictures itself is a class."""
    return any(next(_pictures(path, Counter()), None) is not None for path in _folders(folder).values())


def _folders(folder: str) -> dict[str, str]:
    """Printable name -> path of the subfolders, in order."""
    found: dict[str, str] = {}
    for entry in _entries(folder):
        if _is_folder(entry):
            name = printable(entry.name)
            if name in found:
                raise FittingRoomError(
                    f"{printable(folder)} holds two folders whose names look alike, '{name}': rename or merge them"
                )
            found[name] = entry.path
    return found


def _entries(folder: str) -> list["os.DirEntry[str]"]:
    """What a folder holds, without hidden files and litter, in the order of the names."""
    try:
        with os.scandir(folder) as found:
            entries = [each for each in found if not each.name.startswith(".") and each.name.lower() not in LITTER]
    except OSError as error:
        raise FittingRoomError(
            f"{printable(folder)} cannot be read ({error.strerror}): change its permissions, or move it elsewhere"
        ) from error
    return sorted(entries, key=lambda each: each.name)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_picture(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a file, or a link to nothing, that is named like a picture. A link to nothing is reported as unreadable."""
    if os.path.splitext(entry.name)[1].lower() not in ENDINGS:
        return False
    return _is_file(entry) or (entry.is_symlink() and not os.path.exists(entry.path))


def _identity(folder: str) -> tuple[int, int]:
    found = os.stat(folder)
    return found.st_dev, found.st_ino


def _nothing(root: Path, loose: int, others: Counter[str]) -> str:
    where = printable(str(root))
    if loose:
        advice = table_in(root) or f"{LAYOUT}, or add metadata.csv"
        return f"{where} holds {counted(loose, 'picture')}, but no folders that tell their classes: {advice}"
    if others:
        endings = listed([ending or "no ending" for ending, _ in others.most_common()])
        return f"{where} holds no pictures, only other files ({endings}): {LAYOUT}"
    return f"{where} holds no pictures: {LAYOUT}"
