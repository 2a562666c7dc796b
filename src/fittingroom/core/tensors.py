"""Tensors as numpy arrays."""

from typing import Any

from torch import Tensor


def plain_array(values: Any) -> Any:
    """A tensor of any device, layout or precision as a numpy array, and a list of them as arrays; anything else unchanged."""
    if isinstance(values, list | tuple):
        return [plain_array(each) for each in values] if any(isinstance(each, Tensor) for each in values) else values
    if not isinstance(values, Tensor):
        return values
    found = values.detach().to_dense().cpu()
    # numpy has float16 to float64, but no other kind of 16 or 8 bits.
    lacks = found.is_floating_point() and str(found.dtype) not in ("torch.float16", "torch.float32", "torch.float64")
    return (found.float() if lacks else found).numpy()
