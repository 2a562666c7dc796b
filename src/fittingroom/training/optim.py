"""AdamW, or Muon for hidden matrices and AdamW for the rest. One class does both, so that Lightning saves one optimizer.

Muon: "Muon: An optimizer for hidden layers in neural networks" (Jordan et al. 2024). Five Newton-Schulz steps replace the
momentum of each weight matrix by approximately the nearest (semi-)orthogonal matrix. `models/roles.py` tells which matrices are
hidden.

`torch.optim.Muon` is not used for three reasons. It takes only 2-D parameters, but convolution filters are matrices too
(outputs x inputs*height*width). It always rounds to bfloat16, which is slow on CPUs without bfloat16 units. It treats a fused
`qkv` as one matrix instead of three. Tests compare both on a plain matrix: they agree bit for bit in bfloat16, and in float32 up
to torch's rounding.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from fittingroom.models.roles import fused_blocks, parameter_roles
from fittingroom.tasks.config import OptimConfig

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
AT_ONCE = 4
"""Matrices per batch on a CPU. Four need few calls and still fit the cache: 25 % faster than 27 at once."""


def orthogonalise(
    matrices: Float[Tensor, "batch rows columns"], num_steps: int = 5
) -> Float[Tensor, "batch rows columns"]:
    """Move the singular values of each matrix to about 1 with the quintic Newton-Schulz iteration."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.transpose(-2, -1) if tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(num_steps):
        gram = x @ x.transpose(-2, -1)
        # a x + (b gram + c gram^2) x. baddbmm multiplies and adds in one pass, with one rounding less in bfloat16.
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.transpose(-2, -1) if tall else x


class MuonAdamW(Optimizer):
    """Muon for parameter groups with `method: muon`, AdamW for groups with `method: adamw`."""

    def __init__(
        self, groups: Iterable[dict[str, Any]], config: OptimConfig, muon_dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(groups, {"lr": config.lr, "weight_decay": 0.0, "method": "adamw", "num_blocks": 1})
        self.config, self.muon_dtype = config, muon_dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor | float] | None = None) -> Tensor | float | None:  # type: ignore[override]
        """Update every parameter that has a gradient. Return the loss of `closure` (Lightning's returns a tensor)."""
        with torch.enable_grad():
            loss = closure() if closure is not None else None
        for group in self.param_groups:
            params = [param for param in group["params"] if param.grad is not None]
            if params:
                (self._muon if group["method"] == "muon" else self._adamw)(params, group)
        return loss

    def _muon(self, params: list[Tensor], group: dict[str, Any]) -> None:
        """Update a group, in batches: all its parameters have the same shape."""
        updates = [self._nesterov(param) for param in params]
        rows = params[0].shape[0] // group["num_blocks"]
        stacked = torch.stack(updates).reshape(len(params) * group["num_blocks"], rows, -1)
        scale = 0.2 * max(stacked.shape[-2:]) ** 0.5  # root mean square 0.2, as AdamW's (arXiv 2502.16982)
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


def build_optimizer(
    model: nn.Module,
    config: OptimConfig,
    muon_dtype: torch.dtype = torch.float32,
    shares: Mapping[str, float] | None = None,
) -> MuonAdamW:
    """Give hidden matrices and filters to Muon, grouped by shape, and everything else to AdamW. Vectors do not decay.

    The model declares the roles. Parameters without a role go to AdamW, and decay if they have two or more dimensions.
    `muon_dtype` is the precision of the Newton-Schulz steps; bfloat16 is enough (Jordan et al. 2024). `shares` holds rates as
    shares of the peak, by name; parameters with equal shares are in one group, and those without have the peak itself.
    """
    roles, blocks, shares = parameter_roles(model), fused_blocks(model), shares or {}
    muon: dict[tuple[Any, ...], list[nn.Parameter]] = {}
    others: dict[float, tuple[list[nn.Parameter], list[nn.Parameter]]] = {1.0: ([], [])}
    for name, param in model.named_parameters():
        if not param.requires_grad:
            continue
        role, share = roles.get(name), shares.get(name, 1.0)
        if config.name == "muon" and role == "hidden" and len(param) > 1:  # with one row it is a vector
            muon.setdefault((tuple(param.shape), blocks.get(name, 1), share), []).append(param)
            continue
        decayed, free = others.setdefault(share, ([], []))
        (decayed if role != "vector" and param.ndim > 1 else free).append(param)
    groups: list[dict[str, Any]] = []
    for share, (decayed, free) in others.items():
        groups.append({"params": decayed, "weight_decay": config.weight_decay, "lr": config.lr * share})
        groups.append({"params": free, "lr": config.lr * share})
    for (_, num_blocks, share), params in muon.items():
        groups.append(
            {
                "params": params,
                "method": "muon",
                "num_blocks": num_blocks,
                "lr": config.muon_lr * share,
                "weight_decay": config.weight_decay,
            }
        )
    return MuonAdamW([group for group in groups if group["params"]], config, muon_dtype)
