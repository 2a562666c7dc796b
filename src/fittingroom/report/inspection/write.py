"""Write all pictures of an inspection, and the numbers in them, into one folder."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom import __version__
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_folder
from fittingroom.core.rundir import make_folder, read_json, write_json
from fittingroom.core.text import file_name, shown
from fittingroom.explain.findings import Faithfulness, Findings, Inspection
from fittingroom.report import numbers
from fittingroom.report.inspection.attention import head_statistics, heads, rollout_steps
from fittingroom.report.inspection.faithfulness import TITLES, faithfulness, randomisation
from fittingroom.report.inspection.panel import Column, panel
from fittingroom.report.inspection.places import filters, position_tiles
from fittingroom.report.inspection.style import FORMATS, Picture, check_formats, save


def write_inspection(
    inspection: Inspection, folder: Path, formats: Sequence[str] = FORMATS, command: Sequence[str] = ()
) -> list[Path]:
    """Write `panel`, each network's own pictures (`NETWORK-heads.png`, ...) and last `explain.json`. Returns the paths.

    Raises FittingRoomError if the folder holds pictures for other networks, images or options.
    """
    check_formats(formats)
    _check_question(make_folder(folder), inspection.question)
    paths: list[Path] = []
    for name, picture in pictures(inspection).items():
        paths += save(picture, folder, name, formats)
    path = folder / "explain.json"
    write_json(path, record(inspection, command))
    return [*paths, path]


def own_folder(folder: Path, inspection: Inspection) -> Path:
    """`folder` if it is new, or holds pictures of the same question; else the first of `folder-2`, `folder-3`, ... to be so."""
    make_folder(folder.parent)
    for place in _numbered(folder):
        with suppress(FileExistsError):
            place.mkdir()
            return place
        if _asked(place) == inspection.question:
            return place
    raise AssertionError("unreachable")


def check_place(out: Path | None, default: Path, question: dict[str, Any]) -> None:
    """Raise FittingRoomError if pictures of this question cannot be written to `out`; without it, to `own_folder(default)`.

    Makes nothing, so that a command can ask before its work begins.
    """
    if out is not None:
        check_folder(out)
        _check_question(out, question)
        return
    check_folder(default.parent)
    check_folder(
        next(each for each in _numbered(default) if not os.path.lexists(each) or _asked(each) == question),
    )


def _numbered(folder: Path) -> Iterator[Path]:
    """`folder`, `folder-2`, `folder-3`, ..."""
    yield folder
    yield from (folder.with_name(f"{folder.name}-{number}") for number in count(2))


def _check_question(folder: Path, question: dict[str, Any]) -> None:
    if _asked(folder) not in (None, question):
        raise FittingRoomError(
            f"{shown(str(folder))} holds pictures for other networks, images or options: choose another folder, or delete "
            "this one"
        )


def _asked(folder: Path) -> dict[str, Any] | None:
    """The question whose pictures are in the folder; None if it holds no explain.json."""
    path = folder / "explain.json"
    return read_json(path).get("question", {}) if os.path.isfile(path) else None  # False in a folder that is closed


def pictures(inspection: Inspection) -> dict[str, Picture]:
    """Every picture, by its file name without the ending."""
    made = {
        "panel": panel(
            inspection.images, _truths(inspection), [_column(inspection, each) for each in inspection.networks]
        )
    }
    for found in inspection.networks:
        made |= {f"{file_name(found.name)}-{name}": picture for name, picture in _own(inspection, found).items()}
    return made


def record(inspection: Inspection, command: Sequence[str] = ()) -> dict[str, Any]:
    """The contents of `explain.json`."""
    files = inspection.files or [""] * len(inspection.names)
    return {
        "version": __version__,
        "command": list(command),
        "question": inspection.question,
        "what": inspection.what,
        "notes": inspection.notes,
        "images": [
            {"name": name, "label": truth or None, **({"file": file} if file else {})}
            for name, truth, file in zip(inspection.names, _truths(inspection), files, strict=True)
        ],
        "networks": [_record_of(inspection, found) for found in inspection.networks],
    }


def _own(inspection: Inspection, found: Findings) -> dict[str, Picture]:
    """The pictures of one network. Those of attention show the first image."""
    image, name = inspection.images[0], inspection.names[0]
    made: dict[str, Picture] = {}
    if found.attention is not None:
        attention = found.attention
        num_tokens = round(math.exp(attention.even[0]))  # even attention has the entropy ln N
        made["heads"] = heads(image, attention.heads, f"{found.name}: every head on {name}", num_tokens)
        made["rollout"] = rollout_steps(
            image, attention.rollout, f"{found.name}: attention rollout on {name}", num_tokens
        )
        made["head-statistics"] = head_statistics(
            attention.entropy,
            attention.distance,
            attention.even,
            f"{found.name}: how widely and how far its heads attend",
        )
    if found.positions is not None:
        made["positions"] = position_tiles(found.positions, f"{found.name}: similarity of its positions")
    if found.filters is not None:
        bank, explained = found.filters.bank, found.filters.explained
        what = "filters of the first layer" if explained is None else "main patterns of the patch filters"
        made["filters"] = filters(bank, f"{found.name}: {what}", explained)
    if found.faithfulness is not None:
        made["faithfulness"] = faithfulness(
            _titled(found.faithfulness.scores), f"{found.name}: do its maps find what its answer depends on?"
        )
        made["randomisation"] = randomisation(
            found.faithfulness.layers,
            _titled(found.faithfulness.correlations),
            f"{found.name}: do its maps change with its weights?",
        )
    return made


def _column(inspection: Inspection, found: Findings) -> Column:
    answers = found.probs.argmax(axis=1)
    right = (
        [None] * len(answers) if inspection.labels is None else [bool(each) for each in answers == inspection.labels]
    )
    return Column(
        title=found.name,
        method=found.title,
        caption=found.caption,
        maps=found.saliency,
        predicted=[inspection.class_names[answer] for answer in answers],
        probs=found.probs.max(axis=1),
        right=right,
        explained=[]
        if found.target is None
        else [
            f"map: {inspection.class_names[found.target]} {numbers.probability(float(share))}"
            for share in found.probs[:, found.target]
        ],
    )


def _truths(inspection: Inspection) -> list[str]:
    if inspection.labels is None:
        return [""] * len(inspection.images)
    return [inspection.class_names[label] for label in inspection.labels]


def _titled(by_method: dict[str, Any]) -> dict[str, Any]:
    return {TITLES.get(method, method): each for method, each in by_method.items()}


def _record_of(inspection: Inspection, found: Findings) -> dict[str, Any]:
    answers = found.probs.argmax(axis=1)
    values: dict[str, Any] = {
        "name": found.name,
        "method": found.method,
        "caption": found.caption,
        "predicted": [inspection.class_names[answer] for answer in answers],
        "probs": _rounded(found.probs),
    }
    if found.attention is not None:
        entropy, distance = (_rounded(each) for each in (found.attention.entropy, found.attention.distance))
        values |= {"attention_entropy_nats": entropy, "attention_distance_pixels": distance}
        values["even_attention"] = {"entropy_nats": found.attention.even[0], "distance_pixels": found.attention.even[1]}
    if found.positions is not None:
        kept = ("kind", "neighbours", "mirrored", "neighbours_folded", "chance", "chance_folded")
        values["positions"] = {key: getattr(found.positions, key) for key in kept}
    if found.filters is not None and found.filters.explained is not None:
        values["explained_variance"] = _rounded(found.filters.explained)
    if found.faithfulness is not None:
        values["faithfulness"] = _faithfulness_record(found.faithfulness)
    return values


def _faithfulness_record(found: Faithfulness) -> dict[str, Any]:
    return {
        "scores": found.scores,
        "randomised_layers": found.layers,
        "rank_correlations": found.correlations,
    }


def _rounded(values: np.ndarray) -> Any:
    """Rounded to five decimals: the rest is noise."""
    return np.round(values.astype(np.float64), 5).tolist()
