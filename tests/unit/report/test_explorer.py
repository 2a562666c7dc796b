"""explorer.npz is checked on the way in and fits into the page; without it the page is as it was."""

import base64
import re
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.report import explorer_pack
from fittingroom.report.explorer import Explorer, read_explorer
from fittingroom.report.explorer_pack import colour_table, explorer_section, pack
from fittingroom.report.page import write_report
from tests.comparison_fixture import CANDIDATES, CLASS_NAMES
from tests.explorer_fixture import CNN, HYBRID, VIT, Arrays, explorer_arrays, write_explorer

NAMES = [candidate.name for candidate in CANDIDATES]


@pytest.fixture
def arrays() -> Arrays:
    return explorer_arrays()


@pytest.fixture
def folder(comparison_folder: Path, tmp_path: Path) -> Path:
    """A copy to which a test may add."""
    return Path(shutil.copytree(comparison_folder, tmp_path / "comparison"))


def read(folder: Path, arrays: Arrays) -> Explorer:
    write_explorer(folder, arrays)
    found = read_explorer(folder, NAMES, len(CLASS_NAMES))
    assert found
    return found


def test_looks_of_other_models_than_the_comparisons_are_not_shown(folder: Path, arrays: Arrays) -> None:
    """As when it was made again with one model fewer, or in another order: places would name the wrong ones."""
    write_explorer(folder, {**arrays, "models": np.array(NAMES[1:])})
    assert read_explorer(folder, NAMES, len(CLASS_NAMES)) is None
    write_explorer(folder, {**arrays, "models": np.array(NAMES)})
    assert read_explorer(folder, NAMES, len(CLASS_NAMES)) is not None


@pytest.mark.thorough
def test_a_folder_without_the_file_gives_the_page_without_the_section(folder: Path, arrays: Arrays) -> None:
    assert read_explorer(folder, NAMES, 10) is None
    before = write_report(folder).read_text(encoding="utf-8")
    assert "explorer" not in before
    path = write_explorer(folder, arrays)
    after = write_report(folder).read_text(encoding="utf-8")
    assert '<h2 id="looks"' in after and len(re.findall(r"<script>", after)) == 1
    path.unlink()
    assert write_report(folder).read_text(encoding="utf-8") == before


@pytest.mark.thorough
def test_the_same_file_gives_the_same_page(folder: Path, arrays: Arrays) -> None:
    write_explorer(folder, arrays)
    assert write_report(folder).read_bytes() == write_report(folder).read_bytes()


@pytest.mark.thorough
def test_sixteen_images_of_usual_models_add_less_than_a_megabyte_and_a_half(folder: Path) -> None:
    before = write_report(folder).stat().st_size
    write_explorer(folder, explorer_arrays(num_images=16, num_layers=4, num_heads=4))
    page = write_report(folder).read_text(encoding="utf-8")
    assert 500_000 < len(page.encode()) - before < 1_500_000
    assert page.count('name="explorer-image"') == 16


def test_images_beyond_the_limit_are_left_out_evenly_and_counted(
    tmp_path: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = read(tmp_path, arrays)
    weight = sum(-(-len(pack(look, 0)) // 3) * 4 for look in found.looks)
    monkeypatch.setattr(explorer_pack, "MAX_BYTES", 3.5 * weight)
    section = explorer_section(found, CANDIDATES, CLASS_NAMES)
    assert [len(group.members) for group in section["groups"]] == [1, 1, 1]
    assert [image["index"] for image in section["data"]["images"]] == [100, 114, 128]
    assert section["num_left_out"] == 3
    monkeypatch.setattr(explorer_pack, "MAX_BYTES", 1)
    assert explorer_section(found, CANDIDATES, CLASS_NAMES)["num_left_out"] == 5


def test_a_block_holds_the_arrays_in_their_order(tmp_path: Path, arrays: Arrays) -> None:
    section = explorer_section(read(tmp_path, arrays), CANDIDATES, CLASS_NAMES)
    model = section["data"]["models"][0]
    layers, heads, tokens = model["attention"]["shape"]
    assert (layers, heads, tokens, model["attention"]["grid"], model["attention"]["prefix"]) == (3, 2, 50, [7, 7], 1)
    block = zlib.decompress(base64.b64decode(model["packed"][4]))
    scale, pool = layers * heads * tokens, tokens
    floats = np.frombuffer(block, "<f4", count=scale + pool)
    rest = np.frombuffer(block, np.uint8, offset=4 * (scale + pool))
    np.testing.assert_array_equal(floats[:scale], arrays["m0_scale"][4].ravel())
    np.testing.assert_array_equal(floats[scale:], arrays["m0_pool"][4])
    np.testing.assert_array_equal(rest[: scale * tokens], arrays["m0_attention"][4].ravel())
    np.testing.assert_allclose(rest[scale * tokens :] / 255, arrays["m0_saliency"][4].ravel(), atol=0.5 / 255 + 1e-6)


def test_models_are_told_apart_by_how_they_answer(tmp_path: Path, arrays: Arrays) -> None:
    arrays["m2_pool"] = np.full_like(arrays["m2_pool"], 1 / 49)
    found = explorer_section(read(tmp_path, arrays), CANDIDATES, CLASS_NAMES)["data"]["models"]
    assert [model["attention"] and model["attention"]["answer"] for model in found] == ["class", None, "mean"]
    found = explorer_section(read(tmp_path, explorer_arrays()), CANDIDATES, CLASS_NAMES)["data"]["models"]
    assert found[HYBRID]["attention"]["answer"] == "weighted"


@pytest.mark.thorough
def test_a_model_without_a_finished_run_is_passed_over(folder: Path, arrays: Arrays) -> None:
    without = {name: array for name, array in arrays.items() if not name.startswith("m0_")}
    section = explorer_section(read(folder, without), CANDIDATES, CLASS_NAMES)
    assert [look["place"] for look in section["looks"]] == [CNN, HYBRID]
    assert len(section["data"]["images"][0]["opinions"]) == 2
    assert 'id="explorer-data"' in write_report(folder).read_text(encoding="utf-8")


def test_opinions_are_those_of_the_probabilities(tmp_path: Path, arrays: Arrays) -> None:
    images = explorer_section(read(tmp_path, arrays), CANDIDATES, CLASS_NAMES)["data"]["images"]
    assert [[each["right"] for each in image["opinions"]] for image in images] == (
        [[False] * 3] * 2 + [[True, False, True]] * 2 + [[True] * 3] * 2
    )
    assert images[3]["opinions"][VIT]["predicted"] == images[3]["truth"] == CLASS_NAMES[arrays["labels"][3]]


def test_large_and_colour_images_are_carried(tmp_path: Path, arrays: Arrays) -> None:
    arrays["images"] = np.zeros((6, 130, 100, 3), dtype=np.uint8)
    for place in range(3):
        arrays[f"m{place}_saliency"] = np.ones((6, 130, 100), dtype=np.float16)
    data = explorer_section(read(tmp_path, arrays), CANDIDATES, CLASS_NAMES)["data"]
    rows, columns = data["models"][CNN]["saliency"]
    assert max(rows, columns) <= explorer_pack.MAX_SIDE
    assert len(zlib.decompress(base64.b64decode(data["models"][CNN]["packed"][0]))) == rows * columns


@pytest.mark.thorough
def test_names_from_files_do_not_end_the_data(folder: Path, arrays: Arrays) -> None:
    arrays["m1_caption"] = np.array("</script><script>alert(1)</script>")
    write_explorer(folder, arrays)
    assert "alert(1)</script>" not in write_report(folder).read_text(encoding="utf-8")


def test_the_colours_rise_evenly_in_lightness() -> None:
    table = colour_table()
    assert table.shape == (256, 3)
    lightness = table @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > -0.5).all() and lightness[-1] - lightness[0] > 150


def cut(arrays: Arrays, name: str) -> None:
    arrays[name] = arrays[name][:-1]


def infinite(arrays: Arrays, name: str) -> None:
    arrays[name] = np.full_like(arrays[name], np.nan)


def absent(arrays: Arrays, name: str) -> None:
    del arrays[name]


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("labels", cut),
        ("index", cut),
        ("kind", cut),
        ("images", absent),
        ("m0_probs", cut),
        ("m1_saliency", infinite),
        ("m0_attention", cut),
        ("m0_scale", infinite),
        ("m2_pool", cut),
        ("m2_grid", cut),
        ("m2_grid", absent),
        ("m1_caption", absent),
    ],
)
def test_a_damaged_file_is_named_with_the_way_out(
    tmp_path: Path, arrays: Arrays, name: str, spoil: Callable[[Arrays, str], None]
) -> None:
    spoil(arrays, name)
    write_explorer(tmp_path, arrays)
    with pytest.raises(FittingRoomError, match=r"explorer\.npz is damaged .*: delete it and run the comparison again"):
        read_explorer(tmp_path, NAMES, len(CLASS_NAMES))


@pytest.mark.parametrize("content", [b"", b"<!doctype html>", b"PK\x03\x04 and no more"])
def test_a_file_that_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "explorer.npz").write_bytes(content)
    with pytest.raises(FittingRoomError, match=r"explorer\.npz is damaged"):
        read_explorer(tmp_path, NAMES, 10)


def test_labels_and_kinds_that_mean_nothing_are_refused(tmp_path: Path, arrays: Arrays) -> None:
    write_explorer(tmp_path, {**arrays, "labels": arrays["labels"] + 10})
    with pytest.raises(FittingRoomError, match="labels lie outside 0 to 9"):
        read_explorer(tmp_path, NAMES, 10)
    write_explorer(tmp_path, {**arrays, "kind": np.array(["odd"] * 6)})
    with pytest.raises(FittingRoomError, match="kind is 'odd'"):
        read_explorer(tmp_path, NAMES, 10)


def test_a_file_without_images_shows_nothing(tmp_path: Path, arrays: Arrays) -> None:
    write_explorer(tmp_path, {name: array[:0] if array.ndim else array for name, array in arrays.items()})
    with pytest.raises(FittingRoomError):  # an empty grid is no grid
        read_explorer(tmp_path, NAMES, 10)
    none = {name: arrays[name][:0] for name in ("images", "labels", "index", "kind")}
    write_explorer(tmp_path, none)
    assert read_explorer(tmp_path, NAMES, 10) is None
