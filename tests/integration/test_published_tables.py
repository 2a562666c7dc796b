"""No published number is typed by hand: the pages equal what the records give."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import read_comparison, read_state
from fittingroom.data.images.batches import normalise
from fittingroom.data.images.fashion_mnist import SPEC
from fittingroom.data.images.load import open_images
from fittingroom.evaluation.shipped import WEIGHTS, shipped
from fittingroom.explain.examine import filters_of, positions_of
from fittingroom.explain.findings import faithfulness_of
from fittingroom.tasks.load import load_run
from lab import ladder, model_cards, published_tables

ROOT = Path(__file__).parents[2]


def test_the_tables_in_readme_and_docs_are_those_of_the_records(capsys: pytest.CaptureFixture[str]) -> None:
    code = published_tables.main(check=True)
    assert code == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", shipped())
def test_each_network_that_ships_has_a_card_of_the_run_that_made_it(name: str) -> None:
    """That its numbers are right, the test above checks; here, that it is of these weights and names what trains them anew."""
    card, record = (WEIGHTS / name / "README.md").read_text(), model_cards.run_of(name)
    state = read_state(record)
    score = next(iter(state.evals["test"].values()))
    assert f"| test | {100 * score:.2f} % of " in card
    assert f"`fittingroom train {name} --seed {state.seed} --" in card and f"`{record.relative_to(ROOT)}`" in card


def test_weights_without_a_record_have_no_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(model_cards, "RESULTS", tmp_path)
    with pytest.raises(FittingRoomError, match=r"^0 records in results/ match weights/vit"):
        model_cards.run_of("vit")


def test_what_is_said_of_the_shipped_networks_was_measured_on_them() -> None:
    """What the record says of its ten images, and what follows from weights alone, is what the shipped weights say."""
    record = json.loads((ROOT / "results" / "explain" / "explain.json").read_text())
    assert [network["name"] for network in record["networks"]] == ["vit", "hybrid", "cnn", "vit_cls"]
    test = open_images().load_test()
    shown = [int(image["name"].removeprefix("test image ")) for image in record["images"]]
    images = normalise(test.read(torch.tensor(shown)), SPEC)
    for network in record["networks"]:
        run = load_run(network["name"])
        model = run.model
        positions, filters = positions_of(model), filters_of(model)
        if positions is not None:
            assert positions.neighbours_folded == pytest.approx(network["positions"]["neighbours_folded"])
        if filters is not None and filters.explained is not None:
            np.testing.assert_allclose(filters.explained, network["explained_variance"], atol=1e-4)
        with torch.inference_mode():
            probs = run.task.predictor(run.placed)(images).softmax(dim=1).numpy()
        np.testing.assert_allclose(probs, np.array(network["probs"]), atol=2e-4)
        assert {score["num_images"] for score in faithfulness_of(network)["scores"].values()} == {1000}


def test_every_record_finished_and_read_the_test_split_once_or_of_a_trial_never() -> None:
    states = sorted((ROOT / "results").rglob("state.json"))
    assert len(states) >= 11  # four runs of five epochs, six of the quick comparison, one without flips
    for path in states:
        state = read_state(path.parent)
        reads = 0 if path.parent.parent.name == "attempts" else 1
        assert (state.status, len(state.test_reads)) == ("finished", reads), path


def test_a_record_of_the_ladder_is_of_its_recipe_as_it_is_now() -> None:
    """Change a recipe or its model, and what was recorded before is no longer its result."""
    records = [path.name.rsplit("-seed") for path in ladder.RECORDS.iterdir()]
    assert records
    assert [f"{name}-seed{seed}" for name, seed in records if ladder.missing([name], [int(seed)])] == []


@pytest.mark.parametrize("name", ["quick", "sequences", "heads", "positions"])
def test_a_recorded_comparison_has_all_of_its_runs(name: str) -> None:
    """A summary alone can be checked by no one; a rule of .gitignore is enough to lose the runs."""
    folder = ROOT / "results" / name
    record = read_comparison(folder)
    assert record.runs
    for row in record.runs:
        found = {path.name for path in (folder / row.folder).iterdir()}
        assert {"config.json", "environment.json", "metrics.csv", "predictions.npz", "state.json"} <= found
