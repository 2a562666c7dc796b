"""`load_data` and `create_model`: names, files, arrays; and what does not fit is one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

import fittingroom as fr
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.tensors import plain_array
from fittingroom.data.images.batches import normalise
from fittingroom.data.images.image_file import own_image
from fittingroom.tasks.base import DataRequest
from tests.image_fixture import CLASS_NAMES, TINY_MODELS, image_arrays, write_npz
from tests.pairs_fixture import GREEK, made_up, write_tsv
from tests.pictures_fixture import write_folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays from memory are stored below the test's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def refused(call: Any, *args: Any, **options: Any) -> str:
    """The one line with which the call is refused."""
    with pytest.raises(FittingRoomError) as caught:
        call(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Data


def test_a_file_is_described_without_opening_its_test_part(tmp_path: Path) -> None:
    data = fr.load_data(write_npz(tmp_path, number=90))
    assert data.title == data.spec.name == "fruit" and data.class_names == CLASS_NAMES
    assert (len(data.train), len(data.val), data.spec.num_test) == (61, 11, 18)
    assert repr(data) == f"Data('{tmp_path / 'fruit.npz'}')"
    assert data._repr_html_() == ("<b>fruit</b>: 61 training, 11 validation and 18 test items (sealed), 3 classes")
    assert fr.load_data(data) is data
    assert not any("test" in name for name in vars(type(data)))


def test_images_come_normalised_one_by_one_and_in_a_data_loader(tmp_path: Path) -> None:
    data = fr.load_data(str(write_npz(tmp_path, channels=3)))
    image, label = data.train[4]
    stored = data.train.images
    assert image.shape == (3, 8, 8) and image.dtype == torch.float32
    assert torch.equal(image, normalise(stored.images[4:5], data.spec)[0]) and label == stored.labels[4]
    images, labels = next(iter(DataLoader(data.train, batch_size=7)))
    assert images.shape == (7, 3, 8, 8) and torch.equal(images[4], image) and labels[4] == label
    whole = torch.stack([each for each, _ in data.train])
    assert whole.mean(dim=(0, 2, 3)).abs().max() < 0.1 and (whole.std(dim=(0, 2, 3)) - 1).abs().max() < 0.1
    with pytest.raises(IndexError):
        _ = data.train[len(data.train)]


def test_the_seed_divides_train_and_val_and_leaves_the_test_part_alone(tmp_path: Path) -> None:
    path = write_npz(tmp_path, number=90)
    one, other = fr.load_data(path), fr.load_data(path, seed=1)
    assert set(one.val.images.index.tolist()) != set(other.val.images.index.tolist())
    together = [sorted([*each.train.images.index.tolist(), *each.val.images.index.tolist()]) for each in (one, other)]
    assert together[0] == together[1]
    assert refused(lambda: fr.load_data(path, seed=-1).train) == "seed -1 is negative: give a whole number from 0 up"


@pytest.mark.parametrize(
    "convert",
    [lambda values: values, torch.tensor, list],
    ids=["numpy", "torch", "a list of arrays"],
)
def test_arrays_of_any_kind_are_one_data_set(convert: Any) -> None:
    arrays = image_arrays()
    data = fr.load_data(convert(arrays["images"].astype(np.uint8)), convert(arrays["labels"]), class_names=CLASS_NAMES)
    assert data.class_names == CLASS_NAMES and data.spec.image_shape == (1, 8, 8)
    assert Path(data.source).is_file()
    assert fr.load_data(data.source).spec == data.spec


class Pairs:
    """A data set as torchvision has it."""

    def __init__(self, items: list[Any], classes: list[str]) -> None:
        self.items, self.classes = items, classes

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> Any:
        return self.items[place]


def fruit_pictures(channels: int = 3) -> tuple[list[Image.Image], list[int]]:
    arrays = image_arrays(channels=channels)
    return [Image.fromarray(each.squeeze()) for each in arrays["images"]], arrays["labels"].tolist()


def test_pil_pictures_are_a_data_set() -> None:
    pictures, labels = fruit_pictures()
    data = fr.load_data(pictures, labels, class_names=CLASS_NAMES)
    assert data.class_names == CLASS_NAMES and data.spec.image_shape == (3, 8, 8)
    stored = data.train.images
    wanted = np.asarray(pictures[int(stored.index[0])]).transpose(2, 0, 1)
    assert np.array_equal(stored.read(torch.tensor([0]))[0].numpy(), wanted)
    sized = fr.load_data(
        [each.resize((40, 30)) for each in pictures], labels, image_size=(12, 16), resize="pad", channels=1
    )
    assert sized.spec.image_shape == (1, 12, 16)
    assert fr.load_data(*fruit_pictures(channels=1)).spec.channels == 1


@pytest.mark.parametrize("convert", [lambda each: each, torch.tensor, lambda each: Image.fromarray(each)])
def test_a_data_set_of_pairs_is_a_data_set(convert: Any) -> None:
    arrays = image_arrays(channels=3)
    items = [(convert(image), int(label)) for image, label in zip(arrays["images"], arrays["labels"], strict=True)]
    data = fr.load_data(Pairs(items, list(CLASS_NAMES)))
    assert data.class_names == CLASS_NAMES and data.spec.image_shape == (3, 8, 8)


def test_what_is_no_picture_is_named() -> None:
    pictures, labels = fruit_pictures()
    assert "item 1 is not a picture, but others are" in refused(fr.load_data, [pictures[0], 3], labels[:2])
    assert "group is for pictures in files: omit it" in refused(fr.load_data, pictures, labels, group="a")
    assert "image_size is for pictures" in refused(fr.load_data, np.zeros((9, 2, 2)), labels[:9], image_size=8)
    assert "item 0 of the data set is Image, not (picture, label)" in refused(fr.load_data, Pairs(pictures, []))


@pytest.mark.parametrize("resize", [None, "crop", "pad", "stretch"])
def test_new_pictures_become_images_as_those_in_memory_did(resize: str | None) -> None:
    """A dark picture of 16 bits alone could be one of 12 bits."""
    draw = np.random.default_rng(0)
    values = [draw.integers(0, 300 if place % 3 else 60_000, (20, 12 + place)).astype(np.uint16) for place in range(12)]
    pictures = [Image.fromarray(each) for each in values]
    data = fr.load_data(pictures, [0, 1] * 6, image_size=12, resize=resize)
    assert dict(data.spec.preprocessing.white) == {"I;16": 65535}
    train = data._task.splits.train
    for image, place in zip(train.images, train.index.tolist(), strict=True):
        np.testing.assert_array_equal(own_image(pictures[place], data.spec).pixels.numpy(), image.numpy())


def test_a_list_of_paths_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    said = refused(fr.load_data, ["a/1.png", "b/2.png"], [0, 1])
    assert "paths, such as a/1.png" in said and "table" in said
    assert not list(tmp_path.rglob("*.npz"))


def test_a_folder_of_pictures_is_a_data_set(tmp_path: Path) -> None:
    data = fr.load_data(write_folder(tmp_path / "pets"), image_size=8)
    assert data.class_names == ("cat", "dog") and data.spec.image_shape == (3, 8, 8) and data.title == "pets"
    image, label = data.train[0]
    assert image.shape == (3, 8, 8) and label == 0
    images, labels = next(iter(DataLoader(data.val, batch_size=2)))
    assert images.shape == (2, 3, 8, 8) and len(labels) == 2


def test_lists_of_whole_numbers_are_no_pixels_by_mistake() -> None:
    arrays = image_arrays()
    assert "give uint8 pixels" in refused(
        fr.load_data, (arrays["images"].astype(int) * 2).astype(int), arrays["labels"]
    )


@pytest.mark.parametrize(
    ("args", "options", "said"),
    [
        (("fashon-mnist",), {}, "unknown data set 'fashon-mnist': did you mean 'fashion-mnist'?"),
        (("some data",), {}, "unknown data set 'some data'"),
        ((None,), {}, "arrays without labels: write load_data(images, labels)"),
        ((np.zeros((4, 2, 2)),), {}, "arrays without labels: write load_data(images, labels)"),
        ((np.zeros((4, 2, 2)), [0, 1]), {}, "2 labels for 4 images"),
        ((np.zeros((4, 2, 2)), [0, 0, 0, 0]), {}, "holds only one class"),
        ((np.full((9, 2, 2), np.nan), [0, 1, 2] * 3), {}, "give uint8 pixels 0 to 255, or floats from 0 to 1"),
        (([np.zeros((2, 2)), np.zeros((3, 3))], [0, 1]), {}, "images differ in size"),
        (("mine.npz", [0, 1]), {}, "labels and class_names belong to arrays, and mine.npz has its own: omit them"),
        (("mine.npz",), {"class_names": ["a"]}, "labels and class_names belong to arrays"),
    ],
)
def test_bad_data_is_refused_at_once(args: Any, options: Any, said: str) -> None:
    assert said in refused(fr.load_data, *args, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": "missing.npz"}, "missing.npz cannot be read (No such file or directory)"),
        ({"source": "missing.tsv"}, "missing.tsv cannot be read (No such file or directory)"),
        ({"source": "a.tsv", "dev": "b.tsv"}, "--train, --dev and --test belong together: give all three"),
        ({"source": "a.tsv", "test": "b.tsv"}, "--train, --dev and --test belong together: give all three"),
        ({"source": "mine.npz", "stress": "keep"}, "--stress: vit classifies images"),
        ({"source": "cmudict", "stress": "loud"}, "--stress loud: choose strip or keep"),
        ({"source": "a.tsv", "stress": "keep"}, "--stress keep is for cmudict only: omit it"),
    ],
)
def test_data_that_cannot_be_read_is_refused_when_it_is_read(options: Any, said: str) -> None:
    data = fr.load_data(**options)
    assert said in refused(lambda: data.spec)


def test_three_files_of_pairs_are_one_data_set(tmp_path: Path) -> None:
    files = [
        str(write_tsv(tmp_path / f"{part}.tsv", made_up(GREEK, 30, seed=place)))
        for place, part in enumerate(("train", "dev", "test"))
    ]
    data = fr.load_data(files[0], dev=files[1], test=files[2])
    assert data.task_class.name == "seq2seq" and data.class_names == ()
    assert (len(data.train), len(data.val)) == (30, 30) and data.spec.dev == files[1]


def test_a_source_alone_is_what_is_trained_on(tmp_path: Path) -> None:
    """Not the default data set of the task."""
    data = fr.Data(str(write_npz(tmp_path)))
    assert data.spec.name == "fruit" and data.asked == DataRequest(data=data.source)
    assert fr.create_model("vit", data, **TINY_MODELS["vit"])(torch.zeros(1, 1, 8, 8)).shape == (1, 3)


def test_text_from_a_file_name_is_escaped(tmp_path: Path) -> None:
    data = fr.load_data(write_npz(tmp_path, name="<b>&'evil"))
    assert "<b>&lt;b&gt;&amp;&#x27;evil</b>: " in data._repr_html_()


def test_tensors_that_need_gradients_are_arrays_too() -> None:
    values = plain_array(torch.ones(2, requires_grad=True))
    assert isinstance(values, np.ndarray) and values.tolist() == [1.0, 1.0]


# Models


@pytest.mark.parametrize("name", fr.list_models("classification"))
def test_a_model_has_the_sizes_of_the_data(tmp_path: Path, name: str) -> None:
    model = fr.create_model(name, write_npz(tmp_path, channels=3), **TINY_MODELS.get(name, {}))
    assert isinstance(model, nn.Module) and model(torch.rand(2, 3, 8, 8)).shape == (2, 3)


def test_without_data_a_model_has_its_own_sizes_and_may_be_given_others() -> None:
    assert fr.create_model("vit", depth=1)(torch.rand(1, 1, 28, 28)).shape == (1, 10)
    model = fr.create_model("vit", img_size=16, in_chans=3, num_classes=5, depth=1, embed_dim=16, num_heads=2)
    assert model(torch.rand(1, 3, 16, 16)).shape == (1, 5)


def test_a_model_is_a_function_of_its_seed(tmp_path: Path) -> None:
    path = write_npz(tmp_path)

    def weights(seed: int) -> list[torch.Tensor]:
        torch.manual_seed(seed + 7)
        return list(fr.create_model("vit", path, seed=seed, **TINY_MODELS["vit"]).parameters())

    assert all(torch.equal(*pair) for pair in zip(weights(3), weights(3), strict=True))
    assert not all(torch.equal(*pair) for pair in zip(weights(3), weights(4), strict=True))
    before = torch.get_rng_state()
    fr.create_model("vit", **TINY_MODELS["vit"])
    assert torch.equal(torch.get_rng_state(), before)


def test_settings_may_be_values_of_numpy(tmp_path: Path) -> None:
    model: Any = fr.create_model("vit", write_npz(tmp_path), depth=np.int64(2), embed_dim=16, num_heads=2)
    assert len(model.blocks) == 2


@pytest.mark.parametrize(
    ("args", "settings", "said"),
    [
        (("vot",), {}, "unknown model 'vot': did you mean 'vit'?"),
        ((3,), {}, "model 3: give its name, such as 'vit'"),
        (("vit",), {"dept": 3}, "unknown key 'dept': did you mean 'depth'?"),
        (("vit",), {"depth": "two"}, "depth: expected a whole number, got 'two'"),
        (("vit",), {"img_size": 30}, "patch_size 4 does not divide img_size 30"),
        (("vit",), {"seed": -1}, "seed -1 is negative"),
        (("vit",), {"seed": "a"}, "seed 'a' is not a whole number"),
        (("vit",), {"seed": True}, "seed True is not a whole number"),
        (("vit", "NPZ"), {"dept": 3}, "unknown key 'dept' for vit: did you mean 'depth'?"),
        (("vit", "NPZ"), {"img_size": 32}, "img_size: the data determines it: omit it"),
        (("vit", "NPZ"), {"patch_size": 3}, "patch_size 3 does not divide img_size 8"),
        (("vit", "NPZ"), {"depth": object()}, "depth does not accept type object"),
        (
            ("transformer", "NPZ"),
            {},
            "holds images, and transformer reads pairs of sequences: give cmudict or a TSV file",
        ),
        (("vit", "a.tsv"), {}, "vit classifies images (a folder of pictures, a table of them, or a .npz file"),
        (("vit", "cmudict"), {}, "vit classifies images (a folder of pictures, a table of them, or a .npz file"),
        (("vit", "pictures"), {}, "unknown data set 'pictures': known: "),
    ],
)
def test_what_is_no_model_is_named(tmp_path: Path, args: Any, settings: Any, said: str) -> None:
    path = str(write_npz(tmp_path))
    assert said in refused(fr.create_model, *(path if each == "NPZ" else each for each in args), **settings)


def test_models_are_listed_by_task() -> None:
    images, words = fr.list_models("classification"), fr.list_models("seq2seq")
    assert {"vit", "cnn", "hybrid"} <= set(images) and {"transformer", "recurrent"} <= set(words)
    assert not set(images) & set(words) and set(fr.list_models()) == {*images, *words}
    said = refused(fr.list_models, "clasification")
    assert said == "unknown task 'clasification': did you mean 'classification'?"


class UserDataset(torch.utils.data.Dataset[Any]):
    """Items (picture, label); an item that is an error is raised."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> Any:
        item = self.items[place]
        if isinstance(item, Exception):
            raise item
        return item


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (OSError("disk\ngone"), "item 1 of the data set cannot be read (OSError: disk gone): mend or remove it"),
        ((torch.rand(1, 4, 4), torch.eye(3)[1]), "the label of item 1 has shape (3,): give the number or name of one class"),
        ((torch.rand(1, 4, 4), np.ones((2, 2))), "the label of item 1 has shape (2, 2)"),
    ],
)  # fmt: skip
def test_an_item_that_cannot_be_read_is_named(item: Any, said: str) -> None:
    items = UserDataset([(torch.rand(1, 4, 4), 0), item])
    with pytest.raises(FittingRoomError) as caught:
        fr.load_data(items)
    assert said in str(caught.value)


def test_labels_of_one_number_are_numbers_in_any_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pictures, labels = image_arrays()["images"], image_arrays()["labels"]
    forms: list[Any] = [int, np.int64, torch.tensor, np.array, lambda label: torch.tensor([label])]
    sources = {
        fr.load_data(UserDataset([(x, form(y)) for x, y in zip(pictures, labels, strict=True)])).source
        for form in forms
    }
    assert len(sources) == 1


def test_arrays_that_are_refused_leave_no_file_and_name_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for images, labels, said in (
        (np.ones((4, 3, 3), int), [0, 1, 0, 1], "images holds int64 values"),
        (np.ones((4, 3, 3), np.uint8), [0, 1], "labels: 2 labels for 4 images"),
    ):
        with pytest.raises(FittingRoomError) as caught:
            fr.load_data(images, labels)
        assert str(caught.value).startswith(said)
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_half_precision_of_other_libraries_is_read() -> None:
    images = torch.rand(30, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    for given in (images.bfloat16(), images.half(), list(images.bfloat16())):
        assert fr.load_data(given, torch.arange(30) % 3).image_size == (4, 4)
