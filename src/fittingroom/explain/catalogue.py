"""The methods that make a map: names, titles, captions. No torch here; methods.py does the work."""

from dataclasses import dataclass

from fittingroom.core.errors import FittingRoomError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to make a map."""

    name: str
    title: str
    caption: str
    """One sentence below the picture: what it shows, and what it does not."""
    families: tuple[str, ...]
    """The families of networks it can explain: vit, cnn, hybrid."""
    of_a_class: bool
    """Whether its maps differ from class to class."""


_TOKENS = ("vit", "hybrid")
_ALL = ("vit", "cnn", "hybrid")
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="attention",
            title="Last attention",
            caption="The attention of the last block, averaged over its heads: where information is gathered, not what "
            "decides the answer.",
            families=_TOKENS,
            of_a_class=False,
        ),
        Method(
            name="rollout",
            title="Attention rollout",
            caption="Attention through all blocks, skip connections included: where information can come from. It is the "
            "same for every class.",
            families=_TOKENS,
            of_a_class=False,
        ),
        Method(
            name="relevance",
            title="Relevance",
            caption="Attention through all blocks, weighted by how much more of it would raise the score of this class: "
            "evidence for the class, not against it.",
            families=_TOKENS,
            of_a_class=True,
        ),
        Method(
            name="gradcam",
            title="Grad-CAM",
            caption="Where the last feature maps raise the score of this class, on a coarse grid smoothed over the image: "
            "evidence for the class, not against it.",
            families=_ALL,
            of_a_class=True,
        ),
        Method(
            name="random",
            title="Random map",
            caption="Random numbers on the same grid: the baseline that every method has to beat.",
            families=_ALL,
            of_a_class=False,
        ),
    )
}


def caption(method: str, beats_random: bool | None = None) -> str:
    """The sentence below a map. `beats_random` is the result of `faithfulness.score`, None if it was not measured."""
    sentence = METHODS[check_method(method)].caption
    if beats_random is False:
        return f"{sentence} By deletion and insertion, it is not shown to do better here than a random map."
    return sentence


def check_method(method: str) -> str:
    """Return the name. Raises FittingRoomError with the nearest known name if it is unknown."""
    if not isinstance(method, str) or method not in METHODS:
        raise FittingRoomError(f"unknown method '{method}': {did_you_mean(str(method), METHODS)}")
    return method
