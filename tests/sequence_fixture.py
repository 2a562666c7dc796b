"""Run folders of sequence models as training leaves them, with random weights: what is asked of them needs no skill."""

from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from fittingroom.core.config import to_dict
from fittingroom.core.randomness import seeded
from fittingroom.core.rundir import write_json
from fittingroom.models import SEQUENCE_MODELS, build_model, resolve_config

LETTERS = [*"'-abcdefghijklmnopqrstuvwxyz"]
PHONEMES = ["AA", "AH", "B", "D", "EH", "F", "HH", "IY", "K", "L", "M", "N", "OW", "P", "R", "S", "T", "UW", "V", "Z"]
TINY: dict[str, dict[str, Any]] = {
    "transformer": {"embed_dim": 32, "depth_encoder": 1, "depth_decoder": 2, "num_heads": 2, "max_len": 24},
    "recurrent": {"embed_dim": 16, "hidden_dim": 12, "depth": 1},
}


def write_sequence_run(
    folder: Path,
    name: str = "transformer",
    *,
    source: list[str] = LETTERS,
    target: list[str] = PHONEMES,
    data: str = "cmudict",
    seed: int = 0,
    half: bool = False,
    sharp: float = 1.0,
    **values: Any,
) -> Path:
    """A tiny, untrained model `name` in `folder`, which is returned.

    `half`: its weights in half precision. `sharp`: what they are multiplied with; untrained weights times 2 have opinions.
    """
    sizes = {"src_vocab_size": 4 + len(source), "tgt_vocab_size": 4 + len(target)}
    config = to_dict(resolve_config(name, {**TINY[name], **sizes, **values}, SEQUENCE_MODELS))
    with seeded(seed, "init"):
        model = build_model(name, config, SEQUENCE_MODELS)
    weights = {key: sharp * (each.half() if half else each) for key, each in model.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / "config.json",
        {"task": "seq2seq", "model": name, "model_config": config, "data": data, "seed": seed, "epochs": 1.0},
    )
    write_json(folder / "vocabularies.json", {"source": source, "target": target})
    write_json(folder / "state.json", {"status": "finished", "run": folder.name, "model": name, "seed": seed})
    save_file({key: each.contiguous() for key, each in weights.items()}, folder / "model.safetensors")
    return folder
