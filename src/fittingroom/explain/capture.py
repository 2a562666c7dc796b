"""The attention weights of any network while it runs: ours, or one that calls torch's fused attention (timm, Hugging Face).

Our networks keep their weights on request. For other networks, two functions of torch are intercepted, whoever calls them and
however they were imported: `scaled_dot_product_attention` and the `multi_head_attention_forward` of `nn.MultiheadAttention`.
The weights are computed from the arguments of the call (equation 1 of "Attention Is All You Need", arXiv 1706.03762), and the
output from the weights. Module names are only labels.
"""

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.eval_mode import as_input, chunks, eval_mode, uncompiled, unwrapped
from fittingroom.models.layers.attention import ONE_AT_A_TIME, AttentionCore
from fittingroom.models.layers.attention import capture_attention as capture_ours


@contextmanager
def capture_attention(model: nn.Module, *, keep_graph: bool = False) -> Iterator[dict[str, list[Tensor]]]:
    """Inside this block, every forward pass of `model` keeps its weights: module name -> one (B, H, N, M) tensor per call.

    The dictionary is filled when the block ends, with modules in the order in which they ran. Weights are at least float32, and
    taken before dropout. Inside the block, compiled networks run uncompiled. With `keep_graph` you can differentiate the outputs
    with respect to the weights. Raises FittingRoomError if nothing was caught.
    """
    network: nn.Module = unwrapped(model)
    weights: dict[str, list[Tensor]] = {}
    if any(isinstance(module, AttentionCore) for module in network.modules()):
        with ONE_AT_A_TIME, uncompiled(), capture_ours(network, keep_graph=keep_graph) as caught:
            yield weights
    else:
        with ONE_AT_A_TIME, uncompiled(), _intercepting(network, keep_graph) as caught:
            yield weights
    weights.update({name.replace("_orig_mod.", "").removesuffix("._orig_mod"): each for name, each in caught.items()})
    if not weights:
        raise FittingRoomError(
            f"no attention was captured from {type(network).__name__}: run it inside the block, with torch's fused "
            "attention (Hugging Face: attn_implementation='sdpa'; timm: set_fused_attn(True)); a CNN has none"
        )


def attention_layers(
    model: nn.Module, images: Float[Tensor, "batch channels height width"]
) -> list[Float[Tensor, "batch heads tokens tokens"]]:
    """Self-attention weights in evaluation mode: a float32 tensor on the CPU for each layer, first layer first, no gradient.

    Raises FittingRoomError for a network without attention, or if its layers do not all relate the same tokens (windows).
    """
    found: list[list[Tensor]] = []
    with eval_mode(model), torch.no_grad():
        for part in chunks(images):
            with capture_attention(model) as weights:
                model(as_input(model, images[part]))
            found.append([layer.float().cpu() for layer in self_attention(weights, len(images[part]))])
    return [torch.cat(layer) for layer in zip(*found, strict=True)]


def self_attention(weights: dict[str, list[Tensor]], num_images: int) -> list[Tensor]:
    """The captured weights from tokens to the same tokens, in order. Raises FittingRoomError if layers differ in tokens."""
    layers = [each for calls in weights.values() for each in calls if each.shape[-1] == each.shape[-2]]
    shapes = {(len(each), each.shape[-1]) for each in layers}
    if len(shapes) != 1 or shapes.pop()[0] != num_images:
        raise FittingRoomError(
            f"attention of shapes {sorted({tuple(each.shape) for each in layers})} does not relate the same tokens in "
            "every layer: choose a network with global self-attention, such as a ViT"
        )
    return layers


class _Interceptor(TorchFunctionMode):
    """Sees every call of a torch function inside its block. `path` holds the names of the modules that are running."""

    def __init__(self, keep_graph: bool) -> None:
        super().__init__()
        self.keep_graph = keep_graph
        self.path: list[str] = []
        self.caught: dict[str, list[Tensor]] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run `func`, or an equivalent that exposes its weights. The mode is off while this runs."""
        if func is F.scaled_dot_product_attention:
            return self._attend(*args, **(kwargs or {}))
        if func is F.multi_head_attention_forward:
            return self._attend_with_projections(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        if enable_gqa:
            key, value = (each.repeat_interleave(query.shape[-3] // each.shape[-3], dim=-3) for each in (key, value))
        if is_causal:
            attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
        weights = fused_weights(query, key, attn_mask, scale)
        self._keep(weights[:, None] if weights.ndim == 3 else weights.flatten(0, -4))
        return F.dropout(weights, dropout_p).to(value.dtype) @ value

    def _attend_with_projections(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
        call = inspect.signature(F.multi_head_attention_forward).bind(*args, **kwargs)
        call.apply_defaults()
        asked = call.arguments
        plain = {**asked, "need_weights": True, "average_attn_weights": False, "dropout_p": 0.0}
        output, weights = F.multi_head_attention_forward(**plain)
        assert weights is not None
        self._keep(weights[None] if weights.ndim == 3 else weights)
        if asked["training"] and asked["dropout_p"]:
            return F.multi_head_attention_forward(*args, **kwargs)
        if not asked["need_weights"]:
            return output, None
        return output, weights.mean(dim=-3) if asked["average_attn_weights"] else weights

    def _keep(self, weights: Tensor) -> None:
        name = self.path[-1] if self.path else ""
        wide = weights.to(torch.promote_types(weights.dtype, torch.float32))
        self.caught.setdefault(name, []).append(wide if self.keep_graph else wide.detach())


def fused_weights(
    query: Tensor, key: Tensor, attn_mask: Tensor | None = None, scale: float | None = None
) -> Float[Tensor, "... queries keys"]:
    """The weights inside torch's `scaled_dot_product_attention` for these arguments, in float32 at least.

    `attn_mask` is boolean (True: may attend), or is added to the scores. Rows sum to 1; fully masked rows are 0.
    """
    dtype = torch.promote_types(query.dtype, torch.float32)
    factor: float = query.shape[-1] ** -0.5 if scale is None else scale
    with torch.autocast(query.device.type, enabled=False):
        scores = (query.to(dtype) * factor) @ key.to(dtype).transpose(-2, -1)
    if attn_mask is None:
        return scores.softmax(dim=-1)
    if attn_mask.dtype == torch.bool:
        blocked = ~attn_mask
    else:
        blocked = attn_mask.isneginf()
        scores = scores + attn_mask.to(dtype).masked_fill(blocked, 0.0)
    return scores.masked_fill(blocked, torch.finfo(scores.dtype).min).softmax(dim=-1).masked_fill(blocked, 0.0)


@contextmanager
def _intercepting(model: nn.Module, keep_graph: bool) -> Iterator[dict[str, list[Tensor]]]:
    """Run the interceptor, with hooks on every module that keep its `path`. Yields what it catches."""
    interceptor = _Interceptor(keep_graph)
    path, handles, thread = interceptor.path, [], threading.get_ident()

    def enter(name: str) -> None:
        if threading.get_ident() == thread:  # another thread may use the network at the same time
            path.append(name)

    def leave(*_: Any) -> None:
        if threading.get_ident() == thread:
            path.pop()

    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda *_, name=name: enter(name)))
        handles.append(module.register_forward_hook(leave, always_call=True))
    try:
        with interceptor:
            yield interceptor.caught
    finally:
        for handle in handles:
            handle.remove()
