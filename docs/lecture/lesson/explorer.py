"""The pages of the package that one clicks through, as a frame inside a notebook. They need no network."""

import html
import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from markupsafe import Markup

from fittingroom import Run, load_data, load_run
from fittingroom.evaluation.pronounce import pronounce
from fittingroom.evaluation.shipped import WEIGHTS
from fittingroom.explain.alignment import align
from fittingroom.explain.explorer import explorer_arrays
from fittingroom.explain.methods import default_method
from fittingroom.report import explorer_pack
from fittingroom.report.alignment import Alignments, Reading, Readings
from fittingroom.report.alignment_page import render_alignment_page
from fittingroom.report.assets import asset, environment, script_hash
from fittingroom.report.explorer import FILE, read_explorer
from fittingroom.report.palette import DARK, LIGHT, css_variables
from fittingroom.tasks.load import load_run as load_saved
from lesson.show import Html

TEMPLATE = Path(__file__).with_name("explorer.html.jinja")
OF_REPORT = "A few test images, each with a map for the first finished run of each model."
HERE = "A few validation images, each with a map for each included network."
SAY_HEIGHT = """
new ResizeObserver(() => {
  parent.postMessage({ height: document.documentElement.getBoundingClientRect().height }, "*");
}).observe(document.body);
"""
"""The page tells the page around it how high it is (docs/_static/site.js), because it cannot be asked."""
SCRIPTS = ("script.js", *(f"explorer{part}.js" for part in ("_maps", "_paint", "_words", "_tiles", "")))


def attention(networks: Sequence[str], index: Sequence[int], *, height: int = 1400) -> Html:
    """The attention explorer for included networks on validation images: click a patch, see where it looks."""
    return frame(attention_page(networks, index), height, f"attention of {', '.join(networks)}")


def attention_page(networks: Sequence[str], index: Sequence[int]) -> str:
    """The explorer as a page of its own."""
    runs = [load_run(name) for name in networks]
    data = load_data("fashion-mnist")
    images, labels = data.val.images.images[list(index)], data.val.images.labels[list(index)]
    normal = torch.stack([data.val[place][0] for place in index])
    looks = [(run, explorer_arrays(run.model, normal, beats_random=_beats_random(run))) for run in runs]
    right = np.array([found["probs"].argmax(axis=1) == labels.numpy() for _, found in looks])
    kinds = np.where(right.all(axis=0), "right", np.where(right.any(axis=0), "disagreement", "mistake"))
    arrays: dict[str, Any] = {
        "images": images[:, 0].numpy(), "labels": labels.numpy(), "index": np.array(index), "kind": kinds,
        "models": np.array(networks),
    }  # fmt: skip
    for place, (_, found) in enumerate(looks):
        arrays |= {f"m{place}_{key}": value for key, value in found.items()}
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / FILE, **arrays)
        explorer = read_explorer(Path(folder), networks, len(data.class_names))
    assert explorer is not None
    titles = [
        Named(name=name, title={"vit": "ViT", "cnn": "CNN"}.get(name, name.capitalize()), family=name)
        for name in networks
    ]
    section = explorer_pack.explorer_section(explorer, titles, data.class_names)
    script = "".join(map(asset, SCRIPTS)) + SAY_HEIGHT
    template = environment().from_string(TEMPLATE.read_text(encoding="utf-8"))
    page = template.render(
        explorer=section,
        light=css_variables(LIGHT),
        dark=css_variables(DARK),
        style=Markup(asset("style.css") + asset("explorer.css")),
        script=Markup(script),
        script_hash=script_hash(script),
    )
    assert OF_REPORT in page, "the report's explorer opens with other words now: change them here too"
    return page.replace(OF_REPORT, HERE)


def _beats_random(run: Run) -> bool | None:
    """Whether the default maps of an included network beat random maps, as recorded; None if it was not measured."""
    recorded = json.loads((WEIGHTS / "faithfulness.json").read_text(encoding="utf-8"))
    return recorded.get(run.name, {}).get(default_method(run.model))


def alignment(network: str, words: Sequence[str], *, height: int = 1090) -> Html:
    """Which letters an included sequence model looks at while it writes each phoneme; choose word, layer and head."""
    saved = load_saved(network, "seq2seq")
    source, target = saved.task.vocabularies  # pyright: ignore[reportAttributeAccessIssue]
    answers = pronounce(saved.model, source, target, list(words))
    found = [
        Reading(alignment=align(saved.model, answer), prob=math.exp(answer.pronunciations[0].log_prob))
        for answer in answers
    ]
    data = Alignments(words=list(words), references=[[] for _ in words], looks=[Readings(place=0, answers=found)])
    return frame(render_alignment_page([network], data), height, f"alignment of {', '.join(words)}")


def frame(page: str, height: int, text: str) -> Html:
    """A whole page as a frame. It runs its own script and can reach nothing."""
    style = f"width: 100%; height: {height}px; border: 1px solid #8886; border-radius: 6px;"
    source = html.escape(page, quote=True)
    return Html(
        f'<iframe sandbox="allow-scripts" title="{text}" style="{style}" srcdoc="{source}"></iframe>', f"[page: {text}]"
    )


@dataclass(frozen=True, kw_only=True)
class Named:
    """What the explorer calls a model."""

    name: str
    title: str
    family: str
