"""From a config, a model or a data set to its task."""

from pathlib import Path
from typing import Any

import pytest

from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.recipes import RECIPES
from fittingroom.recipes.sequences import SEQUENCE_RECIPES
from fittingroom.tasks.base import TASKS
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.classification.training import ClassificationTask
from fittingroom.tasks.load import all_models, as_config, open_task, run_config, task_of_data, task_of_model
from fittingroom.tasks.scoring import SCORINGS
from fittingroom.tasks.seq2seq.config import Seq2seqConfig
from fittingroom.tasks.seq2seq.training import Seq2seqTask
from tests.image_fixture import tiny_image_config
from tests.toy import task as toy

CONFIGS = [*(RECIPES.get(name)() for name in RECIPES), *(SEQUENCE_RECIPES.get(name)() for name in SEQUENCE_RECIPES)]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.model}-{config.epochs:g}")
def test_a_config_comes_back_as_it_was(config: Any) -> None:
    assert run_config(to_dict(config)) == config
    assert type(open_task(config)) is TASKS.get(config.task)


@pytest.mark.parametrize("config", CONFIGS[::3], ids=lambda config: config.model)
def test_a_config_without_a_task_is_that_of_its_model(config: Any) -> None:
    values = to_dict(config)
    del values["task"]
    assert run_config(values) == config
    assert run_config({"model": config.model, "epochs": 1}) == type(config)(model=config.model, epochs=1)


def test_a_config_of_before_the_tasks_had_names_is_read() -> None:
    old = to_dict(tiny_image_config("fashion-mnist", num_train=7))
    old["train_images"] = old.pop("num_train")
    del old["task"]
    assert run_config({**old, "precision": "auto", "accelerator": "cpu"}) == tiny_image_config(
        "fashion-mnist", num_train=7
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (None, "here: expected a group of keys, got None"),
        (["vit"], "here: expected a group of keys, got ['vit']"),
        ({}, "here: key 'model' is missing"),
        ({"model": "vot"}, "unknown model 'vot': did you mean 'vit'?"),
        ({"model": ["vit"]}, "here.model: expected a word, got ['vit']"),
        ({"model": None}, "here.model: expected a word, got None"),
        ({"task": "clasification", "model": "vit"}, "unknown task 'clasification': did you mean 'classification'?"),
        ({"task": 3, "model": "vit"}, "here.task: expected a word, got 3"),
        ({"task": ["x"], "model": "vit"}, "here.task: expected a word, got ['x']"),
        (
            {"task": "seq2seq", "model": "vit", "epochs": 1},
            "unknown sequence model 'vit': known: recurrent, transformer",
        ),
        ({"model": "vit", "epochs": 1, "epoch": 2}, "here: unknown key 'epoch': did you mean 'epochs'?"),
        ({"model": "vit", "epochs": "1"}, "here.epochs: expected a number, got '1'"),
        ({"model": "vit"}, "give exactly one of epochs and budget_seconds"),
        (
            {"model": "vit", "epochs": 1, "task": "classification", "keep_stress": True},
            "here: unknown key 'keep_stress'",
        ),
    ],
)
def test_what_is_no_config_is_said_in_one_line(values: Any, said: str) -> None:
    with pytest.raises(FittingRoomError) as caught:
        run_config(values, "here")
    assert "\n" not in str(caught.value)
    assert said in str(caught.value)


def test_every_model_belongs_to_a_task_and_is_named_once() -> None:
    models = all_models()
    assert len(set(models)) == len(models) and {"vit", "cnn", "hybrid", "transformer", "recurrent"} <= set(models)
    for name in models:
        assert name in task_of_model(name).config_class.registry.names()
    assert task_of_model("vit") is ClassificationTask and task_of_model("recurrent") is Seq2seqTask
    with pytest.raises(FittingRoomError, match=r"^unknown model 'transfomer': did you mean 'transformer'\?$"):
        task_of_model("transfomer")


def test_where_several_tasks_train_a_model_the_data_decide() -> None:
    assert task_of_model("vit", "squares") is toy.BrightnessTask
    assert task_of_model("vit", "fashion-mnist") is task_of_model("vit", "mine.npz") is ClassificationTask
    assert task_of_model("vit", "nobody knows this") is task_of_model("vit") is ClassificationTask
    assert (
        task_of_model("transformer", "squares") is Seq2seqTask
    )  # no task of this model reads it: the data say so later


@pytest.mark.parametrize(
    ("data", "task"),
    [
        ("fashion-mnist", ClassificationTask),
        ("some/where/mine.npz", ClassificationTask),
        ("cmudict", Seq2seqTask),
        ("some/where/mine.tsv", Seq2seqTask),
        ("squares", toy.BrightnessTask),
        (None, ClassificationTask),
        ("nobody knows this", ClassificationTask),
    ],
)
def test_the_data_tell_the_task(data: str | None, task: Any) -> None:
    assert task_of_data(data) is task


def test_every_task_has_a_scoring_of_its_name_and_models_to_begin_with() -> None:
    for name in TASKS:
        cls = TASKS.get(name)
        assert cls.name == name == SCORINGS.get(name).task
        assert {*cls.default_models} <= {*cls.config_class.registry.names()}
        assert cls.config_class.__dataclass_fields__["task"].default == name


def test_a_config_of_another_task_keeps_the_settings_that_both_have() -> None:
    given = tiny_image_config("squares", batch_size=7, seed=3)
    other = as_config(given, toy.BrightnessConfig)
    assert type(other) is toy.BrightnessConfig and other.task == "brightness"
    shared = set(to_dict(other)) - {"task"}
    assert {key: to_dict(other)[key] for key in shared} == {key: to_dict(given)[key] for key in shared}
    assert as_config(given, ClassificationConfig) == given


def test_settings_that_the_other_task_refuses_are_named() -> None:
    with pytest.raises(FittingRoomError, match="unknown sequence model 'vit'"):
        as_config(tiny_image_config("x"), Seq2seqConfig)


def test_a_task_reads_its_data_when_it_is_asked_not_before(tmp_path: Path) -> None:
    task = open_task(tiny_image_config(tmp_path / "missing.npz"))
    assert task.name == "classification"
    with pytest.raises(FittingRoomError, match=r"missing\.npz cannot be read"):
        _ = task.config
