"""Files of every version: all files in the repository can be read, and bad files give a one-line error."""

import copy
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.core.config import from_dict, to_dict
from fittingroom.core.decision import RULE
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import (
    ComparisonRecord,
    RunState,
    Summary,
    read_comparison,
    read_state,
    read_summary,
    write_comparison,
    write_state,
    write_summary,
)
from fittingroom.core.upgrade import SCHEMA, upgrade_comparison, upgrade_config, upgrade_state, upgrade_summary
from fittingroom.tasks.load import run_config

ROOT = Path(__file__).parents[3]
FOLDERS = (ROOT / "results", ROOT / "src" / "fittingroom" / "weights", ROOT / "tests" / "old_comparisons")
READERS: dict[str, tuple[Callable[[Path], Any], Callable[[Path, Any], None], Callable[[Any], Any]]] = {
    "state.json": (read_state, write_state, upgrade_state),
    "comparison.json": (read_comparison, write_comparison, upgrade_comparison),
    "summary.json": (read_summary, write_summary, upgrade_summary),
}
"""The functions that read, write and upgrade each file."""
ATTEMPTS = ROOT / "results" / "attempts"
"""Some of these runs have a CNN setting that no longer exists."""


def found(name: str) -> list[Path]:
    """All files of that name in the repository."""
    return sorted(path for folder in FOLDERS for path in folder.rglob(name))


@functools.cache
def content(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


@pytest.mark.parametrize(("name", "least"), [("state.json", 70), ("comparison.json", 4), ("summary.json", 4)])
def test_every_record_in_the_repository_is_read_and_stays_the_same(tmp_path: Path, name: str, least: int) -> None:
    read, write, _ = READERS[name]
    paths = found(name)
    assert len(paths) >= least
    for path in paths:
        record = read(path.parent)
        assert record.schema == SCHEMA
        assert from_dict(type(record), to_dict(record)) == record
        write(tmp_path, record)
        assert read(tmp_path) == record


def test_every_config_in_the_repository_is_read_and_stays_the_same() -> None:
    paths, refused = found("config.json"), {}
    assert len(paths) >= 70
    for path in paths:
        try:
            config = run_config(content(path), str(path))
        except FittingRoomError as error:
            refused[path] = str(error)
            continue
        assert run_config(to_dict(config)) == config
    assert all(path.is_relative_to(ATTEMPTS) for path in refused)
    assert all("unknown key 'activation'" in said for said in refused.values())


@pytest.mark.parametrize("name", list(READERS))
def test_a_file_that_is_up_to_date_passes_unchanged(name: str) -> None:
    read, _, upgrade = READERS[name]
    for path in found(name)[:10]:
        values = to_dict(read(path.parent))
        assert upgrade(copy.deepcopy(values)) == values
    config = to_dict(run_config(content(found("config.json")[-1])))
    assert upgrade_config(config) == config


def test_upgrading_leaves_the_values_it_was_given_alone() -> None:
    for name, (_, _, upgrade) in READERS.items():
        values = content(found(name)[0])
        before = copy.deepcopy(values)
        upgrade(values)
        assert values == before


def test_the_numbers_of_an_old_state_are_where_they_belong() -> None:
    old = content(ROOT / "src/fittingroom/weights/vit/state.json")
    state = read_state(ROOT / "src/fittingroom/weights/vit")
    assert "schema" not in old and state.task == "classification"
    assert state.evals == {"val": {"accuracy": old["val_accuracy"]}, "test": {"accuracy": old["test_accuracy"]}}
    assert state.items_per_second == old["images_per_second"] and state.test_reads[0].why == "final epoch"
    words = content(ROOT / "src/fittingroom/weights/transformer/state.json")
    state = read_state(ROOT / "src/fittingroom/weights/transformer")
    assert state.task == "seq2seq"
    assert state.evals["test"] == {
        "word_error_rate": words["test_word_error_rate"],
        "phoneme_error_rate": words["test_phoneme_error_rate"],
    }


def test_the_numbers_of_an_old_comparison_are_where_they_belong() -> None:
    old_folders = [path.parent for path in found("comparison.json") if "models" in content(path)]
    assert len(old_folders) >= 2
    for folder in old_folders:
        old, record = content(folder / "comparison.json"), read_comparison(folder)
        assert [each.name for each in record.candidates] == [each["name"] for each in old["models"]]
        assert [row.candidate for row in record.runs] == [row["model"] for row in old["runs"]]
        assert [row.seed for row in record.runs] == [row["seed"] for row in old["runs"]]
        for row, before in zip(record.runs, old["runs"], strict=True):
            for metric, score in row.evals["test"].items():
                assert score == before[f"test_{metric}"]
        summary, before = read_summary(folder), content(folder / "summary.json")
        if "pairs" not in before:
            continue  # made anew from the old runs
        assert [(each.a, each.b) for each in summary.contrasts] == [(each["a"], each["b"]) for each in before["pairs"]]
        assert str(summary.verdict) == before["verdict"]
        for candidate, model in zip(summary.candidates, before["models"], strict=True):
            score = next(iter(candidate.evals["test"].values()))
            assert score.mean == model["test"].get("mean", model["test"].get("word_error_rate", {}).get("mean"))


@pytest.mark.parametrize("name", list(READERS))
def test_a_newer_schema_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    read, _, _ = READERS[name]
    values = {**to_dict(read(found(name)[0].parent)), "schema": SCHEMA + 1, "new_key": 1}
    (tmp_path / name).write_text(json.dumps(values))
    with pytest.raises(FittingRoomError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{tmp_path / name} was written by a newer version of fittingroom: update fittingroom"


@pytest.mark.parametrize(
    ("name", "wrong", "near"),
    [("state.json", "stauts", "status"), ("comparison.json", "candidate", "candidates"), ("summary.json", "nots", "notes")],
)  # fmt: skip
def test_an_unknown_key_names_the_nearest(tmp_path: Path, name: str, wrong: str, near: str) -> None:
    read, _, _ = READERS[name]
    (tmp_path / name).write_text(json.dumps({**to_dict(read(found(name)[0].parent)), wrong: 1}))
    with pytest.raises(FittingRoomError) as caught:
        read(tmp_path)
    assert f"{tmp_path / name}: unknown key '{wrong}': did you mean '{near}'?" in str(caught.value)


def test_an_unknown_key_of_a_config_names_the_nearest() -> None:
    values = {**to_dict(run_config(content(found("config.json")[-1]))), "epoch": 3}
    with pytest.raises(FittingRoomError, match=r"^here: unknown key 'epoch': did you mean 'epochs'\?$"):
        run_config(values, "here")


def places(values: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value within nested lists and dictionaries."""
    inside = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return [path for key, value in inside for path in ((*before, key), *places(value, (*before, key)))]


JUNK = st.sampled_from([None, 3, -1.5, "x", [], [1], {}, {"a": 1}, True, [None], [[]]])


@pytest.mark.thorough
@given(data=st.data(), junk=JUNK, delete=st.booleans(), old=st.booleans(), name=st.sampled_from(list(READERS)))
@settings(max_examples=80)
def test_a_damaged_file_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, junk: Any, delete: bool, old: bool, name: str
) -> None:
    read, _, _ = READERS[name]
    path = data.draw(st.sampled_from(found(name)[-4:]))
    values = copy.deepcopy(content(path)) if old else to_dict(read(path.parent))
    *way, last = data.draw(st.sampled_from(places(values)))
    inner = functools.reduce(lambda group, key: group[key], way, values)
    if delete:
        del inner[last]
    else:
        inner[last] = junk
    folder = tmp_path_factory.getbasetemp()
    (folder / name).write_text(json.dumps(values))
    said = f"{folder / name}"
    try:
        assert isinstance(read(folder), RunState | ComparisonRecord | Summary)
    except FittingRoomError as error:
        said = str(error)
    assert str(folder / name) in said and "\n" not in said


def test_the_protocol_of_an_earlier_comparison_states_the_rule_that_its_verdict_now_follows() -> None:
    start = "Intervals are 95 %, over seeds and test images together."
    rules = (
        "Intervals of differences hold for all pairs of models at once (Bonferroni); p-values are adjusted after Holm.",
        "One model beats another if p, adjusted for the number of pairs (Shaffer's step-down for three models, Holm's for more), "
        "is below 0.05; each interval is for its own pair alone, so it may leave out zero where p does not suffice.",
    )
    for rule in (*rules, RULE):
        old = ["1 seed.", f"{start} {rule}"]
        for values in ({"schema": 2, "protocol": old}, {"protocol": old}):
            assert upgrade_comparison(values)["protocol"] == ["1 seed.", f"{start} {RULE}"]
    assert upgrade_comparison({"schema": 2, "protocol": None})["protocol"] is None


def test_an_adjusted_p_has_had_another_name() -> None:
    found = {"difference": 0.1, "low": 0.0, "high": 0.2, "p": 0.02, "p_holm": 0.06}
    values = {"schema": 2, "contrasts": [{"a": "x", "b": "y", "metrics": {"accuracy": found}}]}
    metrics = upgrade_summary(values)["contrasts"][0]["metrics"]["accuracy"]
    assert metrics["p_adjusted"] == 0.06 and "p_holm" not in metrics


def test_a_budget_of_nothing_is_one_line_with_its_file(tmp_path: Path) -> None:
    """The report divides by it."""
    values = json.loads((FOLDERS[2] / "images" / "comparison.json").read_text())
    values["budget"] = {**values["budget"], "kind": "seconds", "value": 0}
    (tmp_path / "comparison.json").write_text(json.dumps(values))
    with pytest.raises(FittingRoomError, match=r"comparison\.json: budget\.value 0 is not a length: expected a number"):
        read_comparison(tmp_path)
