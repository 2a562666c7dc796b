"""The ways to draw what a network looks at, in words: names, titles, captions. Needs no torch; methods.py does the work."""

from dataclasses import dataclass

from fittingroom.core.errors import FittingRoomError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to make a map."""

    name: str
    title: str
    caption: str
    """One sentence for under the picture: what it shows, and what it does not."""
    families: tuple[str, ...]
    """Of networks that it can explain: vit, cnn, hybrid."""


_TOKENS = ("vit", "hybrid")
_ALL = ("vit", "cnn", "hybrid")
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="attention",
            title="Last attention",
            caption="Where the last block's attention goes, averaged over its heads: what is gathered there, not what "
            "decides the answer.",
            families=_TOKENS,
        ),
        Method(
            name="rollout",
            title="Attention rollout",
            caption="Attention followed through all blocks, skip connections counted: where information can come from; it "
            "would be the same for any class.",
            families=_TOKENS,
        ),
        Method(
            name="relevance",
            title="Relevance",
            caption="Attention weighted by how much more of it would raise this class's score, through all blocks: what "
            "speaks for the class, not what speaks against it.",
            families=_TOKENS,
        ),
        Method(
            name="gradcam",
            title="Grad-CAM",
            caption="Where the last feature maps raise this class's score: a coarse grid, smoothed over the image, and "
            "nothing of what speaks against the class.",
            families=_ALL,
        ),
        Method(
            name="random",
            title="Random map",
            caption="Random numbers on the same grid: the baseline that an explanation has to beat.",
            families=_ALL,
        ),
    )
}


def caption(method: str, beats_random: bool | None = None) -> str:
    """The sentence for under a map. `beats_random` is what `faithfulness.score` found, None where nobody has measured."""
    sentence = METHODS[check_method(method)].caption
    if beats_random is False:
        return f"{sentence} By deletion and insertion together it is not shown to do better here than a random map."
    return sentence


def check_method(method: str) -> str:
    """The name itself, or FittingRoomError that names the nearest one."""
    if method not in METHODS:
        raise FittingRoomError(f"unknown method '{method}': {did_you_mean(method, METHODS)}")
    return method
