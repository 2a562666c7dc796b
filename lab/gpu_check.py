"""Check the package on a graphics card: `python -m lab.gpu_check`, about twenty minutes. Needs Fashion-MNIST.

Parts, each written to results/gpu/CARD.json as soon as it is done; a part with a record is not repeated:

    parity      losses and logits of fp32 and bf16 on the card, against fp32 on the CPU
    resume      a run that is stopped and resumed, against one that is not
    paths       the speed plan that is measured best for each model: precision, memory layout, attention kernel, compiling
    accuracy    seconds to 93 and 94 % of the validation images, at the end of a schedule made for them
    memory      peak memory of training steps
    throughput  images per second in training, beside timm's network of the same shape if timm is installed

Without a card the program says so. `--device cpu --short` tries the program itself.
"""

import argparse
import contextlib
import importlib.util
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from fittingroom.core.rundir import read_json, write_json
from fittingroom.models.vit import vit
from fittingroom.recipes import recipe
from fittingroom.tasks.base import Task
from fittingroom.tasks.config import RunConfig
from fittingroom.tasks.load import open_task
from fittingroom.training.environment import describe_environment
from fittingroom.training.fit import FitOptions, fit
from fittingroom.training.speed.plan import Plan, first_guess, with_fixed
from fittingroom.training.speed.probe import new_trial, probe, probe_compile
from lab.benchmarks.peers import make_torchvision_importable

RECORDS = Path(__file__).parents[1] / "results" / "gpu"
IMAGES, WORDS = ("cnn", "hybrid", "vit"), ("transformer", "recurrent")
MARKS = (0.93, 0.94)
BUDGETS = (5, 10, 20, 40, 80, 160)
"""Seconds. The first that reaches a mark counts."""


class Check:
    """The device, and how much of it is checked."""

    def __init__(self, device: str, short: bool) -> None:
        self.device, self.short = device, short
        self.models = ("vit",) if short else IMAGES + WORDS
        self.batch_sizes = (16,) if short else (64, 256, 1024)
        self.steps = 3 if short else 20

    def config(self, model: str, **changes: Any) -> RunConfig:
        """A recipe without randomness inside the network, which differs between devices."""
        config = recipe(model, epochs=1, size="nano" if self.short and model in IMAGES else None)
        quiet = {"drop_rate": 0.0} if model in WORDS else {}
        return replace(config, model_config={**config.model_config, **quiet}, **changes)

    def plan(self, config: RunConfig, device: str | None = None, **parts: str) -> Plan:
        """The first guess on a device, with some parts fixed."""
        return with_fixed(first_guess(config), {"device": device or self.device, **parts})


def parity(check: Check) -> dict[str, Any]:
    """How far the first logits, the losses of the first steps and the weights after them are from fp32 on the CPU."""
    found = {}
    for model in check.models:
        task = open_task(check.config(model))
        wanted = _first_steps(task, check.plan(task.config, "cpu", precision="fp32"), check.steps)
        for precision in ("fp32", "bf16"):
            got = _first_steps(task, check.plan(task.config, precision=precision), check.steps)
            found[f"{model}, {precision}"] = {name: _distance(got[name], wanted[name]) for name in wanted}
    return found


def _first_steps(task: Task, plan: Plan, number: int) -> dict[str, Tensor]:
    trial, kept = new_trial(task, plan), []

    def model(*inputs: Tensor) -> Tensor:
        kept.append(trial.state.model(*inputs))
        return kept[-1]

    with torch.no_grad(), trial.state.placed.autocast():
        task.loss(model, trial.state.placed.place(next(task.batches.from_step(0))))
    for _ in range(number):
        trial.step()
    weights = [param.detach().float().cpu().flatten() for param in trial.state.model.parameters()]
    return {
        "logits": kept[0].detach().float().cpu(),
        "losses": torch.tensor(trial.losses),
        "weights": torch.cat(weights),
    }


def _distance(found: Tensor, wanted: Tensor) -> float:
    """Norm of the difference, relative to the norm."""
    return float((found - wanted).norm() / wanted.norm())


def resume(check: Check) -> dict[str, Any]:
    """Whether a run that is stopped in its middle and resumed ends with the weights of one that is not, bit for bit."""
    found = {}
    for model in check.models:
        config = replace(check.config(model), epochs=0.02 if check.short else 0.2)
        with tempfile.TemporaryDirectory() as place:
            options = {
                name: FitOptions(folder=Path(place) / name, open_test=False, plan={"device": check.device})
                for name in ("whole", "again", "stopped")
            }
            fit(config, options["whole"])
            fit(config, options["again"])
            with contextlib.suppress(KeyboardInterrupt):
                fit(config, replace(options["stopped"], progress=_interrupt, checkpoint_seconds=0.0))
            fit(config, replace(options["stopped"], resume=True))
            weights = {name: load_file(each.folder / "model.safetensors") for name, each in options.items()}
        found[model] = {
            f"{name} equal": all(torch.equal(weights[name][key], value) for key, value in weights["whole"].items())
            for name in ("again", "stopped")
        }
    return found


def _interrupt(step: int, total: int, score: float | None) -> None:
    """Ctrl-C in the middle of a run."""
    del score
    if step == total // 2:
        raise KeyboardInterrupt


def paths(check: Check) -> dict[str, Any]:
    """The plan that is measured best for each model, and all timings."""
    found = {}
    for model in check.models:
        task = open_task(check.config(model))
        best, table = probe(task, check.plan(task.config), frozenset({"device", "num_threads"}))
        if task.one_shape and not check.short:
            table.append(probe_compile(task, best))
        found[model] = {"best": asdict(best), "timings": [row.to_dict() for row in table]}
    return found


def accuracy(check: Check) -> dict[str, Any]:
    """For each model of images: runs of growing budgets until both marks are reached."""
    found = {}
    for model in check.models:
        if model not in IMAGES:
            continue
        runs: list[dict[str, Any]] = []
        for seconds in (12,) if check.short else BUDGETS:
            config = recipe(model, budget_seconds=seconds)
            with tempfile.TemporaryDirectory() as place:
                options = FitOptions(folder=Path(place) / "run", open_test=False, plan={"device": check.device})
                began = time.perf_counter()
                state = fit(config, options)
                took = time.perf_counter() - began
            reached = state.evals["val"]["accuracy"]
            runs.append({"budget": seconds, "seconds": took, "epochs": state.epochs, "val_accuracy": reached})
            if reached >= MARKS[-1]:
                break
        marks = {
            f"{mark:.0%}": next((run["seconds"] for run in runs if run["val_accuracy"] >= mark), None) for mark in MARKS
        }
        found[model] = {"seconds": marks, "runs": runs}
    return found


def memory(check: Check) -> dict[str, Any]:
    """Peak bytes that training steps take on the card; None on a CPU, where they cannot be told from the rest."""
    found: dict[str, Any] = {}
    for model in check.models:
        for batch_size in check.batch_sizes:
            task = open_task(check.config(model, batch_size=batch_size))
            if check.device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            trial = new_trial(task, check.plan(task.config))
            for _ in range(check.steps):
                trial.step()
            peak = torch.cuda.max_memory_allocated() if check.device == "cuda" else None
            found[f"{model}, batch {batch_size}"] = peak
    return found


def throughput(check: Check) -> dict[str, Any]:
    """Images or words per second in training; for `vit` beside timm's, which trains with torch's fused AdamW in bf16."""
    found: dict[str, Any] = {}
    for model in check.models:
        for batch_size in check.batch_sizes:
            for compiled in ("false",) if check.short or model in WORDS else ("false", "true"):
                task = open_task(check.config(model, batch_size=batch_size))
                trial = new_trial(task, check.plan(task.config, compile=compiled))
                name = f"{model}, batch {batch_size}{', compiled' if compiled == 'true' else ''}"
                found[name] = round(_per_second(trial.step, batch_size, check.steps), 1)
    if importlib.util.find_spec("timm") is None:
        return {**found, "timm": "not installed"}
    for batch_size in check.batch_sizes:
        step = _timm_step(check, batch_size)
        found[f"timm's vit, batch {batch_size}, compiled"] = round(_per_second(step, batch_size, check.steps), 1)
    return found


def _per_second(step: Callable[[], float], batch_size: int, number: int) -> float:
    """Items per second, from the median step after as many steps of warm-up."""
    for _ in range(number):
        step()
    return batch_size / statistics.median(step() for _ in range(number))


def _timm_step(check: Check, batch_size: int) -> Callable[[], float]:
    """A training step of timm's network with the shape of `vit`, on images in the memory of the card."""
    make_torchvision_importable()
    from timm.models.vision_transformer import VisionTransformer  # pyright: ignore[reportMissingImports]

    ours = vit()
    model: Any = VisionTransformer(
        img_size=28, patch_size=ours.patch_size, in_chans=1, num_classes=10, embed_dim=ours.embed_dim, depth=ours.depth,
        num_heads=ours.num_heads, class_token=False, global_pool="avg",
    ).to(check.device)  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    called = model if check.short else torch.compile(model)
    images = torch.randn(batch_size, 1, 28, 28, device=check.device)
    labels = torch.zeros(batch_size, dtype=torch.long, device=check.device)

    def step() -> float:
        began = time.perf_counter()
        with torch.autocast(check.device, torch.bfloat16):
            loss = F.cross_entropy(called(images).float(), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()  # waits for the card
        return time.perf_counter() - began

    return step


PARTS: dict[str, Callable[[Check], dict[str, Any]]] = {
    "parity": parity,
    "resume": resume,
    "paths": paths,
    "accuracy": accuracy,
    "memory": memory,
    "throughput": throughput,
}


def main() -> int:
    """Do the parts that have no record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these of {', '.join(PARTS)}")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--short", action="store_true", help="a small version, which tries the program")
    parser.add_argument("--out", type=Path, default=RECORDS)
    args = parser.parse_args()
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    if args.device == "cuda" and not torch.cuda.is_available():
        print("no graphics card here: this check awaits one (--device cpu --short tries the program)", file=sys.stderr)
        return 2
    check = Check(args.device, args.short)
    name = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
    path = args.out / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json"
    record: dict[str, Any] = read_json(path) if path.exists() else {"card": name}
    for part in args.parts or PARTS:
        if part not in record:
            config = check.config("vit")
            found = PARTS[part](check)
            record[part] = {"environment": describe_environment(check.plan(config), []), "found": found}
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, record)
            print(f"{part}: {found}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
