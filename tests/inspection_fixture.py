"""Made-up findings for the tests of pictures: real shapes, random values. Small grey squares, or tall photos in colour."""

from dataclasses import replace
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


LONG_CLASSES = tuple(f"{number:03d}.Black-footed_albatross_of_the_northern_Pacific" for number in range(200))
LONG_NAME = "vit-small-seed0-of-a-long-name"
TALL, TALL_GRID = (64, 40), (8, 5)
"""Height and width of the colour photos, and of the grid of patches on them."""


def photos(num: int = 3) -> Any:
    """Colour images without a plain ground: a slope of colours with a disc."""
    height, width = TALL
    rows, columns = np.mgrid[:height, :width]
    slope = np.stack([rows / height, columns / width, 1 - rows / height], axis=-1)
    made = []
    for number in range(num):
        disc = (rows - 20 - 8 * number) ** 2 + (columns - 18) ** 2 < 120
        made.append(np.where(disc[..., None], [0.9, 0.75, 0.1 * number], 0.15 + 0.7 * slope))
    return (255 * np.stack(made)).astype(np.uint8)


def tall_findings(name: str = LONG_NAME, num: int = 3, **changes: Any) -> Findings:
    """As `findings`, for `photos`: 200 classes, 12 blocks of 6 heads, patches of 8 x 8 pixels in colour."""
    probs = draw(num, len(LONG_CLASSES), seed=3) ** 60
    layers = ["head", "norm", *(f"blocks.{number}" for number in reversed(range(12))), "patch_embed.projection"]
    values: dict[str, Any] = {
        "probs": probs / probs.sum(axis=1, keepdims=True), "saliency": draw(num, *TALL, seed=4),
        "attention": Attention(
            heads=draw(12, 6, *TALL_GRID) / 40, rollout=draw(12, *TALL_GRID) / 40, entropy=3 * draw(12, 6),
            distance=30 * draw(12, 6), even=(3.7, 25.1),
        ),
        "positions": Positions(
            kind="sincos2d", similarity=2 * draw(*TALL_GRID, *TALL_GRID) - 1, neighbours=0.9, mirrored=0.1,
            neighbours_folded=0.95, chance=0.2, chance_folded=0.3,
        ),
        "filters": Filters(bank=draw(28, 3, 8, 8) - 0.5, explained=np.linspace(0.12, 0.01, 28)),
        "faithfulness": Faithfulness(
            scores={method: score(method != "random") for method in METHODS}, layers=layers,
            correlations={method: draw(len(layers), seed=3).tolist() for method in METHODS[:-1]},
        ),
    }  # fmt: skip
    return findings(name, num, **{**values, **changes})


def wide_findings() -> Findings:
    """A large network on wide images: 24 blocks of 16 heads, 12 x 40 patches, filters over strips."""
    rows, columns = np.indices((12, 40))
    near = np.exp(-((rows[:, :, None, None] - rows) ** 2 + (columns[:, :, None, None] - columns) ** 2) / 20)
    attention = Attention(
        heads=draw(24, 16, 12, 40) / 480, rollout=draw(24, 12, 40) / 480, entropy=3 * draw(24, 16),
        distance=30 * draw(24, 16), even=(6.2, 55.0),
    )  # fmt: skip
    return findings(
        "large", saliency=draw(3, 96, 320, seed=4), attention=attention, positions=replace(positions(), similarity=near),
        filters=Filters(bank=draw(20, 1, 3, 7) - 0.5, explained=None),
        faithfulness=replace(
            faithfulness(), layers=[f"vit.encoder.layers.{number}.attention" for number in range(40)],
            correlations={method: draw(40, seed=3).tolist() for method in METHODS[:-1]},
        ),
    )  # fmt: skip


def wide_inspection() -> Inspection:
    """Two classes with short names, grey images of 96 x 320."""
    return Inspection(
        images=(255 * draw(3, 96, 320)).astype(np.uint8), labels=np.array([0, 1, 1]), names=["a.png", "b.png", "c.png"],
        class_names=("ok", "bad", "?", "??"), what="strips", notes=[], networks=[wide_findings()],
    )  # fmt: skip


def tall_inspection(*networks: Findings) -> Inspection:
    networks = networks or (
        tall_findings(),
        tall_findings("resnet50", attention=None, positions=None, title="Grad-CAM"),
    )
    num = len(networks[0].probs)
    return Inspection(
        images=photos(num), labels=np.arange(num), names=[f"a_photo_with_a_rather_long_file_name_{i}.jpg" for i in range(num)],
        class_names=LONG_CLASSES, what="photos", notes=[], networks=list(networks),
    )  # fmt: skip
