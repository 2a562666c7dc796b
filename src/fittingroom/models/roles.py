"""Parameter roles: a model says what its parameters are for, so the optimizer never guesses from names.

    input    reads pixels or symbols: the patch projection, the first convolution, an embedding table
    hidden   maps features to features; Muon is made for these
    head     turns features into logits or scores
    vector   biases, norms, position embeddings, the class token; no weight decay

A module declares `weight_roles`: the name of a submodule or parameter -> the role of the weights inside it. Parameters with
fewer than two dimensions are always vectors. An inner module overrides an outer one, and a later entry an earlier one.
Parameters that no module declares have no role: AdamW trains them.

A layer that stores several matrices on top of each other, such as queries, keys and values, declares how many in
`fused_blocks`, by name in the same way.
"""

from typing import Any, Literal

from torch import nn

Role = Literal["input", "hidden", "head", "vector"]
Roles = dict[str, Role]


def parameter_roles(model: nn.Module) -> Roles:
    """The role of each parameter by name. Parameters without a declared role are absent."""
    declared = _declared(model, "weight_roles")
    return {
        name: "vector" if parameter.ndim < 2 else declared[name]
        for name, parameter in model.named_parameters()
        if name in declared
    }


def fused_blocks(model: nn.Module) -> dict[str, int]:
    """How many matrices a parameter stores on top of each other, by name. Parameters that store one are absent."""
    return _declared(model, "fused_blocks")


def _declared(model: nn.Module, attribute: str) -> dict[str, Any]:
    """The name of each declared parameter -> its value in the innermost declaration."""
    names = [name for name, _ in model.named_parameters()]
    found: dict[str, Any] = {}
    for place, module in model.named_modules():  # outer modules come before inner ones
        declared = getattr(module, attribute, None)
        if not isinstance(declared, dict):  # a foreign module may use the name for something else
            continue
        for path, value in declared.items():
            prefix = f"{place}.{path}" if place else path
            found.update({name: value for name in names if name == prefix or name.startswith(f"{prefix}.")})
    return found
