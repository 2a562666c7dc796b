"""Predict with anything that maps a batch of images to logits: a model of any library, an ONNX session, a plain function."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

PredictFn = Callable[[Tensor], Tensor | np.ndarray]


def predict(predict_fn: PredictFn, batches: Iterable[Tensor]) -> Float[np.ndarray, "images classes"]:
    """Class probabilities of all batches in order: the float32 softmax of `predict_fn`'s logits."""
    with torch.inference_mode():
        probs = [torch.as_tensor(predict_fn(images)).float().softmax(dim=-1).cpu() for images in batches]
    return torch.cat(probs).numpy()
