"""A finished run's network, from its folder: neither Lightning nor pickle is needed."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from fittingroom.core.config import from_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.registry import Registry
from fittingroom.core.rundir import read_json
from fittingroom.data.seq2seq.vocabulary import Vocabulary
from fittingroom.evaluation.predict import PredictFn
from fittingroom.evaluation.shipped import VOCABULARIES, Kind, where_from
from fittingroom.models import MODELS, SEQUENCE_MODELS, Variant

REGISTRIES: dict[Kind, Registry[Variant]] = {"images": MODELS, "words": SEQUENCE_MODELS}
OTHER: dict[Kind, Kind] = {"images": "words", "words": "images"}


def load_run(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The image network in evaluation mode, and the run's config. Raises FittingRoomError naming the file that is not right."""
    config = _read_config(folder, "images")
    return _load_model(folder, config, MODELS), config


def load_sequence_run(folder: Path) -> tuple[Any, Vocabulary, Vocabulary, dict[str, Any]]:
    """A `models.sequence.SequenceModel` in evaluation mode and fp32, the source's and the target's vocabulary, the config.

    Raises FittingRoomError naming the file that is not right, or that the run reads images.
    """
    config = _read_config(folder, "words")
    path = folder / VOCABULARIES
    symbols = read_json(path)
    if not {"source", "target"} <= set(symbols):
        raise FittingRoomError(f'{path} lacks "source" or "target": use the file of a finished run')
    source, target = (Vocabulary.from_list(symbols[side], f"{path}, {side}") for side in ("source", "target"))
    model = _load_model(folder, config, SEQUENCE_MODELS)
    sizes = {"source": model.config.src_vocab_size, "target": model.config.tgt_vocab_size}
    for side, vocabulary in (("source", source), ("target", target)):
        if len(vocabulary) != sizes[side]:
            raise FittingRoomError(
                f"{path}: {side} makes {len(vocabulary)} ids where the model has {sizes[side]}: use the file of that run"
            )
    return model, source, target, config


def needs(config: dict[str, Any], keys: tuple[str, ...], folder: Path) -> None:
    """FittingRoomError where the run's config.json lacks one of `keys`."""
    lacking = [key for key in keys if key not in config]
    if lacking:
        raise FittingRoomError(f"{folder / 'config.json'} lacks '{lacking[0]}': is {folder} a finished run?")


def logits_fn(model: nn.Module) -> PredictFn:
    """`model` as a predict function in the memory layout that suits it."""
    convolutional = any(isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) for module in model.modules())
    layout = torch.channels_last if convolutional else torch.contiguous_format
    model = model.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
    return lambda images: model(images.contiguous(memory_format=layout))


def _read_config(folder: Path, kind: Kind) -> dict[str, Any]:
    """The run's config.json, which must name a model that reads things of that kind."""
    path = folder / "config.json"
    config = read_json(path)
    if config.get("model") in REGISTRIES[OTHER[kind]].names():
        raise FittingRoomError(f"run {folder.name} reads {OTHER[kind]}, not {kind}: give {where_from(kind)}")
    needs(config, ("model", "model_config", "seed"), folder)
    return config


def _load_model(folder: Path, config: dict[str, Any], registry: Registry[Variant]) -> Any:
    """The network with its weights, which may be stored in half precision."""
    weights = folder / "model.safetensors"
    if not weights.exists():
        raise FittingRoomError(f"{weights} is missing: the run is not finished; run its command again with --resume")
    variant = registry.get(config["model"])
    # A setting that the run's config lacks is newer than the run. The class's default is what was done before there was a choice,
    # the variant's may be the other one.
    shape = from_dict(type(variant.make_config()), config["model_config"], where=f"{registry.kind} {config['model']}")
    model = variant.build(shape)
    try:
        model.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError, OSError) as error:
        first = str(error).splitlines()[0]
        raise FittingRoomError(f"{weights} does not fit its config.json ({first}): train the run again") from error
    return model.eval()
