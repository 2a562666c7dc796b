"""Findings of networks that nobody trained, for the tests of pictures: shapes as real ones, values drawn by chance."""

from typing import Any

import numpy as np

from fittingroom.explain.findings import Attention, Faithfulness, Filters, Findings, Inspection, Positions

CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Ankle boot")
METHODS = ("attention", "rollout", "relevance", "gradcam", "random")


def draw(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def images(num: int = 3, colour: bool = False) -> Any:
    return (255 * draw(num, 28, 28, *([3] if colour else []), seed=9)).astype(np.uint8)


def score(beats: bool = True, num_images: int = 1000) -> dict[str, Any]:
    point = {"mean": 0.3, "low": 0.25, "high": 0.35}
    curve = {"mean": [0.9, 0.5, 0.1], "low": [0.8, 0.4, 0.05], "high": [0.95, 0.6, 0.2]}
    return {
        "deletion": point, "insertion": point, "curves": {"deletion": curve, "insertion": curve},
        "deletion_minus_random": {**point, "beats_random": beats}, "insertion_minus_random": {**point, "beats_random": beats},
        "beats_random": beats, "num_images": num_images, "steps": 2, "fill": "mean", "num_random": 1,
    }  # fmt: skip


def faithfulness() -> Faithfulness:
    layers = ["head", "norm", "blocks.1", "blocks.0", "patch_embed"]
    return Faithfulness(
        scores={method: score(method not in ("random", "gradcam")) for method in METHODS},
        layers=layers,
        correlations={method: draw(5, seed=number).tolist() for number, method in enumerate(METHODS[:-1])},
    )


def positions(mirrored: float = 0.0) -> Positions:
    return Positions(
        kind="learned", similarity=2 * draw(7, 7, 7, 7) - 1, neighbours=0.5, mirrored=mirrored, neighbours_folded=0.98,
        chance=0.13, chance_folded=0.23,
    )  # fmt: skip


def findings(name: str = "vit", num: int = 3, **changes: Any) -> Findings:
    probs = draw(num, 4, seed=3)
    values: dict[str, Any] = {
        "name": name, "probs": probs / probs.sum(axis=1, keepdims=True), "method": "relevance", "title": "Relevance",
        "caption": "What speaks for the class.", "saliency": draw(num, 28, 28, seed=4), "faithfulness": None,
        "attention": Attention(
            heads=draw(4, 4, 7, 7), rollout=draw(4, 7, 7), entropy=3 * draw(4, 4), distance=20 * draw(4, 4), even=(3.9, 14.6)
        ),
        "positions": positions(), "filters": Filters(bank=draw(16, 1, 4, 4) - 0.5, explained=np.linspace(0.12, 0.01, 16)),
    }  # fmt: skip
    return Findings(**{**values, **changes})


def inspection(*networks: Findings, labels: bool = True) -> Inspection:
    networks = networks or (findings(),)
    num = len(networks[0].probs)
    return Inspection(
        images=images(num), labels=np.arange(num) % 4 if labels else None, names=[f"test image {i}" for i in range(num)],
        class_names=CLASSES, what="three test images", notes=["a note"], networks=list(networks),
    )  # fmt: skip
