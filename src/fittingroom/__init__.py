"""Try architectures on your images and see which one fits.

    import fittingroom as fr

    data = fr.load_data("fashion-mnist")
    run = fr.train("vit", data, epochs=1)
    comparison = fr.compare(["vit", "cnn"], data, seeds=3, budget="10m")

Names are imported when they are first used: importing this package loads no torch.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "load_data": "fittingroom.api.data",
    "Data": "fittingroom.api.data",
    "check_data": "fittingroom.api.check",
    "DataCheck": "fittingroom.api.check",
    "create_model": "fittingroom.api.models",
    "list_models": "fittingroom.api.models",
    "train": "fittingroom.api.runs",
    "load_run": "fittingroom.api.runs",
    "Run": "fittingroom.api.runs",
    "compare": "fittingroom.api.compare",
    "ComparisonResult": "fittingroom.api.compare",
    "verdict": "fittingroom.api.verdict",
    "explain": "fittingroom.api.explain",
    "FittingRoomError": "fittingroom.core.errors",
}
_MODULES = {"plot": "fittingroom.api.plot", "lightning": "fittingroom.api.lightning"}

__all__ = [
    "ComparisonResult",
    "Data",
    "DataCheck",
    "FittingRoomError",
    "Run",
    "__version__",
    "check_data",
    "compare",
    "create_model",
    "explain",
    "lightning",
    "list_models",
    "load_data",
    "load_run",
    "plot",
    "train",
    "verdict",
]

if TYPE_CHECKING:
    from fittingroom.api import lightning, plot
    from fittingroom.api.check import DataCheck, check_data
    from fittingroom.api.compare import ComparisonResult, compare
    from fittingroom.api.data import Data, load_data
    from fittingroom.api.explain import explain
    from fittingroom.api.models import create_model, list_models
    from fittingroom.api.runs import Run, load_run, train
    from fittingroom.api.verdict import verdict
    from fittingroom.core.errors import FittingRoomError


def __getattr__(name: str) -> Any:
    import importlib

    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module 'fittingroom' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
