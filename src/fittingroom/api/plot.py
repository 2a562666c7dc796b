"""`fittingroom.plot`: matplotlib figures of runs and of any model in memory.

`model` is an `nn.Module` or a `Run`. A `Run` also supplies class names and the normalisation of its training. A notebook
shows the returned figures.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torch import nn

from fittingroom.api.lightning import network_of
from fittingroom.api.runs import Run
from fittingroom.api.settings import whole
from fittingroom.core.errors import FittingRoomError, found_in
from fittingroom.core.torch_settings import usual_torch
from fittingroom.explain.examine import examine_filters, examine_positions
from fittingroom.explain.maps import attention_maps, saliency_maps
from fittingroom.report import plots
from fittingroom.tasks.classification.predict import new_images


def curves(runs: Any, *, columns: Sequence[str] | None = None, x: str = "epoch") -> Any:
    """Learning curves of a `Run`, of columns such as `run.metrics`, or of several as {name: run or columns}.

    `x` is epoch, step or seconds.
    """
    if isinstance(runs, Run):
        with found_in(runs.folder / "metrics.csv"):
            return plots.curves(runs.metrics, columns=columns, x=x, title=runs.name)
    if isinstance(runs, Mapping) and runs and all(isinstance(each, Run) for each in runs.values()):
        return plots.curves({name: run.metrics for name, run in runs.items()}, columns=columns, x=x)
    return plots.curves(runs, columns=columns, x=x)


@usual_torch()
def attention(model: Any, images: Any, *, layer: int = -1, head: int | None = None) -> Any:
    """Each image, and below it the attention to each patch in one block (default: the last), by one head or the mean of all.

    Works for ViTs and hybrids of this package, and for ViTs of timm and Hugging Face. Raises FittingRoomError for a CNN.
    """
    network, options = _network(model)
    layer, head = whole(layer, "layer"), None if head is None else whole(head, "head")
    return plots.image_maps(attention_maps(network, _pixels(model, images), layer=layer, head=head, **options))


@usual_torch()
def saliency(model: Any, images: Any, target: Any = None, *, method: str | None = None) -> Any:
    """Each image, and below it the importance of each pixel for class `target` (default: the predicted class).

    `target` is the name or number of a class, or one for each image.

    `method` is attention, rollout, relevance, gradcam or random.
    """
    network, options = _network(model)
    return plots.image_maps(saliency_maps(network, _pixels(model, images), target, method, **options))


@usual_torch()
def positions(model: Any) -> Any:
    """The similarity of the position embeddings of every two patches. Raises FittingRoomError if the model has none."""
    network, _ = _network(model)
    return plots.positions(examine_positions(network))


@usual_torch()
def filters(model: Any) -> Any:
    """The filters of the first layer, or the main components of a patch projection."""
    network, _ = _network(model)
    return plots.filters(examine_filters(network))


def confusion(labels: Any, predictions: Any, class_names: Sequence[str] | None = None) -> Any:
    """Counts by true class (rows) and predicted class (columns). `predictions` are classes or probabilities [N, classes]."""
    return plots.confusion(labels=labels, predictions=predictions, class_names=class_names)


def _pixels(model: Any, images: Any) -> Any:
    """Pictures and paths as the run reads them; arrays unchanged, and for a network in memory PIL pictures, too."""
    many = images if isinstance(images, list | tuple) else [images]
    if not many or not all(isinstance(each, str | Path | Image.Image) for each in many):
        return images
    if isinstance(model, Run):
        return new_images(images, model.spec).images.images
    if all(isinstance(each, Image.Image) for each in many):
        return images
    raise FittingRoomError("a network in memory reads arrays or tensors: give those, or a Run in place of the network")


def _network(model: Any) -> tuple[Any, dict[str, Any]]:
    """The network, and options that describe its images."""
    if isinstance(model, nn.Module):
        return network_of(model), {}
    if not isinstance(model, Run):
        raise FittingRoomError(
            f"plot does not accept type {type(model).__name__}: give an nn.Module, or a run from fittingroom.load_run(...)"
        )
    spec = model.spec
    return model.model, {"class_names": spec.class_names, "mean": spec.mean, "std": spec.std}
