"""Check the arrays that `verdict` gets, and bring them to one form. Bad input is one line that names model and seed."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.text import shown

TOLERANCE = 0.01
"""Largest difference from 1 of the sum of an image's probabilities. 16-bit numbers stay within it."""
MOST_NAMES = 10
"""No more class names than this are listed in an error."""


def read_models(probs: Any) -> dict[str, list[NDArray[np.floating]]]:
    """The arrays [images, classes] of each model, one for each seed. Names are stripped and printable, and differ."""
    if not isinstance(probs, Mapping):
        raise FittingRoomError(
            f"the predictions are a {type(probs).__name__}: give a dictionary of models, such as {{'vit': [probs]}}"
        )
    if not probs:
        raise FittingRoomError("no predictions: give at least one model, such as {'vit': [probs]}")
    found: dict[str, list[NDArray[np.floating]]] = {}
    for given, arrays in probs.items():
        name = shown(str(given).strip())
        if not name:
            raise FittingRoomError(f"{given!r} is not the name of a model: names must not be empty")
        if name in found:
            raise FittingRoomError(f"two models have the name '{name}': names must differ")
        found[name] = _seeds(name, list(arrays.values()) if isinstance(arrays, Mapping) else arrays)
    return found


def read_class_names(probs: Mapping[Any, Any], given: Any) -> tuple[Any, ...] | None:
    """The names of the classes, as given, or else as the columns of data frames have them. None if neither has names.

    Raises FittingRoomError if two frames have their columns in different orders, or in another order than the names.
    """
    if isinstance(given, str | set | frozenset | Mapping) or (given is not None and not hasattr(given, "__iter__")):
        raise FittingRoomError(
            f"class_names is a {type(given).__name__}: give a list of names in the order of the columns"
        )
    names = None if given is None else tuple(map(_plain, given))
    first, where = names, "class_names"
    for model, seed, columns in _frames(probs):
        expected = columns if first is None else tuple(map(str, first))
        may_rename = where == "class_names" and sorted(columns) != sorted(expected)
        if columns != expected and not may_rename:
            raise FittingRoomError(
                f"{model}, seed {seed}: the columns ({_listed(columns)}) are in another order than {where} ({_listed(expected)})"
            )
        if first is None:
            first, where = columns, "those before"
    return first


def to_array(given: Any, what: str) -> NDArray[Any]:
    """An array, list, data frame or tensor on any device as a numpy array. Imports neither torch nor pandas."""
    try:
        if hasattr(given, "detach"):  # a tensor; numpy lacks some 16-bit types
            given = given.detach().cpu()
            given = (given.double() if given.is_floating_point() else given).numpy()
        elif hasattr(given, "to_numpy"):
            given = given.to_numpy()
        if np.ma.is_masked(given):
            raise FittingRoomError(f"{what}: some values are masked: give all of them")
        return np.asarray(given)
    except (TypeError, ValueError) as error:
        if isinstance(error, FittingRoomError):
            raise
        raise FittingRoomError(f"{what}: not an array of numbers ({error}): rows must have equal lengths") from error


def read_labels(given: Any, num_classes: int, class_names: Sequence[Any] | None) -> NDArray[np.int64]:
    """The class of each image, as the number of its column."""
    labels = to_array(given, "labels")
    if labels.ndim == 2 and labels.shape[1] == 1:  # one column, as in Keras
        labels = labels.ravel()
    if labels.ndim != 1:
        raise FittingRoomError(f"labels have shape {labels.shape}: give one class number for each image")
    if labels.size == 0:
        raise FittingRoomError("labels are empty: give one class number for each image")
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind == "O" and all(isinstance(each, int | float | np.number) for each in labels):
        labels = labels.astype(np.float64)
    if labels.dtype.kind in "UO":
        return _named_labels(labels.tolist(), class_names)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        place = int(np.flatnonzero(~np.isfinite(labels))[0])
        raise FittingRoomError(
            f"labels: {labels[place]} at position {place} is no class: leave this image out everywhere"
        )
    with np.errstate(invalid="ignore"):  # numbers too large for 64 bits are no classes
        numbers = labels.astype(np.int64) if labels.dtype.kind in "iubf" else None
    if numbers is None or not np.array_equal(numbers, labels):
        raise FittingRoomError(f"labels are {labels.dtype}: give whole class numbers from 0 to {num_classes - 1}")
    return _numbered_labels(numbers, num_classes, class_names)


def read_groups(given: Any, num_images: int) -> NDArray[np.int64]:
    """The group of each image as a number. A missing value is no group, so it is refused."""
    # As objects: beside texts, numpy would turn a missing number into the text 'nan'.
    found = to_array(np.array(given, dtype=object) if isinstance(given, list | tuple) else given, "groups")
    found = found.ravel() if found.shape == (num_images, 1) else found
    if found.shape != (num_images,):
        raise FittingRoomError(f"groups have shape {found.shape}: give one for each of the {num_images} images")
    numbers: dict[Hashable, int] = {}
    values = found.tolist()
    for place, value in enumerate(values):
        if _is_missing(value):
            raise FittingRoomError(
                f"groups: no value at position {place}: an image without a group needs one of its own"
            )
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.int64)


def check_shapes(found: Mapping[str, Sequence[NDArray[Any]]], class_names: Sequence[Any] | None) -> int:
    """The number of classes. Raises FittingRoomError if arrays or class names differ in it."""
    widths = {f"{name}, seed {seed}": each.shape[1] for name, seeds in found.items() for seed, each in enumerate(seeds)}
    first, num_classes = next(iter(widths.items()))
    for where, width in widths.items():
        if width != num_classes:
            raise FittingRoomError(
                f"{where}: {width} classes, but {first} has {num_classes}: all must predict the same classes"
            )
    if class_names is not None:
        if len(class_names) != num_classes:
            raise FittingRoomError(
                f"{len(class_names)} class_names for {num_classes} classes: give one for each column"
            )
        twice, times = Counter(map(str, class_names)).most_common(1)[0]
        if times > 1:
            raise FittingRoomError(f"class_names has '{twice}' twice: names must differ")
    return num_classes


def check_probs(array: NDArray[np.floating], num_images: int, where: str) -> None:
    """Raise FittingRoomError unless the array holds the probabilities of this many images."""
    if len(array) != num_images:
        raise FittingRoomError(f"{where}: {len(array)} rows of probabilities for {num_images} labels")
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if bad.size:
        raise FittingRoomError(f"{where}: row {bad[0]} holds NaN or infinity ({bad.size} such rows)")
    sums = array.sum(axis=1, dtype=np.float64)
    bad = np.flatnonzero((array < -TOLERANCE).any(axis=1) | (array > 1 + TOLERANCE).any(axis=1))
    if bad.size:
        row = array[bad[0]]
        value = row.min() if row.min() < 0 else row.max()
        is_percent = array.min() >= 0 and np.abs(sums - 100).max() <= 1
        mend = "percentages must be divided by 100" if is_percent else "logits need a softmax"
        raise FittingRoomError(
            f"{where}: {value:.4g} in row {bad[0]} is not a probability: {mend} ({bad.size} such rows)"
        )
    bad = np.flatnonzero(np.abs(sums - 1) > TOLERANCE + 1e-6)  # 0.99 is within 0.01, whatever its last bit
    if bad.size:
        raise FittingRoomError(
            f"{where}: the probabilities of row {bad[0]} sum to {sums[bad[0]]:.4g}, not to 1 within {TOLERANCE:g} "
            f"({bad.size} such rows)"
        )


def check_same_rows(probs: Mapping[Any, Any], labels: Any) -> None:
    """Raise FittingRoomError if data frames and labels have the same row names in different orders, as after a shuffle."""
    expected = _row_names(labels)
    for model, given in probs.items():
        for seed, each in enumerate(_each_seed(given)):
            rows = _row_names(each)
            if rows and expected and rows != expected and sorted(rows) == sorted(expected):
                raise FittingRoomError(
                    f"{model}, seed {seed}: its rows are in another order than the labels (row 0 is '{rows[0]}', label 0 is "
                    f"'{expected[0]}'): sort both alike"
                )


def _seeds(name: str, given: Any) -> list[NDArray[np.floating]]:
    """One array [images, classes] for each seed. `given` is one array, several arrays, or a stack of them."""
    several = isinstance(given, list | tuple) and (not given or not _is_number(_first(given[0])))
    arrays = [to_array(each, f"{name}, seed {seed}") for seed, each in enumerate(given)] if several else []
    if not several:
        whole = to_array(given, name)
        arrays = list(whole) if whole.ndim == 3 else [whole]
    if not arrays:
        raise FittingRoomError(f"{name} has no predictions: give one array for each seed")
    for seed, array in enumerate(arrays):
        if array.ndim != 2 or array.dtype.kind not in "fiub":
            raise FittingRoomError(
                f"{name}, seed {seed}: expected numbers of shape [images, classes], got {array.dtype} {array.shape}"
            )
        if array.shape[1] < 2:
            raise FittingRoomError(
                f"{name}, seed {seed}: {array.shape[1]} column of probabilities: give one for each class, even for two classes"
            )
    # A copy, so that later changes of the caller's arrays change no result. 32 bits stay 32 bits: they may be large.
    return [array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64) for array in arrays]


def _each_seed(given: Any) -> list[Any]:
    if isinstance(given, Mapping):
        return list(given.values())
    return list(given) if isinstance(given, list | tuple) else [given]


def _frames(probs: Mapping[Any, Any]) -> list[tuple[Any, int, tuple[str, ...]]]:
    """Model, seed and column names of each data frame whose columns are named, not just counted."""
    found = []
    for model, given in probs.items():
        for seed, each in enumerate(_each_seed(given)):
            if hasattr(each, "to_numpy") and hasattr(each, "columns"):
                columns = tuple(str(column).strip() for column in each.columns)
                if columns != tuple(map(str, range(len(columns)))):
                    found.append((model, seed, columns))
    return found


def _row_names(given: Any) -> list[str]:
    """The names of the rows of a data frame or series; none if they are only counted."""
    if not (hasattr(given, "to_numpy") and hasattr(given, "index")):
        return []
    names = [str(each) for each in given.index]
    return [] if names == list(map(str, range(len(names)))) else names


def _plain(name: Any) -> Any:
    """The name of a class as labels have it: text for bytes, a whole number for 3.0."""
    if isinstance(name, bytes):
        return name.decode("utf-8", "replace")
    return int(name) if isinstance(name, float) and name.is_integer() else name


def _is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, or pandas.NA, which compares with nothing."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        return True


def _first(given: Any) -> Any:
    """The first entry of a list or tuple; anything else unchanged."""
    return given[0] if isinstance(given, list | tuple) and given else given


def _is_number(given: Any) -> bool:
    """Whether `given` is a number. A row of numbers begins with one; a list of rows does not."""
    return isinstance(given, int | float | np.number)


def _numbered_labels(
    numbers: NDArray[np.int64], num_classes: int, class_names: Sequence[Any] | None
) -> NDArray[np.int64]:
    """Numbers of columns, or classes whose names are numbers, such as 3, 5 and 8. Raises FittingRoomError if both fit."""
    columns = {_whole(name): column for column, name in enumerate(class_names or ())}
    are_columns = bool(((numbers >= 0) & (numbers < num_classes)).all())
    if class_names is not None and None not in columns and set(numbers.tolist()) <= set(columns):
        named = np.array([columns[number] for number in numbers.tolist()], dtype=np.int64)
        if are_columns and not np.array_equal(named, numbers):
            raise FittingRoomError(
                f"labels such as {numbers[0]} can be numbers of columns or names of classes ({_listed(class_names)}): give "
                "class_names that are no numbers, or leave class_names out"
            )
        return named
    if not are_columns:
        place = int(np.flatnonzero((numbers < 0) | (numbers >= num_classes))[0])
        hint = ": numbers begin at 0, not at 1" if numbers.min() == 1 and numbers.max() == num_classes else ""
        raise FittingRoomError(
            f"labels: {numbers[place]} at position {place} is outside 0 to {num_classes - 1}, the columns of the probabilities"
            f"{hint}"
        )
    return numbers


def _whole(name: Any) -> int | None:
    """The number that a class is named by, such as 3 or '3'. None if its name is no number."""
    try:
        return int(str(name).strip())
    except ValueError:
        return None


def _named_labels(names: list[Any], class_names: Sequence[Any] | None) -> NDArray[np.int64]:
    if class_names is None:
        raise FittingRoomError(
            f"labels are names such as '{names[0]}': give class_names in the order of the columns of the probabilities"
        )
    numbers = {str(name): number for number, name in enumerate(class_names)}
    unknown = next((name for name in names if str(name) not in numbers), None)
    if unknown is not None:
        raise FittingRoomError(f"labels: '{unknown}' is not one of class_names ({_listed(class_names)})")
    return np.array([numbers[str(name)] for name in names], dtype=np.int64)


def _listed(names: Sequence[Any]) -> str:
    """'cat, dog, eel', or the first ten and how many more."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(map(str, names[:MOST_NAMES])) + more
