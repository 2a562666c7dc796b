"""The contenders of the races, as plain data that a worker process receives as JSON (`measure.py` builds them)."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

SIDE, CHANNELS, CLASSES = 28, 1, 10
DIM, DEPTH, HEADS, PATCH = 192, 6, 3, 4
SHAPE = {"embed_dim": DIM, "depth": DEPTH, "num_heads": HEADS, "patch_size": PATCH}
"""The shape of all networks, in our names: 49 tokens (50 with a class token), 2.7 million parameters."""

EPOCH_IMAGES, VALIDATION_IMAGES = 2816, 100
"""Images in the race over a whole epoch: a twentieth of the training images, in whole batches of 128."""

Kind = Literal["ours", "plain", "peer", "fit", "usual script"]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One side of a race. `plain`, `peer` and `usual script` take the fields below `batch_size` that suit them."""

    name: str
    """Its name in the tables, unique in its race."""
    kind: Kind
    """ours: the step of `fit`; plain: our network with the textbook step; peer: a library's network with the textbook step."""
    model: str = "vit"
    """ours and plain: a variant of ours; peer: the library."""
    shape: tuple[tuple[str, Any], ...] = tuple(SHAPE.items())
    """ours and plain: settings of the variant."""
    batch_size: int = 128
    """Images per step."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 is autocast, weights in fp32."""
    attention: Literal["as it comes", "explicit"] = "as it comes"
    """explicit: the library's own option to avoid torch's fused kernel."""
    compile: bool = False
    """Whether torch.compile is used."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """ours: which of our two optimizers; the others always take torch's AdamW."""
    plan: tuple[tuple[str, Any], ...] = ()
    """ours and fit: the speed plan."""
    core: int | None = None
    """The only core that it may use; default: all."""
    images: int = EPOCH_IMAGES
    """fit and usual script: training images of an epoch."""

    @property
    def in_peers_environment(self) -> bool:
        """Whether it needs libraries that only .venv-peers has."""
        return self.kind in ("peer", "usual script")

    @property
    def tuned(self) -> bool:
        """Whether it gets every speedup of the textbook step: bf16, a fused optimizer, and freed memory is kept."""
        return self.kind in ("plain", "peer") and self.precision == "bf16"

    @property
    def setting(self) -> str:
        """The options as text, such as `bf16, explicit attention, compiled`."""
        plan = dict(self.plan)
        attention = plan.get("attention", self.attention) if self.model != "cnn" else "as it comes"
        words = [plan.get("precision", self.precision)]
        words += [f"{attention} attention"] if attention != "as it comes" else []
        words += ["compiled"] if plan.get("compile", self.compile) else []
        return ", ".join(words)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the worker and the record."""
        return {**asdict(self), "shape": dict(self.shape), "plan": dict(self.plan)}


def from_dict(values: dict[str, Any]) -> Contender:
    """The contender that `to_dict` described."""
    pairs = {key: tuple(values[key].items()) for key in ("shape", "plan")}
    return Contender(**{**values, **pairs})


LIBRARIES = {
    "timm": "timm",
    "transformers": "Hugging Face",
    "torchvision": "torchvision",
    "vit-pytorch": "vit-pytorch",
}
"""Package on PyPI -> name in tables."""
CAN_SWITCH_ATTENTION = ("timm", "transformers")
"""torchvision's `nn.MultiheadAttention` is always fused; vit-pytorch's SimpleViT never is."""


def peers(library: str, batch_size: int) -> list[Contender]:
    """A library with its defaults (fp32, eager) and with each combination of speedups. The fastest is its best."""
    attention: Literal["as it comes", "explicit"] = "explicit" if library in CAN_SWITCH_ATTENTION else "as it comes"
    settings: list[dict[str, Any]] = [{}, {"precision": "bf16"}, {"precision": "bf16", "compile": True}]
    if attention == "explicit":
        settings += [{**each, "attention": attention} for each in settings[1:]]
    contenders = []
    for each in settings:
        bare = Contender(name="", kind="peer", model=library, batch_size=batch_size, **each)
        contenders.append(renamed(bare, f"{LIBRARIES[library]}, {bare.setting}"))
    return contenders


def ours(name: str, plan: dict[str, Any], **settings: Any) -> Contender:
    """The step of `fit` under a plan."""
    return Contender(name=name, kind="ours", plan=tuple(plan.items()), **settings)


def renamed(contender: Contender, name: str) -> Contender:
    """The same contender under another name."""
    return from_dict({**contender.to_dict(), "name": name})
