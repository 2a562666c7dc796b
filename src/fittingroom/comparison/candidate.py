"""Candidates of a comparison. A candidate has a name, a title and a config; two settings of one model are two candidates.

A candidate and a seed identify a run. The name `vit@patch_size=7@depth=2` has the model and the settings that differ.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fittingroom.core.config import config_hash
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import CandidateRecord
from fittingroom.tasks.config import RunConfig
from fittingroom.tasks.modes import split_mode

UNSAFE = re.compile(r"[^\w@=.,+\[\]-]+")
"""Characters that some systems do not allow in folder names."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One model with its settings, as one row of the comparison."""

    name: str
    """Unique, such as `vit` or `vit@patch_size=7`; also in the names of run folders."""
    title: str
    """The name that tables and sentences use."""
    config: RunConfig
    """The config of its first run."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The settings that differ from the recipe."""
    size: str = ""
    """The size of its family, such as `small`, if a time budget chose it."""

    def with_seed(self, seed: int) -> RunConfig:
        """The config of the run with this seed."""
        return replace(self.config, seed=seed)

    @property
    def slug(self) -> str:
        """The name as part of the names of files."""
        return UNSAFE.sub("-", "".join(self.name.split()))

    def run(self, seed: int) -> str:
        """The short name of the run with this seed, such as `vit-seed0`; also the name of its folder."""
        return f"{self.slug}-seed{seed}"

    def record(self, *, num_params: int, num_macs: int) -> CandidateRecord:
        """The candidate for comparison.json."""
        variant = self.config.registry.get(self.config.model)
        return CandidateRecord(
            name=self.name,
            title=self.title,
            model=self.config.model,
            family=variant.family,
            source=variant.source,
            settings=self.settings,
            size=self.size,
            num_train=self.config.num_train,
            num_params=num_params,
            num_macs=num_macs,
        )


def parse_candidate(text: str) -> tuple[str, dict[str, str]]:
    """Split `vit@patch_size=7@depth=2` into model and settings.

    Raises FittingRoomError for a setting without a value and for a setting given twice.
    """
    model, *settings = (part.strip() for part in text.split("@"))
    changes = {}
    for setting in settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not key or not value:
            raise FittingRoomError(f"--models {text!r}: write MODEL@SETTING=VALUE, such as vit@patch_size=7")
        if key in changes:
            raise FittingRoomError(f"--models {text!r}: {key} is set twice: set it once")
        changes[key] = value
    return model, changes


def candidate(config: RunConfig, settings: dict[str, str] | None = None, title: str = "", size: str = "") -> Candidate:
    """The candidate for `config`. `settings` are the changes that `config` already includes; they give name and title."""
    settings = settings or {}
    name = "@".join([config.label, *(f"{key}={value}" for key, value in settings.items())])
    variant = config.registry.get(config.model)
    _, mode = split_mode(name.partition("@")[0])
    ways = {"scratch": [], "finetune": ["finetuned"], "probe": ["probe"]}[mode]
    shown = ", ".join([*ways, *(_words(key, value) for key, value in settings.items())])
    return Candidate(
        name=name,
        title=title or (f"{variant.title} ({shown})" if shown else variant.title),
        config=config,
        settings=dict(settings),
        size=size,
    )


def check_different(candidates: Sequence[Candidate]) -> None:
    """Raise FittingRoomError if two candidates have equal configs or equal folder names."""
    configs: dict[str, str] = {}
    runs: dict[str, str] = {}
    for each in candidates:
        key, run = config_hash(each.config), each.run(0)
        if key in configs:
            raise FittingRoomError(f"--models: {configs[key]} and {each.name} are the same: name each candidate once")
        if run in runs:
            raise FittingRoomError(
                f"--models: {runs[run]} and {each.name} have runs with the same name: rename one of them"
            )
        configs[key] = runs[run] = each.name


def _words(key: str, value: str) -> str:
    """A setting as part of a title: the training size in words, anything else as given."""
    if key == "num_train" and value.isdigit():
        return f"{int(value):,} training items"
    return f"{key}={value}"
