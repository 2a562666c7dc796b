"""`explain`: show what networks look at, as figures and arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fittingroom.api.runs import Run
from fittingroom.api.settings import whole
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.torch_settings import usual_torch
from fittingroom.explain.findings import Findings, Inspection
from fittingroom.explain.inspect import Question, inspect
from fittingroom.tasks.classification.predict import new_images
from fittingroom.tasks.load import load_run


@dataclass(frozen=True)
class Explanation:
    """The explanations of one or several networks for the same images."""

    inspection: Inspection
    """All arrays, one `Findings` per network: probs, saliency, attention, positions, filters."""

    @property
    def saliency(self) -> dict[str, Any]:
        """Network name -> maps [images, height, width]; larger values are more important."""
        return {each.name: each.saliency for each in self.inspection.networks}

    @property
    def findings(self) -> list[Findings]:
        """One `Findings` per network."""
        return self.inspection.networks

    @cached_property
    def figures(self) -> dict[str, Any]:
        """Name -> matplotlib Figure: the images with every network's map, then each network's own pictures."""
        from fittingroom.report.inspection import pictures

        return pictures(self.inspection)

    def save(self, folder: str | Path, formats: Sequence[str] | str = ("png",)) -> list[Path]:
        """Write all figures and explain.json into `folder` and return their paths.

        Raises FittingRoomError if the folder holds pictures for other networks, images or options.
        """
        from fittingroom.report.inspection import write_inspection

        named = formats.split(",") if isinstance(formats, str) else formats
        return write_inspection(self.inspection, Path(folder), list(named), ["fittingroom.explain(...)"])

    def __repr__(self) -> str:
        names = ", ".join(each.name for each in self.inspection.networks)
        notes = "".join(f"; note: {note}" for note in self.inspection.notes)
        return f"Explanation({self.inspection.what}; {names}{notes})"

    def _repr_png_(self) -> bytes:
        return self.figures["panel"]._repr_png_()


@usual_torch()
def explain(
    runs: Any = None,
    images: Any = None,
    *,
    method: str | None = None,
    target: str | int | None = None,
    index: int | None = None,
    mistakes: int | None = None,
    disagreements: int | None = None,
    split: str = "val",
    faithfulness: int = 0,
    data_dir: str | Path | None = None,
) -> Explanation:
    """Show where one or several networks look.

    `runs` is a run, its folder, the name of an included network, or a list of these (default: vit, hybrid and cnn). `images` are
    as for `Run.predict`. Instead of `images`, choose from the `split`: image `index`, the most confident `mistakes`, or
    `disagreements`; the default is one image per class. `method` is attention, rollout, relevance, gradcam or random.
    `target` is the class that the maps explain, by name or number; the default is the one that each network predicts.
    `faithfulness=N` tests on N images whether the maps mean something. Raises FittingRoomError for bad input.
    """
    if isinstance(runs, list | tuple) and not runs:
        raise FittingRoomError("the list of runs is empty: give runs, their folders, or names of included networks")
    several: list[Any] = list(runs) if isinstance(runs, list | tuple) else [] if runs is None else [runs]
    for each in several:
        if not isinstance(each, Run | str | Path):
            raise FittingRoomError(
                f"explain does not accept type {type(each).__name__}: give runs, their folders, or names of included networks; "
                "fittingroom.plot draws networks in memory"
            )
    names = tuple(str(each.folder) if isinstance(each, Run) else str(each) for each in several)
    asked = {"index": index, "mistakes": mistakes, "disagreements": disagreements}
    chosen = [name for name, value in asked.items() if value is not None]
    if len(chosen) + (images is not None) > 1:
        raise FittingRoomError("choose one of images, index, mistakes, disagreements")
    if split not in ("val", "test"):
        raise FittingRoomError(f"unknown split '{split}': choose val or test")
    kind: Any = chosen[0] if chosen else "examples" if images is None else "given"
    given = None
    if images is not None:
        given = new_images(images, load_run(names[0] if names else "vit", "classification").task.spec)
    question = Question(
        runs=names,
        kind=kind,
        number=whole(asked[chosen[0]], chosen[0]) if chosen else 0,
        given=None if given is None else given.images.images,
        given_names=() if given is None else tuple(given.names),
        given_notes=() if given is None else tuple(given.notes),
        target=target,
        method=method,
        split=split,  # type: ignore[arg-type]
        faithfulness=whole(faithfulness, "faithfulness"),
        data_dir=None if data_dir is None else Path(data_dir),
    )
    return Explanation(inspect(question))
