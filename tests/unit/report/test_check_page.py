"""The page of `data check` holds what was found, asks for nothing from outside, and replaces no file that is not its own."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.check import ImageCheck, check_images
from fittingroom.report.check_page import check_page_path, image_address, render_check_page, write_check_page
from tests.pictures_fixture import pixels, save, write_folder


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> ImageCheck:
    root = write_folder(tmp_path_factory.mktemp("page") / "pets", ("cat", "<i>dog"), number=12, parts=("train", "test"))
    save(root / "train" / "cat" / "leak.bmp", pixels(0, 103))
    for number in range(9):
        save(root / "train" / "cat" / f"same{number}.bmp", pixels(0, 1))
    (root / "train" / "cat" / "bad&.png").write_bytes(b"")
    return check_images(str(root))


@pytest.fixture(scope="module")
def page(check: ImageCheck) -> str:
    return render_check_page(check)


def test_nothing_is_loaded_and_only_the_own_script_runs(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None and policy[1].startswith("default-src 'none'; img-src data:;")
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert page.count("<script>") == 1


def test_every_finding_is_listed_and_linked(page: str, check: ImageCheck) -> None:
    for finding in check.findings:
        assert f'href="#{finding.kind}"' in page and f'id="{finding.kind}"' in page
    assert "2 things to look at" not in page and "3 things to look at" in page
    assert "Training needs <code>--skip-bad</code>" in page


def test_names_are_escaped_and_long_sets_are_cut(page: str) -> None:
    assert "<i>dog" not in page and "bad&amp;.png" in page
    assert "and 4 more</p>" in page  # ten equal pictures, of which six are shown


def test_pictures_on_the_page_are_those_of_the_files(page: str) -> None:
    assert image_address(pixels(0, 103)) in page
    assert image_address(np.zeros((90, 60, 3), np.uint8)).startswith("data:image/jpeg;")


def test_a_page_is_replaced_but_nothing_else(tmp_path: Path, check: ImageCheck) -> None:
    path = write_check_page(check, tmp_path / "check.html")
    first = path.read_bytes()
    assert write_check_page(check, path).read_bytes() == first
    (tmp_path / "mine.html").write_text("<p>mine")
    for name, said in (("mine.html", "is not a page of fittingroom"), ("x.png", "give a .html file")):
        with pytest.raises(FittingRoomError, match=said):
            check_page_path(tmp_path / name)
    assert (tmp_path / "mine.html").read_text() == "<p>mine"


def test_a_file_that_has_gone_meanwhile_is_a_grey_square(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "pets", number=12)
    save(root / "cat" / "flat.png", np.full((8, 8), 3, np.uint8))
    check = check_images(str(root))
    (root / "cat" / "flat.png").unlink()
    assert image_address(np.full((48, 48), 128, np.uint8)) in render_check_page(check)
    Image.new("L", (1, 1)).save(root / "cat" / "flat.png")
