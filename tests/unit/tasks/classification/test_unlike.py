"""Pictures that show none of the classes: distances against scipy, and alarms as often as asked for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.distance import mahalanobis
from torch import Tensor

import fittingroom as fr
from fittingroom.core.errors import FittingRoomError
from fittingroom.tasks.classification.unlike import _classes, _distances, _shares
from tests.own_images import write_images

pytestmark = pytest.mark.thorough


def features(number: int, seed: int, shift: float = 0.0) -> tuple[Tensor, Tensor]:
    """Three classes in six dimensions, with correlated noise."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(number) % 3
    noise = torch.randn(number, 6, generator=draw) @ torch.linspace(-1, 2, 36).reshape(6, 6)
    return noise + 4 * torch.eye(6)[labels] + torch.randn(number, 6, generator=draw) + shift, labels


def test_distances_are_those_of_mahalanobis_to_the_nearest_class() -> None:
    known, labels = features(300, 0)
    means, metric = _classes(known, labels)
    centres = [known[labels == label].mean(dim=0).numpy() for label in range(3)]
    rest = (known - torch.from_numpy(np.stack(centres))[labels]).double().numpy()
    covariance = rest.T @ rest / 300
    covariance += 1e-3 * np.diag(covariance).mean() * np.eye(6)
    new, _ = features(20, 1)
    wanted = [min(mahalanobis(row, centre, np.linalg.inv(covariance)) for centre in centres) for row in new.numpy()]
    np.testing.assert_allclose(_distances(new, means, metric), wanted, rtol=1e-3)


def test_usual_pictures_raise_alarms_as_often_as_asked_and_others_always() -> None:
    means, metric = _classes(*features(600, 0))
    val = _distances(features(999, 1)[0], means, metric).sort().values
    shares = _shares(val, _distances(features(4000, 2)[0], means, metric)).numpy()
    for alarms in (0.01, 0.05, 0.2):
        assert abs((shares <= alarms).mean() - alarms) < 4 * np.sqrt(alarms / 999 + alarms / 4000)
    foreign = _distances(features(100, 3, shift=40.0)[0], means, metric)
    assert _shares(val, foreign).max().item() == pytest.approx(1 / 1000)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> fr.Run:
    folder = tmp_path_factory.mktemp("unlike")
    images = write_images(folder / "mine.npz", size=(28, 28))
    small = {"widths": (8, 16, 16), "blocks": (0, 0, 0)}
    return fr.train("cnn", str(images), epochs=6, folder=folder / "run", settings=small)


def test_a_picture_of_something_else_is_none_of_these(run: fr.Run, tmp_path: Path) -> None:
    with np.load(run.folder.parent / "mine.npz") as arrays:
        known = arrays["images"][:20]
    for number, pixels in enumerate(known):
        Image.fromarray(pixels).save(tmp_path / f"{number:02}.png")
    stripes = np.zeros((28, 28, 3), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "foreign.png")
    *usual, foreign = run.predict_files([tmp_path], alarms=0.1)
    assert foreign.file.name == "foreign.png" and foreign.none_of_these and foreign.classes
    assert sum(each.none_of_these for each in usual) <= 6
    assert all(each.usual and each.none_of_these == (each.usual <= 0.1) for each in (*usual, foreign))
    assert [each.usual for each in run.predict_files([tmp_path / "foreign.png"])] == [None]


def test_shares_that_cannot_be_told_are_refused(run: fr.Run) -> None:
    with pytest.raises(
        FittingRoomError, match=r"^2 % is less than one of 36 validation pictures: allow 2\.8 % or more$"
    ):
        next(run.predict_files(["x.png"], alarms=0.02))
    with pytest.raises(FittingRoomError, match=r"^alarms 5: give a share above 0 and below 1, such as 0\.05$"):
        next(run.predict_files(["x.png"], alarms=5))
