"""The claims page: its numbers are those of the records, and its verdicts follow from the intervals."""

import statistics
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fittingroom.cli.main import build_parser
from fittingroom.core.records import read_state
from fittingroom.core.rundir import read_json
from lab import claims_tables
from lab.claims import EXPERIMENTS, SEEDS
from lab.claims_tables import FAILS, HOLDS, MISSING, OPEN, Gap, judged

RECORDED = sorted(path.stem for path in (Path(__file__).parents[3] / "results" / "claims").glob("*.json"))
ROOT = Path(__file__).parents[3]
RESULTS, PAGE = ROOT / "results", ROOT / "docs" / "lecture" / "claims.md"


def accuracies(model: str, epochs: int) -> list[float]:
    folders = sorted((RESULTS / "ladder").glob(f"{model}_{epochs}-seed*"))
    return [100 * read_state(folder).evals["test"]["accuracy"] for folder in folders]


@pytest.mark.parametrize("epochs", [5, 20])
def test_gaps_of_images_are_differences_of_recorded_means(epochs: int) -> None:
    gap = claims_tables.ladder_gap("cnn", "vit", epochs)
    difference = statistics.fmean(accuracies("cnn", epochs)) - statistics.fmean(accuracies("vit", epochs))
    assert gap.value == pytest.approx(difference, abs=0.02)  # probabilities are stored in half precision
    assert gap.low < gap.value < gap.high


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        pytest.param("heads", "transformer", "transformer_1head", marks=pytest.mark.thorough),
        pytest.param("positions", "transformer", "transformer_learned", marks=pytest.mark.slow),
        pytest.param("sequences", "transformer", "recurrent", marks=pytest.mark.slow),
    ],
)
def test_gaps_of_words_follow_from_the_recorded_answers(name: str, a: str, b: str) -> None:
    recorded, again = claims_tables.word_gap(name, a, b), claims_tables.word_gap_again(name, a, b, "test")
    assert (recorded.value, recorded.low, recorded.high) == pytest.approx((again.value, again.low, again.high))
    turned = claims_tables.word_gap(name, b, a)
    assert (turned.low, turned.value, turned.high) == pytest.approx((-recorded.high, -recorded.value, -recorded.low))


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_answers_are_those_of_the_runs(name: str) -> None:
    facts = read_json(RESULTS / "claims" / f"{name}.json")
    assert facts["command"] == " ".join(["fittingroom", *EXPERIMENTS[name].arguments])
    assert Counter(run["candidate"] for run in facts["runs"]) == dict.fromkeys(EXPERIMENTS[name].models, SEEDS)
    assert len({run["commit"] for run in facts["runs"]}) == len({run["precision"] for run in facts["runs"]}) == 1
    with np.load(RESULTS / "claims" / f"{name}.npz") as answers:
        assert set(answers.files) == {"labels", *(run["run"] for run in facts["runs"])}
        for run in facts["runs"]:
            assert np.mean(answers[run["run"]] == answers["labels"]) == pytest.approx(run["test_accuracy"])


@pytest.mark.parametrize("name", RECORDED)
def test_gaps_of_recorded_answers_are_differences_of_recorded_means(name: str) -> None:
    a, *others = EXPERIMENTS[name].models
    means = {
        model: statistics.fmean(
            100 * run["test_accuracy"]
            for run in read_json(RESULTS / "claims" / f"{name}.json")["runs"]
            if run["candidate"] == model
        )
        for model in (a, *others)
    }
    for b in others:
        gap, turned = claims_tables.answers_gap(name, a, b), claims_tables.answers_gap(name, b, a)
        assert gap.value == pytest.approx(means[a] - means[b])
        assert gap.low < gap.value < gap.high
        assert (turned.low, turned.value, turned.high) == pytest.approx((-gap.high, -gap.value, -gap.low))


def test_a_verdict_follows_from_direction_and_significance() -> None:
    up, down = Gap(value=1, low=0.5, high=1.5, decided=True), Gap(value=-1, low=-1.5, high=-0.5, decided=True)
    assert [judged(up, True), judged(up, False), judged(down, False), judged(down, True)] == [
        HOLDS,
        FAILS,
        HOLDS,
        FAILS,
    ]
    assert judged(Gap(value=1, low=-0.5, high=2.5, decided=False), True) == OPEN


def test_intervals_are_rounded_outward() -> None:
    assert str(Gap(value=1.234, low=0.6789, high=2.3412, decided=True)) == "+1.23 (+0.67 to +2.35)"


def test_every_claim_has_a_record_that_exists_or_the_command_that_would_make_one() -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    assert len(lines) >= 12
    for line in lines:
        _, _, experiment, _, verdict, record, _ = (cell.strip() for cell in line.split("|"))
        if verdict == MISSING:
            assert experiment.startswith("`make claims ARGS=") and not record
            build_parser().parse_args(EXPERIMENTS[experiment.strip("`").partition("=")[2]].arguments)
        else:
            assert (RESULTS / record.split("](../../results/")[1].rstrip(")")).exists()
