"""AdamW, and Muon for the matrices with AdamW for the rest, as one optimizer (so that Lightning steps and saves it as one).

Muon: "Muon: An optimizer for hidden layers in neural networks" (Jordan et al. 2024). The momentum of each weight matrix is
replaced by the nearest (semi-)orthogonal matrix, by five Newton-Schulz steps. Why not `torch.optim.Muon`: it takes 2-D
parameters only (a convolution's filters are a matrix too: outputs x inputs*height*width), it always rounds to bfloat16, which
is slow on a CPU that has none, and it would treat the fused `qkv` as one matrix where the paper means three.
On a plain matrix ours is torch's: in bfloat16 bit for bit, in float32 but for torch's rounding (tested).
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from fittingroom.tasks.config import OptimConfig

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
AT_ONCE = 4
"""Matrices that a processor iterates together: few calls, and what they need stays in its cache (a quarter faster than 27)."""


def orthogonalise(
    matrices: Float[Tensor, "batch rows columns"], num_steps: int = 5
) -> Float[Tensor, "batch rows columns"]:
    """Move every singular value to about 1 by the quintic Newton-Schulz iteration; all matrices of the batch at once."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.transpose(-2, -1) if tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(num_steps):
        gram = x @ x.transpose(-2, -1)
        # a x + (b gram + c gram^2) x, each sum inside its product: fewer passes, and in bfloat16 one rounding less.
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.transpose(-2, -1) if tall else x


class MuonAdamW(Optimizer):
    """Parameter groups marked `method: muon` are orthogonalised; those marked `adamw` follow Adam with decoupled decay."""

    def __init__(
        self, groups: Iterable[dict[str, Any]], config: OptimConfig, muon_dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(groups, {"lr": config.lr, "weight_decay": 0.0, "method": "adamw", "num_blocks": 1})
        self.config, self.muon_dtype = config, muon_dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor | float] | None = None) -> Tensor | float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient; the loss that `closure` returns (in Lightning a tensor)."""
        with torch.enable_grad():
            loss = closure() if closure is not None else None
        for group in self.param_groups:
            params = [param for param in group["params"] if param.grad is not None]
            if params:
                (self._muon if group["method"] == "muon" else self._adamw)(params, group)
        return loss

    def _muon(self, params: list[Tensor], group: dict[str, Any]) -> None:
        """All parameters of a group have one shape, so that batched iterations serve them."""
        updates = [self._nesterov(param) for param in params]
        rows = params[0].shape[0] // group["num_blocks"]
        stacked = torch.stack(updates).reshape(len(params) * group["num_blocks"], rows, -1)
        scale = 0.2 * max(stacked.shape[-2:]) ** 0.5  # update of root-mean-square 0.2, AdamW's (arXiv 2502.16982)
        parts = stacked.to(self.muon_dtype).split(AT_ONCE if stacked.device.type == "cpu" else len(stacked))
        orthogonal = torch.cat([orthogonalise(part) for part in parts]).to(stacked.dtype)
        steps = orthogonal.reshape(len(params), *params[0].shape)
        for param, step in zip(params, steps, strict=True):
            param.mul_(1 - group["lr"] * group["weight_decay"]).add_(step, alpha=-group["lr"] * scale)

    def _nesterov(self, param: Tensor) -> Tensor:
        assert param.grad is not None
        state = self.state[param]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(param)
        momentum = state["momentum_buffer"].lerp_(param.grad, 1 - self.config.momentum)
        return param.grad.lerp(momentum, self.config.momentum)

    def _adamw(self, params: list[Tensor], group: dict[str, Any]) -> None:
        beta1, beta2 = self.config.betas
        for param in params:
            assert param.grad is not None
            state = self.state[param]
            if not state:
                state.update(step=0, exp_avg=torch.zeros_like(param), exp_avg_sq=torch.zeros_like(param))
            state["step"] += 1
            mean = state["exp_avg"].lerp_(param.grad, 1 - beta1)
            square = state["exp_avg_sq"].mul_(beta2).addcmul_(param.grad, param.grad, value=1 - beta2)
            denominator = (square / (1 - beta2 ** state["step"])).sqrt_().add_(1e-8)
            param.mul_(1 - group["lr"] * group["weight_decay"])
            param.addcdiv_(mean, denominator, value=-group["lr"] / (1 - beta1 ** state["step"]))


def build_optimizer(model: nn.Module, config: OptimConfig, muon_dtype: torch.dtype = torch.float32) -> MuonAdamW:
    """Hidden matrices and filters to Muon (grouped by shape), all else to AdamW; vectors and embeddings do not decay.

    `muon_dtype` is what the Newton-Schulz steps are computed in: bfloat16 suffices them (Jordan et al. 2024).
    """
    gates = num_gates(model)
    muon: dict[tuple[Any, ...], list[nn.Parameter]] = {}
    decayed, free = [], []
    for name, param in model.named_parameters():
        if not param.requires_grad:
            continue
        if config.name == "muon" and is_hidden_matrix(name, param):
            muon.setdefault((tuple(param.shape), num_blocks(name, gates)), []).append(param)
        elif param.ndim > 1 and "pos_embed" not in name and "cls_token" not in name:
            decayed.append(param)
        else:
            free.append(param)
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": config.weight_decay, "lr": config.lr},
        {"params": free, "lr": config.lr},
    ]
    for (_, blocks), params in muon.items():
        groups.append(
            {
                "params": params,
                "method": "muon",
                "num_blocks": blocks,
                "lr": config.muon_lr,
                "weight_decay": config.weight_decay,
            }
        )
    return MuonAdamW([group for group in groups if group["params"]], config, muon_dtype)


def num_blocks(name: str, gates: dict[str, int]) -> int:
    """How many matrices of the paper stand one above the other in this one: queries, keys and values, or a cell's gates."""
    fused = {"qkv": 3, "kv": 2}
    return gates.get(name) or fused.get(name.split(".")[-2] if "." in name else "", 1)


def num_gates(model: nn.Module) -> dict[str, int]:
    """Of each matrix of a GRU (3) or LSTM (4), by name."""
    cells = {nn.GRU: 3, nn.LSTM: 4}
    return {
        f"{place}.{name}".removeprefix("."): cells[type(module)]
        for place, module in model.named_modules()
        if type(module) in cells
        for name, param in module.named_parameters()
        if param.ndim == 2
    }


def is_hidden_matrix(name: str, param: Tensor) -> bool:
    """Muon is for hidden layers: not for the first projection, the head, the pooling vector or embeddings.

    Nor for a matrix of one row, such as the score of additive attention: it is a vector.
    """
    is_first_or_last = name.startswith(("patch_embed", "head", "stem.0", "tokenizer.0", "pool")) or "embed" in name
    is_vector = param.shape[0] == 1
    return param.ndim >= 2 and not is_first_or_last and not is_vector and "token" not in name.split(".")[-1]
