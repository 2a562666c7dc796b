"""Default folders name the data, so that runs on two data sets do not meet in one folder."""

from pathlib import Path

import pytest

from fittingroom.api.runs import data_slug
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.seq2seq.config import Seq2seqConfig


def test_default_data_has_no_slug() -> None:
    assert data_slug(ClassificationConfig(model="cnn", epochs=1.0)) == []
    assert data_slug(Seq2seqConfig(model="transformer", epochs=1.0)) == []


def test_folders_files_and_names_are_slugs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos v1.2"
    folder.mkdir()
    for data, slug in [(f"{folder}/", "photos v1.2"), ("x/labels.csv", "labels"), ("mnist", "mnist")]:
        assert data_slug(ClassificationConfig(model="cnn", epochs=1.0, data=data)) == [slug]
    monkeypatch.chdir(folder)
    assert data_slug(ClassificationConfig(model="cnn", epochs=1.0, data=".")) == ["photos v1.2"]


def test_a_hostile_name_stays_one_path_part(tmp_path: Path) -> None:
    (slug,) = data_slug(ClassificationConfig(model="cnn", epochs=1.0, data=str(tmp_path / ("a\nb:" + "é" * 90))))
    assert len(slug.encode()) <= 60 and slug.isprintable() and "/" not in slug
