"""What a data set needs to know of a file costs no more than it must: sizes, large files, pipes."""

import os
from pathlib import Path

import pytest
from PIL import Image

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images import decode
from fittingroom.data.images.decode import shown_size
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.images.pictures import open_pictures
from tests.pictures_fixture import pixels, save, write_folder
from tests.unit.data.images.test_metadata import TURN, TURNED, sideways, tiff
from tests.unit.data.images.test_orientation import DAMAGED, block


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def refused(root: Path) -> str:
    with pytest.raises(FittingRoomError) as caught:
        open_pictures(root, PictureOptions())
    return str(caught.value)


def test_the_size_is_that_of_upright_pictures_of_any_format(tmp_path: Path) -> None:
    """The orientation is behind the pixels, or in a block with other tags that are damaged."""
    exif = block(">", *DAMAGED["rational as text"])
    wide = Image.new("RGB", (24, 12))
    wide.save(tmp_path / "a.jpg", exif=exif)
    wide.save(tmp_path / "b.webp", exif=exif)
    whole = sideways(after=TURNED["eXIf"])
    (tmp_path / "c.png").write_bytes(whole)
    (tmp_path / "d.tif").write_bytes(tiff(TURN))
    (tmp_path / "e.png").write_bytes(b"nothing")
    sizes = [shown_size(tmp_path / name) for name in ("a.jpg", "b.webp", "c.png", "d.tif", "e.png", "lost.png")]
    assert sizes == [(12, 24), (12, 24), (16, 32), (16, 32), None, None]


def test_no_pixels_are_decoded_to_choose_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file may hold a picture of many gigabytes."""
    save(tmp_path / "a.png", pixels(0, 0))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    assert shown_size(tmp_path / "a.png") == (12, 12)
    monkeypatch.setattr(decode, "MAX_PIXELS", 100)
    assert shown_size(tmp_path / "a.png") is None


def test_a_large_file_that_is_no_picture_is_not_read(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    with (root / "cat" / "film.png").open("wb") as file:
        file.truncate(2**40)  # takes no place on the disk
    assert "1 of 21 pictures cannot be read: cat/film.png" in refused(root)


def test_a_pipe_in_a_table_is_not_waited_for(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    os.mkfifo(root / "pipe.png")
    rows = [f"{label}/{number}.png,{label}" for label in ("cat", "dog") for number in range(10)]
    (root / "t.csv").write_text("\n".join(["path,label", "pipe.png,cat", *rows]))
    assert (
        "pipe.png" in refused(root / "t.csv")
        and "is a pipe" in open_pictures(root / "t.csv", PictureOptions(skip_bad=True)).spec.skipped[0]
    )
