"""The first guess, parts chosen by hand, and what differs between two plans."""

from dataclasses import replace

import pytest
import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.training.speed import plan
from fittingroom.training.speed.plan import Device, Plan, check_device, differences, first_guess, with_fixed
from tests.unit.training.machine import GUESS, tiny_config


def has_bf16(monkeypatch: pytest.MonkeyPatch, *, cpu: bool, card: bool | None = None) -> None:
    """A processor with or without bf16 instructions, and a graphics card with or without them; None: no card."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: cpu)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: card is not None)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: card or including_emulation)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize(("cpu", "precision"), [(True, "bf16"), (False, "fp32")])
@pytest.mark.parametrize(("model", "channels_last"), [("vit", False), ("cnn", True), ("hybrid", True)])
def test_the_first_guess_on_a_processor(
    model: str, channels_last: bool, cpu: bool, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_bf16(monkeypatch, cpu=cpu)
    guess = first_guess(tiny_config(model))
    assert (guess.device, guess.precision, guess.attention) == ("cpu", precision, "explicit")
    assert (guess.channels_last, guess.compile) == (channels_last, False)
    assert guess.num_threads == torch.get_num_threads()


def test_the_first_guess_has_no_more_threads_than_the_container_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    for quota, threads in ((2, 2), (16, 8)):
        monkeypatch.setattr(plan, "num_cores", lambda quota=quota: quota)
        assert first_guess(tiny_config("vit")).num_threads == threads


def test_a_graphics_card_is_used_where_there_is_one_with_its_own_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    has_bf16(monkeypatch, cpu=True, card=False)
    guess = first_guess(tiny_config("cnn"))
    assert (guess.device, guess.precision, guess.attention) == ("cuda", "fp32", "fused")
    has_bf16(monkeypatch, cpu=False, card=True)
    assert first_guess(tiny_config("cnn")).precision == "bf16"


def test_fixed_parts_are_taken_and_all_others_stay() -> None:
    fixed = {"precision": "fp32", "compile": "true", "num_threads": "3"}
    assert with_fixed(GUESS, fixed) == replace(GUESS, precision="fp32", compile=True, num_threads=3)
    assert with_fixed(GUESS, {}) == GUESS


@pytest.mark.parametrize(
    ("fixed", "said"),
    [
        ({"precison": "fp32"}, "--plan: unknown key 'precison': did you mean 'precision'?"),
        ({"colour": "red"}, "--plan: unknown key 'colour': known: attention, channels_last, compile"),
        ({"precision": "fp17"}, "'fp17' is not one of fp32, bf16"),
        ({"attention": "flash"}, "'flash' is not one of explicit, fused"),
        ({"device": "gpu"}, "'gpu' is not one of cpu, cuda, mps"),
        ({"compile": "maybe"}, "expected true or false, got 'maybe'"),
        ({"num_threads": "two"}, "expected a whole number, got 'two'"),
        ({"num_threads": "0"}, "num_threads 0 is too small: choose 1 or more"),
        ({"device": "cuda"}, "device 'cuda' is not on this machine: --plan device= takes cpu"),
    ],
)
def test_a_part_that_cannot_be_is_one_line_that_helps(
    fixed: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_bf16(monkeypatch, cpu=True)
    with pytest.raises(FittingRoomError) as caught:
        with_fixed(GUESS, fixed)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_another_device_brings_the_attention_and_precision_that_suit_it(monkeypatch: pytest.MonkeyPatch) -> None:
    has_bf16(monkeypatch, cpu=False, card=True)
    on_cpu = replace(GUESS, precision="fp32")
    on_card = replace(GUESS, device="cuda", precision="bf16", attention="fused")
    assert with_fixed(on_cpu, {"device": "cuda"}) == on_card
    assert with_fixed(on_card, {"device": "cpu"}) == on_cpu
    both = {"device": "cuda", "attention": "explicit", "precision": "fp32"}
    assert with_fixed(on_cpu, both) == replace(on_cpu, device="cuda")


def test_naming_the_device_that_it_has_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a run begun in bf16 on a machine that is slow at it can be resumed with the words that began it."""
    has_bf16(monkeypatch, cpu=False)
    assert with_fixed(replace(GUESS, attention="fused"), {"device": "cpu"}) == replace(GUESS, attention="fused")


def test_a_device_that_is_there_passes_and_one_that_is_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    has_bf16(monkeypatch, cpu=True, card=True)
    there: tuple[Device, ...] = ("cpu", "cuda")
    for device in there:
        check_device(device)
    with pytest.raises(FittingRoomError, match="'mps' is not on this machine: --plan device= takes cpu, cuda"):
        check_device("mps")


def test_differences_are_the_values_of_the_first() -> None:
    other = replace(GUESS, precision="fp32", num_threads=1)
    assert differences(GUESS, other) == {"precision": "bf16", "num_threads": 2}
    assert differences(GUESS, Plan(**vars(GUESS))) == {}
