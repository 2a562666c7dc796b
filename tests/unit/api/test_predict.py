"""Answers for picture files: in the order asked for, the same in any batch, and a reason where there is none."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fittingroom.api.predict import predict_files
from fittingroom.api.runs import Run, load_run
from fittingroom.cli.predict import _paths as given_paths
from fittingroom.core.errors import FittingRoomError


@pytest.fixture(scope="module")
def cnn() -> Run:
    return load_run("cnn")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven pictures of other sizes than the network's, one of them in a subfolder, and a text file."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "b").mkdir()
    for number in range(7):
        pixels = np.random.default_rng(number).integers(0, 256, (20 + number, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / ("b" if number == 3 else ".") / f"{number}.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_a_folder_stands_for_its_pictures_in_order(cnn: Run, pictures: Path) -> None:
    found = [each.file for each in predict_files(cnn, [pictures])]
    assert found == sorted(path for path in pictures.rglob("*.png"))
    assert len(found) == 7


def test_files_that_are_no_pictures_by_their_names_are_counted(
    cnn: Run, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Photographs of a telephone end in .heic, and would be missed."""
    assert len(list(predict_files(cnn, [pictures]))) == 7
    assert capsys.readouterr().err.endswith("not pictures by their names, so not read: 1 file (.txt 1)\n")


def test_one_path_alone_is_one_path_not_letters(cnn: Run, pictures: Path) -> None:
    assert [each.file for each in predict_files(cnn, str(pictures / "0.png"))] == [pictures / "0.png"]
    assert len(list(cnn.predict_files(pictures))) == 7


def test_arrays_that_torch_warns_of_or_numpy_lacks_are_read(cnn: Run, recwarn: pytest.WarningsRecorder) -> None:
    locked = np.asarray(Image.new("L", (28, 28), 255))
    assert not locked.flags.writeable
    probs = cnn.predict(locked).probs
    assert cnn.predict(torch.ones(28, 28, dtype=torch.bfloat16)).probs == pytest.approx(probs, abs=1e-6)
    assert not [each for each in recwarn if "writable" in str(each.message)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a b.png\r\nc\u2028d\x0b.png\n", ["a b.png", "c\u2028d\x0b.png"]),
        ("a\n.png\0b.png\0", ["a\n.png", "b.png"]),
        ("", []),
    ],
)
def test_names_on_standard_input_end_where_lines_end(
    text: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert [str(path) for path in given_paths(["-"])] == names


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_answers_are_those_of_each_picture_alone_in_any_batch(cnn: Run, pictures: Path, batch_size: int) -> None:
    files = [*sorted(pictures.glob("*.png"), reverse=True), pictures / "lost.png", pictures / "b"]
    found = list(predict_files(cnn, files, top=10, batch_size=batch_size))
    assert [each.file.name for each in found] == [
        "6.png",
        "5.png",
        "4.png",
        "2.png",
        "1.png",
        "0.png",
        "lost.png",
        "3.png",
    ]
    for each in found:
        if each.error:
            continue
        (alone,) = cnn.predict(each.file).probs
        assert [prob for _, prob in each.classes] == pytest.approx(sorted(alone, reverse=True), abs=1e-5)
        assert each.label == cnn.spec.class_names[alone.argmax()]
        assert sum(prob for _, prob in each.classes) == pytest.approx(1, abs=1e-5)


def test_what_cannot_be_read_has_a_reason_and_no_class(cnn: Run, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "torn.png").write_bytes((pictures / "0.png").read_bytes()[:200])
    asked = [
        tmp_path / "torn.png",
        tmp_path / "lost.png",
        tmp_path / "empty",
        pictures / "notes.txt",
        pictures / "0.png",
    ]
    *bad, good = predict_files(cnn, asked)
    assert [each.label for each in bad] == ["", "", "", ""]
    for each, reason in zip(
        bad, ("not a readable", "does not exist", "holds no pictures", "not a readable"), strict=True
    ):
        assert each.file.name in each.error and reason in each.error and "\n" not in each.error
    assert good.label and not good.error


def test_nothing_is_read_before_it_is_asked_for(cnn: Run, pictures: Path) -> None:
    """Thousands of files need no more memory than one batch: the names themselves are taken one batch at a time."""
    taken = []

    def names():
        for number in range(1000):
            taken.append(number)
            yield pictures / "0.png"

    found = predict_files(cnn, names(), batch_size=4)
    for _ in range(5):
        next(found)
    assert len(taken) == 8


def test_bad_questions_are_refused_at_once(cnn: Run, pictures: Path) -> None:
    for top in (0, 11):
        with pytest.raises(FittingRoomError, match=f"top {top}: give 1 to 10"):
            predict_files(cnn, [pictures], top=top)
    with pytest.raises(FittingRoomError, match="batch_size 0"):
        predict_files(cnn, [pictures], batch_size=0)
    with pytest.raises(FittingRoomError, match="transformer does not read pictures: for words use `pronounce`"):
        predict_files(load_run("transformer"), [pictures])


def test_one_file_alone_is_one_file_and_what_is_no_file_is_named(cnn: Run, pictures: Path) -> None:
    for one in (pictures / "0.png", str(pictures / "0.png")):
        (found,) = predict_files(cnn, one)
        assert found.file == pictures / "0.png" and found.label
    with pytest.raises(FittingRoomError, match="files None: give paths of pictures and folders"):
        predict_files(cnn, None)  # type: ignore[arg-type]
    with pytest.raises(FittingRoomError, match="predict_files reads files, not Image: give paths, or use run"):
        next(predict_files(cnn, [Image.new("L", (9, 9))]))  # type: ignore[list-item]
    with pytest.raises(FittingRoomError, match="alarms 5: give a share above 0"):
        predict_files(cnn, [pictures], alarms="5")  # type: ignore[arg-type]
