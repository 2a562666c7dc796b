"""A call of the API works whatever the user has set in torch, and leaves no trace in the user's process."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fittingroom as fr
from tests.image_fixture import TINY_MODELS, image_arrays, write_image_run, write_npz
from tests.unit.core.test_torch_settings import SETTINGS
from tests.unit.training.test_process_state import words

pytestmark = pytest.mark.thorough

IMAGES = image_arrays(3)["images"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs")
    write_image_run(place / "vit", write_npz(place, number=90))
    return place


def answers(folder: Path) -> list[Any]:
    """What every call says, in numbers."""
    run = fr.load_run(folder / "vit")
    data = fr.load_data(folder / "fruit.npz")
    picture, label = data.train[0]
    return [
        run.predict(IMAGES).probs,
        fr.explain(run, IMAGES).saliency["vit"],
        fr.explain(folder / "vit", index=2, method="rollout").saliency["vit"],
        list(run.evaluate("val").values()),
        fr.create_model("vit", data, **TINY_MODELS["vit"]).state_dict()["head.weight"].numpy(),
        picture.numpy(),
        [label],
    ]


@pytest.mark.parametrize("name", SETTINGS)
def test_answers_do_not_depend_on_what_the_user_set(folder: Path, name: str) -> None:
    expected = answers(folder)
    with SETTINGS[name]():
        found = answers(folder)
        run = fr.load_run(folder / "vit")
        figures = fr.plot.saliency(run, IMAGES), fr.plot.attention(run, IMAGES)
    assert all(figures)
    for one, other in zip(found, expected, strict=True):
        assert np.asarray(one).dtype == np.asarray(other).dtype
        np.testing.assert_array_equal(one, other)


def test_calls_leave_the_users_random_state(folder: Path) -> None:
    before = torch.get_rng_state()
    answers(folder)
    fr.explain(folder / "vit", IMAGES, method="random")
    assert torch.equal(torch.get_rng_state(), before)


def test_training_leaves_the_process_as_it_was(folder: Path, tmp_path: Path) -> None:
    import fittingroom.training.fit  # noqa: F401  (importing Lightning sets the level of its logger)

    before, random = words(), torch.get_rng_state()
    with torch.no_grad():
        fr.train(
            "cnn",
            folder / "fruit.npz",
            epochs=1,
            folder=tmp_path / "run",
            plan={"num_threads": "1"},
            **TINY_MODELS["cnn"],
        )
    assert words() == before and torch.equal(torch.get_rng_state(), random)
