"""The three ways to train, as a suffix of a model's name."""

import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.recipes import recipe
from fittingroom.tasks.load import task_of_model
from fittingroom.tasks.modes import MODES, split_mode, with_mode


@pytest.mark.parametrize("mode", MODES)
def test_a_name_and_its_mode_make_a_whole(mode: str) -> None:
    assert split_mode(f"timm:resnet18.a1_in1k+{mode}") == ("timm:resnet18.a1_in1k", mode)
    assert split_mode(with_mode("hf:owner/name", mode)) == ("hf:owner/name", mode)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("cnn+prob", "did you mean 'probe'?"),
        ("cnn+fine-tune", "did you mean 'finetune'?"),
        ("cnn+", "known: scratch, finetune, probe"),
        ("+probe", "unknown way to train"),
    ],
)
def test_a_mistyped_way_names_the_nearest(text: str, hint: str) -> None:
    with pytest.raises(FittingRoomError) as caught:
        task_of_model(text)
    assert text in str(caught.value) and hint in str(caught.value)


def test_each_way_has_its_recipe() -> None:
    probe, tuned, scratch = recipe("cnn+probe"), recipe("cnn+finetune"), recipe("cnn")
    assert [each.model for each in (probe, tuned, scratch)] == ["cnn"] * 3
    assert [getattr(each, "mode", None) for each in (probe, tuned, scratch)] == ["probe", "finetune", "scratch"]
    assert (probe.optim.name, tuned.optim.name) == ("adamw", "adamw")
    assert probe.run == "cnn+probe-seed0" and scratch.run == "cnn-seed0"


def test_a_head_takes_no_longer_than_it_needs() -> None:
    assert recipe("cnn+probe", budget_seconds=3600).budget_seconds is None
    assert recipe("cnn+probe", epochs=7).epochs == 7
    assert recipe("cnn+finetune", budget_seconds=60).budget_seconds == 60


def test_sequence_models_are_trained_from_scratch() -> None:
    with pytest.raises(FittingRoomError, match="only networks for images"):
        recipe("transformer+probe")
