"""`fr.lightning` in a Trainer of the user's: networks of others, arguments that do not fit, a Trainer without an end."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import fittingroom as fr
from fittingroom.core.errors import FittingRoomError
from tests.image_fixture import TINY_MODELS, image_arrays

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def data() -> fr.Data:
    arrays = image_arrays()
    return fr.load_data(arrays["images"], arrays["labels"])


class LikeHuggingFace(nn.Module):
    """Its output holds the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 3)

    def forward(self, images: torch.Tensor) -> Any:
        return SimpleNamespace(logits=self.head(images.flatten(1)))


def test_a_network_of_hugging_face_is_trained_and_asked(data: fr.Data) -> None:
    classifier, images = fr.lightning.Classifier(LikeHuggingFace(), data), torch.rand(2, 1, 8, 8)
    classifier.log = lambda *args, **options: None  # type: ignore[method-assign]
    classifier.training_step((images, torch.tensor([0, 2])), 0).backward()
    assert classifier(images).shape == classifier.predict_step([images, torch.tensor([0, 2])], 0).shape == (2, 3)
    assert torch.equal(classifier.predict_step(images, 0), classifier(images))


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (None, {}, "Classifier does not accept None: give the name of a model or an nn.Module"),
        (nn.Linear, {}, "give the name of a model or an nn.Module"),
        (nn.Linear(2, 2), {"depth": 3}, "depth is a setting of models by name, and this one is made: omit it"),
        ("cnn", {"optimizer": "sgd"}, "optimizer 'sgd': give a function of the parameters"),
    ],
)
def test_arguments_that_would_be_ignored_or_fail_later_are_refused(
    data: fr.Data, model: Any, options: Any, said: str
) -> None:
    with pytest.raises(FittingRoomError) as caught:
        fr.lightning.Classifier(model, data, **options)
    assert said in str(caught.value)


def test_a_trainer_without_an_end_is_refused(data: fr.Data) -> None:
    classifier = fr.lightning.Classifier("cnn", data, **TINY_MODELS["cnn"])
    classifier.trainer = SimpleNamespace(estimated_stepping_batches=float("inf"))  # type: ignore[assignment]
    with pytest.raises(FittingRoomError, match="give the Trainer max_epochs or max_steps"):
        classifier.configure_optimizers()


def test_batches_can_be_looked_at_without_a_trainer(data: fr.Data) -> None:
    images, labels = next(iter(fr.lightning.DataModule(data, batch_size=8).train_dataloader()))
    assert images.shape == (8, 1, 8, 8) and labels.shape == (8,)
    with pytest.raises(FittingRoomError, match="batch_size '8': give a whole number"):
        fr.lightning.DataModule(data, batch_size="8")  # type: ignore[arg-type]
