"""Candidates: what a name means, what tables call it, and that no two of them are the same."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.api.compare import plan_comparison
from fittingroom.comparison.candidate import Candidate, candidate, check_different, parse_candidate
from fittingroom.comparison.grid import Watcher, run_comparison
from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.recipes import recipe
from tests.image_fixture import write_npz

SAFE = re.compile(r"[\w@=.,+\[\]-]+-seed\d+")


def planned(models: Any, **options: Any) -> list[Candidate]:
    """The candidates of a comparison of one epoch."""
    return list(plan_comparison(models, epochs=1, **options).candidates)


# Names


@pytest.mark.parametrize(
    ("text", "model", "settings"),
    [
        ("vit", "vit", {}),
        ("vit@patch_size=7", "vit", {"patch_size": "7"}),
        (" vit @ patch_size = 7 @depth=2 ", "vit", {"patch_size": "7", "depth": "2"}),
        ("cnn@optim.lr=1e-3", "cnn", {"optim.lr": "1e-3"}),
        ("cnn@widths=[4, 8]", "cnn", {"widths": "[4, 8]"}),
        ("vit@a=b=c", "vit", {"a": "b=c"}),
    ],
)
def test_a_name_is_a_model_and_its_settings(text: str, model: str, settings: dict[str, str]) -> None:
    assert parse_candidate(text) == (model, settings)


@pytest.mark.parametrize("text", ["vit@", "vit@depth", "vit@=3", "vit@depth=", "vit@depth=2@", "vit@ =3"])
def test_a_setting_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(FittingRoomError, match=rf"^--models '{text}': write MODEL@SETTING=VALUE"):
        parse_candidate(text)


def test_a_setting_given_twice_is_refused() -> None:
    with pytest.raises(FittingRoomError, match=r"^--models 'vit@depth=1@depth=2': depth is set twice: set it once$"):
        parse_candidate("vit@depth=1@depth=2")


@pytest.mark.thorough
@given(
    model=st.sampled_from(["vit", "cnn"]),
    settings=st.dictionaries(
        st.from_regex(r"[a-z_.]{1,8}", fullmatch=True), st.from_regex(r"[\w.\[\]-]{1,6}", fullmatch=True), max_size=3
    ),
)
def test_the_name_of_a_candidate_reads_as_the_same_candidate(model: str, settings: dict[str, str]) -> None:
    made = candidate(recipe(model), settings)
    assert parse_candidate(made.name) == (model, settings)
    assert made.settings == settings and made.config == recipe(model)


@given(st.text(min_size=1, max_size=30))
def test_the_name_of_a_run_is_a_safe_name_of_one_folder(value: str) -> None:
    run = candidate(recipe("vit"), {"path": value}).run(3)
    assert SAFE.fullmatch(run) and not run.startswith(".")
    assert Path("runs", run).name == run and (Path("runs") / run).resolve().parent == Path("runs").resolve()


def test_the_names_of_runs_say_candidate_and_seed() -> None:
    assert candidate(recipe("vit")).run(0) == "vit-seed0"
    assert candidate(recipe("vit"), {"patch_size": "7"}).run(12) == "vit@patch_size=7-seed12"
    assert candidate(recipe("cnn"), {"widths": "[4, 8]"}).run(0) == "cnn@widths=[4,8]-seed0"
    assert candidate(recipe("vit"), {"path": "../../x y/z"}).run(0) == "vit@path=..-..-xy-z-seed0"


@pytest.mark.parametrize(
    ("settings", "title"),
    [
        ({}, "ViT"),
        ({"patch_size": "7"}, "ViT (patch_size=7)"),
        ({"patch_size": "7", "depth": "2"}, "ViT (patch_size=7, depth=2)"),
        ({"num_train": "10000"}, "ViT (10,000 training items)"),
        ({"depth": "2", "num_train": "500"}, "ViT (depth=2, 500 training items)"),
    ],
)
def test_titles_say_what_differs(settings: dict[str, str], title: str) -> None:
    assert candidate(recipe("vit"), settings).title == title
    assert candidate(recipe("vit"), settings, title="Mine").title == "Mine"


def test_seeds_change_nothing_but_the_seed() -> None:
    made = candidate(recipe("vit", epochs=3), {"depth": "2"})
    assert made.with_seed(5) == replace(made.config, seed=5)


def test_the_record_says_what_was_compared() -> None:
    (made,) = planned("vit@patch_size=7", train_sizes=[500])
    record = made.record(num_params=3, num_macs=4)
    assert (record.name, record.title) == ("vit@patch_size=7@num_train=500", "ViT (patch_size=7, 500 training items)")
    assert (record.model, record.family, record.num_train) == ("vit", "vit", 500)
    assert (record.num_params, record.num_macs) == (3, 4) and "Dosovitskiy" in record.source
    assert record.settings == {"patch_size": "7", "num_train": "500"}


# What is compared


def test_settings_apply_to_the_model_they_belong_to() -> None:
    vit, cnn = planned("vit@depth=2@optim.lr=0.5,cnn", settings={"batch_size": 32})
    assert vit.config.model_config["depth"] == 2 and vit.config.optim.lr == 0.5
    assert "depth" not in cnn.config.model_config and cnn.config.optim.lr != 0.5
    assert vit.config.batch_size == cnn.config.batch_size == 32


def test_commas_in_brackets_separate_no_candidates() -> None:
    names = [each.name for each in planned("cnn@widths=[4,8,16],vit, cnn")]
    assert names == ["cnn@widths=[4,8,16]", "vit", "cnn"]
    assert planned("cnn@widths=[4,8,16]")[0].config.model_config["widths"] == [4, 8, 16]


def test_a_candidates_own_setting_wins_over_one_for_all() -> None:
    vit, other = planned("vit@depth=2,vit", settings={"depth": 3})
    assert vit.config.model_config["depth"] == 2 and other.config.model_config["depth"] == 3


def test_train_sizes_make_one_candidate_each_of_every_model() -> None:
    found = planned("vit,cnn", train_sizes=[1000, 20000])
    assert [(each.name, each.config.num_train) for each in found] == [
        ("vit@num_train=1000", 1000),
        ("vit@num_train=20000", 20000),
        ("cnn@num_train=1000", 1000),
        ("cnn@num_train=20000", 20000),
    ]
    assert len({each.run(0) for each in found}) == 4


def test_the_old_name_of_num_train_is_the_new_one() -> None:
    assert planned("vit@train_images=500") == planned("vit@num_train=500")


@pytest.mark.parametrize("sizes", [[0], [-5], [1.5], ["1000"], [True], 5, "1000", [None]])
def test_bad_train_sizes_are_refused(sizes: Any) -> None:
    with pytest.raises(
        FittingRoomError, match=r"^train_sizes .*: give whole numbers above 0, such as \[1000, 10000\]$"
    ):
        planned("vit", train_sizes=sizes)


@pytest.mark.parametrize(("models", "settings"), [("vit@num_train=10", {}), ("vit", {"num_train": 10})])
def test_train_sizes_beside_num_train_are_refused(models: str, settings: dict[str, Any]) -> None:
    with pytest.raises(FittingRoomError, match="train_sizes and num_train both set the training size"):
        planned(models, settings=settings, train_sizes=[1000])


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ("vit,vit", "name one or more different models"),
        ([], "name one or more different models"),
        ("", "name one or more different models"),
        (" , ", "name one or more different models"),
        (3, "models 3: give names, such as 'vit,cnn'"),
        (["vit", 3], "give names, such as 'vit,cnn'"),
        ({"vit"}, "give names, such as 'vit,cnn'"),
        ("vot", "unknown model 'vot': did you mean 'vit'?"),
        ("@depth=2", "unknown model ''"),
        ("vit@dept=2", "unknown key 'dept' for vit: did you mean 'depth'?"),
        ("vit@depth=two", "depth: expected a whole number, got 'two'"),
        ("vit@img_size=32", "img_size: the data determines it: omit it"),
        ("vit@model=cnn", "unknown key 'model' for vit"),
        ("vit@data=x.npz", "unknown key 'data' for vit"),
        ("vit@seed=3", "unknown key 'seed' for vit"),
        ("vit@early_stopping=3", "unknown key 'early_stopping' for vit"),
        ("vit@num_train=0", "num_train 0 is too small: choose 1 or more"),
    ],
)
def test_what_cannot_be_compared_is_named(models: Any, said: str) -> None:
    with pytest.raises(FittingRoomError) as caught:
        planned(models)
    assert said in str(caught.value) and "\n" not in str(caught.value)


# Duplicates


def test_two_candidates_that_are_the_same_are_refused_whatever_they_are_called() -> None:
    pair = planned("vit@depth=2@patch_size=7,vit@patch_size=7@depth=2")
    assert to_dict(pair[0].config) == to_dict(pair[1].config) and pair[0].name != pair[1].name
    with pytest.raises(
        FittingRoomError,
        match=r"^--models: vit@depth=2@patch_size=7 and vit@patch_size=7@depth=2 are the same: name each",
    ):
        check_different(pair)
    check_different(planned("vit@depth=2,vit@depth=3,vit,cnn"))


def test_two_candidates_whose_runs_would_share_a_folder_are_refused() -> None:
    one, other = planned("vit@depth=2,vit@depth=3")
    with pytest.raises(FittingRoomError, match=r"^--models: vit@depth=2 and vit@depth=2 have runs with the same name"):
        check_different([one, replace(other, name=one.name)])
    with pytest.raises(FittingRoomError, match="have runs with the same name: rename one of them"):
        check_different([replace(one, name="mine a/b"), replace(other, name="minea:b")])


@pytest.mark.parametrize(
    ("models", "sizes"), [("vit,vit@patch_size=4", []), ("vit,vit@num_heads=8@depth=4", []), ("vit", [20, 20])]
)
def test_a_setting_that_is_the_default_makes_no_other_candidate(tmp_path: Path, models: str, sizes: list[int]) -> None:
    comparison = plan_comparison(
        models, str(write_npz(tmp_path)), epochs=1, settings={"batch_size": 4}, train_sizes=sizes, folder=tmp_path / "out"
    )  # fmt: skip
    with pytest.raises(FittingRoomError, match="are the same: name each candidate once"):
        run_comparison(comparison, Watcher())
    assert not (tmp_path / "out").exists()
