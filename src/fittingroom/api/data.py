"""`load_data`: a data set by name, from a file, or from arrays in memory."""

import sys
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_file, user_path
from fittingroom.core.registry import Registry
from fittingroom.core.tensors import plain_array
from fittingroom.core.torch_settings import usual_torch
from fittingroom.data.images.arrays import save_arrays
from fittingroom.data.images.batches import normalise
from fittingroom.data.images.load import unknown
from fittingroom.data.images.memory import as_array, is_dataset, items_of
from fittingroom.data.images.options import PictureOptions, picture_options
from fittingroom.data.spec import DataSpec, Source
from fittingroom.models import MODELS, SEQUENCE_MODELS
from fittingroom.recipes.budget import Images
from fittingroom.tasks.base import TASKS, DataRequest, Task
from fittingroom.tasks.load import task_of_data, task_of_model


class NormalisedImages(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """A torch `Dataset` of (normalised float image [channels, height, width], label), for a plain `DataLoader`."""

    def __init__(self, images: Source, spec: DataSpec) -> None:
        self.images, self.spec = images, spec

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        one = torch.tensor([position], device="cpu")
        return normalise(self.images.read(one), self.spec)[0], int(self.images.labels[position])


@dataclass(frozen=True)
class Data:
    """A data set for training. It is loaded when it is first needed; it does not give access to the test split."""

    source: str
    """Its name or path."""
    data_dir: Path | None = None
    seed: int = 0
    """The seed that divides the training file into `train` and `val`."""
    request: DataRequest | None = field(default=None, repr=False)
    """The data options, if there are more than `source`."""

    def __post_init__(self) -> None:
        for path in (self.source, *(getattr(self.request, name, None) for name in ("data", "train", "dev", "test"))):
            if path is not None:
                check_file(path, "give a file of images or of pairs")

    @property
    def asked(self) -> DataRequest:
        """The data options for this data set."""
        return DataRequest(data=self.source) if self.request is None else self.request

    @property
    def task_class(self) -> type[Task]:
        """The task that reads this data set."""
        if self.asked.train is not None:
            return TASKS.get("seq2seq")
        return task_of_data(self.source)

    @cached_property
    def _task(self) -> Any:
        """A task with this data and the first default model, for splits and descriptions."""
        from fittingroom.api.settings import apply_settings
        from fittingroom.recipes import recipe
        from fittingroom.tasks.load import open_task

        cls = self.task_class
        model = cls.default_models[0]
        config = recipe(model, seed=self.seed, data=self.source)
        return open_task(apply_settings(self.on(config), {}), self.data_dir)

    def on(self, config: Any) -> Any:
        """A copy of the run config with this data. Raises FittingRoomError if its model cannot read the data."""
        return replace(config, **TASKS.get(config.task).data_fields(self.asked, config.model))

    @property
    @usual_torch()
    def spec(self) -> Any:
        """The description of the data: names, sizes, digest and preprocessing."""
        return self._task.data.spec if hasattr(self._task, "data") else self._task.spec

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images, pixels; (28, 28) for sequences, which have none."""
        return getattr(self.spec, "height", 28), getattr(self.spec, "width", 28)

    @property
    def num_train(self) -> int:
        """Number of training items."""
        return self._task.split_record().num_train

    @property
    def advised_folds(self) -> int | None:
        """The folds of a cross-validation that suits these images better than one test part; None if one part is enough."""
        return self._task.advised_folds

    @property
    def title(self) -> str:
        """The name of the data in sentences."""
        return self._task.title

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes; empty for sequences."""
        return getattr(self.spec, "class_names", ())

    @cached_property
    def train(self) -> Any:
        """The training split; for images a torch `Dataset` of (normalised image, label)."""
        return self._part("train")

    @cached_property
    def val(self) -> Any:
        """The validation split, in the same form."""
        return self._part("val")

    @usual_torch()
    def _part(self, name: str) -> Any:
        part = getattr(self._task.splits, name)
        return NormalisedImages(part, self.spec) if isinstance(part, Source) else part

    def __repr__(self) -> str:
        return f"Data({self.source!r})"

    def _repr_html_(self) -> str:
        from html import escape

        split = self._task.split_record()
        classes = f", {len(self.class_names)} classes" if self.class_names else ""
        return (
            f"<b>{escape(self.title)}</b>: {split.num_train:,} training, {split.num_val:,} validation and "
            f"{split.num_test:,} test items (sealed){classes}"
        )


def images_of(data: Data | None, model: str, num_train: int | None = None) -> Images:
    """What a recipe for `model` needs to know about the training images. Opens the data; None is Fashion-MNIST.

    `num_train` is the number of images that the run draws from them. Raises FittingRoomError for data that `model` cannot read,
    before it opens them.
    """
    images = Images()
    if data is not None and _reads(data, model, MODELS):
        height, width = data.image_size
        images = Images(num_train=data.num_train, height=height, width=width)
    return images if num_train is None else replace(images, num_train=min(num_train, images.num_train))


def pairs_of(data: Data | None, model: str, num_train: int | None = None) -> int | None:
    """The number of training pairs, for a recipe; None for images and for cmudict. Opens the data, with errors as `images_of`."""
    if data is None or not _reads(data, model, SEQUENCE_MODELS):
        return num_train
    return data.num_train if num_train is None else min(num_train, data.num_train)


def _reads(data: Data, model: str, models: Registry[Any]) -> bool:
    """Whether `model` is one of `models`. Raises FittingRoomError if it is, but cannot read the data."""
    if model not in models.names():
        return False
    task_of_model(model, data.source).data_fields(data.asked, model)
    return True


@usual_torch()
def load_data(
    source: Any = "fashion-mnist",
    labels: Any = None,
    *,
    class_names: Any = None,
    dev: str | Path | None = None,
    test: str | Path | None = None,
    stress: str | None = None,
    image_size: int | str | tuple[int, int] | None = None,
    resize: str | None = None,
    channels: int | str | None = None,
    group: str | None = None,
    split_file: str | Path | None = None,
    skip_bad: bool = False,
    data_dir: str | Path | None = None,
    seed: int = 0,
) -> Data:
    """A data set by name (`fashion-mnist`, `cifar10`, `cmudict`), from files, or from memory.

    Files are a folder or a table of pictures, `.npz` or `.npy` arrays, or a `.tsv` of pairs; docs/your-images.md lists the
    layouts. `image_size` (64, or height and width), `resize` (crop, pad, stretch), `channels` (1, 3), `group`, `split_file` and
    `skip_bad` are for pictures, as on the command line.

    In memory: `load_data(images, labels)` with arrays, tensors or PIL pictures, or `load_data(dataset)` with items (picture,
    label). Arrays are uint8 or floats from 0 to 1, with shape (N, height, width) or (N, height, width, 3). Labels are one number
    or name per image. They are stored in the user's cache, so that runs find them again.

    `seed` divides the training images into `train` and `val`. With `dev` and `test`, `source` is the training file of pairs.
    Raises FittingRoomError for bad input.
    """
    folder = None if data_dir is None else user_path(data_dir, "data_dir")
    options = picture_options(
        image_size=image_size, resize=resize, channels=channels, group=group, split_file=split_file, skip_bad=skip_bad
    )
    if isinstance(source, Data):
        return source
    if not isinstance(source, str | Path):
        return _in_memory(source, labels, class_names, options, folder, seed)
    name = str(source)
    if labels is not None or class_names is not None:
        raise FittingRoomError(f"labels and class_names belong to arrays, and {name} has its own: omit them")
    if dev is not None or test is not None:
        files = (None if each is None else str(each) for each in (dev, test))
        train_dev, train_test = files
        return Data(name, folder, seed, DataRequest(train=name, dev=train_dev, test=train_test, stress=stress))
    if not any(TASKS.get(task).reads(name) for task in TASKS):
        raise unknown(name, ", or a .tsv file of pairs")
    request = DataRequest(data=name, stress=stress, pictures=options)
    return Data(name, folder, seed, request)


def _in_memory(
    values: Any, labels: Any, class_names: Any, options: PictureOptions, folder: Path | None, seed: int
) -> Data:
    """Arrays, tensors, pictures or a data set of (picture, label) items, stored in the user's cache."""
    if labels is None and is_dataset(values):
        values, labels, found = items_of(values)
        class_names = found if class_names is None else class_names
    if labels is None:
        raise FittingRoomError("load_data was given arrays without labels: write load_data(images, labels)")
    images, how = as_array(values, options)
    path = save_arrays(images, plain_array(labels), class_names, preprocessing=how)
    data = Data(str(path), folder, seed, DataRequest(data=str(path)))
    try:
        _ = data.spec  # raises an error for bad arrays
    except FittingRoomError as error:
        path.unlink(missing_ok=True)
        # The user knows nothing of the file.
        raise FittingRoomError(str(error).replace(f"{path}, ", "").replace(f"{path}: ", "")) from error
    return data


def say_hint(hint: str) -> None:
    """Print what looks like a mistake in the data, on standard error."""
    print(f"hint: {hint}", file=sys.stderr)
