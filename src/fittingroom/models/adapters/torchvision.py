"""Make torchvision importable beside a build of torch that it was not compiled for.

torchvision's wheel on PyPI is built for torch with CUDA. Beside a CPU build its operators do not load, and its import fails at
two of them, which no classifier uses. timm needs torchvision; torchmetrics, and so lightning, imports it where it is installed.
"""

import importlib.util
from pathlib import Path
from typing import Any

import torch

OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_DECLARED: list[Any] = []  # a declaration ends with the object that made it


def make_importable() -> None:
    """Declare the two operators, without an implementation, if torchvision is installed and its own do not load."""
    found = importlib.util.find_spec("torchvision")
    if _DECLARED or found is None or found.origin is None:
        return
    try:
        for library in Path(found.origin).parent.glob("_C*.[sp][oy]*"):
            torch.ops.load_library(library)
        if hasattr(torch.ops.torchvision, "nms"):
            return
    except OSError:
        pass
    declared = torch.library.Library("torchvision", "FRAGMENT")
    for operator in OPERATORS:
        declared.define(operator)
    _DECLARED.append(declared)
