"""The config of a run that learns to turn a source sequence into a target sequence."""

from dataclasses import field
from typing import Any, ClassVar, Literal

from fittingroom.core.config import config_dataclass
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.registry import Registry
from fittingroom.data.seq2seq.augment import PairAugmentConfig
from fittingroom.data.seq2seq.load import check_three
from fittingroom.models import SEQUENCE_MODELS, Variant
from fittingroom.tasks.config import RunConfig


@config_dataclass
class Seq2seqConfig(RunConfig):
    """A run that learns to turn a source sequence into a target sequence."""

    registry: ClassVar[Registry[Variant]] = SEQUENCE_MODELS

    task: Literal["seq2seq"] = "seq2seq"
    data: str = "cmudict"
    """cmudict, or a TSV file of pairs; the training file if dev and test are given."""
    dev: str | None = None
    """TSV file for validation; default: a part of `data`."""
    test: str | None = None
    """TSV file for the test; default: a part of `data`."""
    keep_stress: bool = False
    """Keep the stress marks on cmudict's vowels: 69 phonemes instead of 39."""
    digest: str = ""
    """Hash of the data. It is filled in when the run begins, so that a changed file is noticed."""
    batch_size: int = 256
    """Pairs per step."""
    augment: PairAugmentConfig = field(default_factory=PairAugmentConfig)
    """Augmentation of the training pairs; default: none."""

    @property
    def data_files(self) -> tuple[str, ...]:
        """One file of pairs, or three; none for cmudict."""
        return () if self.data == "cmudict" else tuple(file for file in (self.data, self.dev, self.test) if file)

    def identity(self) -> dict[str, Any]:
        """Without augmentation, a run has the identity that it had before there was any."""
        values = super().identity()
        if self.augment == PairAugmentConfig():
            values.pop("augment")
        return values

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.dev is None) != (self.test is None):
            raise FittingRoomError("dev and test belong together: give both files, or one file of pairs alone")
        if self.dev is not None:
            check_three(self.data, self.dev, str(self.test))
        if self.keep_stress and self.data != "cmudict":
            raise FittingRoomError("keep_stress is for cmudict only: omit it")
