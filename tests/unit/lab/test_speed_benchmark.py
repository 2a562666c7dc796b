"""The conductor of `make bench`: turns, medians, ratios, who drops out, what the targets' arithmetic says."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.models import build_model
from lab.benchmarks import peers, race, speed
from lab.benchmarks.contenders import CLASSES, SHAPE, SIDE, Contender, from_dict, ours
from lab.benchmarks.contenders import peers as settings_of
from lab.benchmarks.plain import num_params
from lab.benchmarks.race import Failed, SideBySide, Worker, compare, take_turns
from lab.benchmarks.targets import PRODUCTS, targets


class Scripted:
    """A contender whose seconds are written down beforehand; it fails at the turn where they end."""

    def __init__(self, name: str, seconds: list[float], diary: list[tuple[str, str, int]]) -> None:
        self.name, self.seconds, self.diary = name, iter(seconds), diary

    def turn(self, what: str, times: int) -> float:
        self.diary.append((self.name, what, times))
        try:
            return next(self.seconds)
        except StopIteration:
            raise Failed("out of memory") from None


def test_contenders_work_in_turns_and_the_order_alternates() -> None:
    diary: list[tuple[str, str, int]] = []
    runners = {name: Scripted(name, [9.0, 1.0, 2.0, 3.0], diary) for name in "abc"}
    seconds, errors = take_turns(runners, "train", rounds=3, times=4, warm=2)
    assert diary == [(name, "train", 2) for name in "abc"] + [(name, "train", 4) for name in "abc" + "cba" + "abc"]
    assert seconds == {name: [1.0, 2.0, 3.0] for name in "abc"}  # the warm-up's 9 seconds do not count
    assert not errors


def test_who_fails_drops_out_and_the_others_go_on() -> None:
    diary: list[tuple[str, str, int]] = []
    runners = {
        "a": Scripted("a", [1.0] * 6, diary),
        "b": Scripted("b", [1.0, 1.0], diary),
        "c": Scripted("c", [], diary),
    }
    seconds, errors = take_turns(runners, "train", rounds=5)
    assert seconds == {"a": [1.0] * 5}
    assert errors == {"b": "out of memory", "c": "out of memory"}
    assert [name for name, _, _ in diary].count("b") == 3  # warm-up, one round, the one it failed in


def test_ratios_are_taken_within_rounds() -> None:
    """The machine is slower from round to round, and something disturbed the peer in the first: it takes twice our time."""
    rows = compare({"ours": [1.0, 3.0, 4.0], "peer": [8.0, 6.0, 8.0]}, base="ours")
    assert rows["peer"]["median_seconds"] == 8.0
    assert [rows["peer"][key] for key in ("ratio", "ratio_low", "ratio_high")] == [2.0, 2.0, 8.0]
    assert rows["ours"]["ratio"] == 1.0


def test_side_by_side_counts_what_both_made_in_the_time_of_the_slower() -> None:
    class Half(Worker):
        def __init__(self, seconds: float) -> None:
            self.seconds, self.asked = seconds, 0

        def send(self, **request: Any) -> None:
            self.asked += 1

        def hear(self) -> dict[str, Any]:
            assert all(half.asked for half in halves), "one was waited for before the other had been asked"
            return {"seconds": self.seconds}

    halves = [Half(0.5), Half(0.6)]
    assert SideBySide(halves).turn("train", 1) == pytest.approx(0.3)


@pytest.fixture
def worker() -> Iterator[Worker]:
    tiny = {"embed_dim": 12, "depth": 1, "num_heads": 3, "patch_size": 14}
    worker = Worker(Contender(name="tiny", kind="plain", shape=tuple(tiny.items()), batch_size=4))
    yield worker
    worker.end()


@pytest.mark.thorough
def test_a_worker_trains_says_why_it_cannot_and_why_it_is_gone(worker: Worker) -> None:
    with pytest.raises(Failed, match="KeyError"):
        worker.turn("train", 1)  # nothing was built yet
    worker.build()
    assert worker.turn("train", 2) > 0
    assert worker.turn("predict", 1) > 0
    expected = build_model("vit", dict(worker.contender.shape))
    assert worker.about()["num_params"] == num_params(expected)
    worker.process.kill()
    with pytest.raises(Failed, match="ended with code -9"):
        worker.turn("train", 1)


def test_without_the_peers_environment_the_way_to_make_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(race, "PEERS_PYTHON", tmp_path / "python")
    with pytest.raises(FittingRoomError, match=r"is missing: run make bench, or scripts/peers\.sh"):
        race.python_for(Contender(name="timm", kind="peer", model="timm"))
    monkeypatch.setattr(speed.fashion_mnist, "find", lambda: tmp_path)
    assert speed.main([]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_peer_is_tuned_in_every_way_that_it_has() -> None:
    assert [each.setting for each in settings_of("timm", 128)] == [
        "fp32",
        "bf16",
        "bf16, compiled",
        "bf16, explicit attention",
        "bf16, explicit attention, compiled",
    ]
    assert [each.setting for each in settings_of("torchvision", 128)] == ["fp32", "bf16", "bf16, compiled"]


def test_tuned_peers_keep_freed_memory_as_we_do_and_others_run_as_they_come() -> None:
    bare = Contender(name="timm", kind="peer", model="timm")
    asked = set(race.KEEP_FREED_MEMORY)
    assert asked <= set(race.environment(replace(bare, precision="bf16"), None))
    assert not asked & set(race.environment(bare, None))
    assert not asked & set(race.environment(ours("ours", {"precision": "bf16"}), None))  # the engine asks from inside


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
@pytest.mark.parametrize("settings", [{}, race.KEEP_FREED_MEMORY])
def test_glibc_takes_large_blocks_from_the_heap_where_freed_memory_is_kept(settings: dict[str, str]) -> None:
    """A block that is mapped on its own goes back to the system as soon as it is freed."""
    code = (
        "import ctypes; take = ctypes.CDLL(None).malloc; take.restype = ctypes.c_void_p; place = take(1 << 28)\n"
        "heap = next(line for line in open('/proc/self/maps') if '[heap]' in line).split()[0].split('-')\n"
        "print(int(heap[0], 16) <= place < int(heap[1], 16))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == str(bool(settings))


def test_ours_has_the_shape_of_a_peer_that_another_library_built() -> None:
    theirs = peers.BUILDERS["transformers"](True)
    network = build_model("vit", dict(SHAPE))
    assert num_params(network) == 2_674_762
    assert num_params(theirs) == pytest.approx(num_params(network), rel=speed.SAME_SIZE)
    with torch.inference_mode():
        assert theirs(torch.zeros(2, 1, SIDE, SIDE)).shape == (2, CLASSES)


def test_a_peer_of_another_shape_does_not_count() -> None:
    rows = [
        {"library": "ours", "num_params": 100, "error": None},
        {"library": "timm", "num_params": 102, "error": None},
        {"library": "transformers", "num_params": 110, "error": None},
        {"library": "torchvision", "error": "it could not be built"},
    ]
    speed.check_sizes(rows)
    assert [row["error"] for row in rows[:2]] == [None, None]
    assert rows[2]["error"] == "it has 110 parameters, ours 100: not the same shape"


def test_a_contender_survives_the_way_to_its_worker() -> None:
    contender = ours("ours", {"precision": "bf16", "attention": "explicit", "compile": True}, batch_size=7)
    assert from_dict(contender.to_dict()) == contender
    assert contender.setting == "bf16, explicit attention, compiled"


def row(library: str, setting: str, seconds: float, error: str | None = None) -> dict[str, Any]:
    timed = {"median_seconds": seconds, "ratio": seconds, "ratio_low": seconds, "ratio_high": seconds}
    times = {} if error else {"train": timed, "predict": timed}
    return {"name": f"{library}, {setting}", "library": library, "setting": setting, "error": error, **times}


def test_targets_take_the_fastest_peer_and_the_limit_is_its_time_over_the_products_alone() -> None:
    base = row("ours", "bf16", 1.0)
    record = {
        "ceiling": {"best_gflops": {"fp32": 50.0, "bf16": 100.0}},
        # 6 flop each, 128 images: half a second at 100 Gflop/s; a quarter for the CNN
        "profile": {
            "vit": {"num_macs": 50e9 / 768, "step_seconds": 1.0, "shares": {PRODUCTS: 0.8}},
            "cnn": {"num_macs": 25e9 / 768, "step_seconds": 1.0, "shares": {PRODUCTS: 0.5}},
            "vit, inference": {"num_macs": 50e9 / 768, "step_seconds": 0.5, "shares": {PRODUCTS: 0.5}},
        },
        "races": {
            "timm": {"rows": [base, row("timm", "fp32", 4.0), row("timm", "bf16", 2.0)]},
            "vit-pytorch": {"rows": [base, row("vit-pytorch", "fp32", 3.0), row("vit-pytorch", "bf16", 0.0, "broken")]},
            "cnn": {"rows": [base, row("plain", "fp32", 5.0)]},
            "epoch": {"rows": [base, row("usual script", "fp32", 9.0)], "images": 256},
        },
    }
    best, timm, cnn, epoch, inference = targets(record)
    assert (best["against"], best["measured"], best["met"]) == ("timm, bf16", 2.0, True)
    assert (timm["against"], timm["measured"], timm["met"]) == ("timm, fp32", 4.0, False)
    assert (cnn["measured"], cnn["met"]) == (5.0, True)
    # seconds of the other side over those of the products: at the peak, and by the share of our step that they take
    limits = [(row["limit"], row["limit_in_our_step"]) for row in (best, timm, cnn, epoch, inference)]
    for contender in record["races"]["timm"]["rows"][
        1:
    ]:  # the machine stalled in that race: ratios stay, seconds do not
        for what in ("train", "predict"):
            contender[what] = {**contender[what], "median_seconds": 3 * contender[what]["median_seconds"]}
    assert targets(record) == [best, timm, cnn, epoch, inference]
    expected = [
        (2 / 0.5, 2 / 0.8),
        (4 / 0.5, 4 / 0.8),
        (5 / 0.25, 5 / 0.5),
        (9 / 1.0, 9 / 1.6),
        (2 / (0.5 / 3), 2 / 0.25),
    ]
    assert limits == [pytest.approx(pair) for pair in expected]


def test_a_target_whose_other_side_failed_is_not_met() -> None:
    fits = {"num_macs": 1e9, "step_seconds": 1.0, "shares": {PRODUCTS: 0.8}}
    broken = {"rows": [row("ours", "bf16", 1.0), row("timm", "fp32", 0.0, "broken")], "images": 256}
    record = {
        "ceiling": {"best_gflops": {"fp32": 50.0}},
        "profile": dict.fromkeys(("vit", "cnn", "vit, inference"), fits),
        "races": dict.fromkeys(("timm", "cnn", "epoch"), broken),
    }
    assert [(each["measured"], each["met"]) for each in targets(record)] == [(None, False)] * 5
