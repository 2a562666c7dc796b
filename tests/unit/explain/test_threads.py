"""One network in several threads, as in a web service: nobody gets the attention of another thread's images."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from fittingroom.explain.capture import attention_layers, capture_attention
from fittingroom.explain.eval_mode import eval_mode
from fittingroom.explain.methods import saliency
from tests.unit.explain.networks import draw_images, timm_like, tiny

MODELS = [lambda: tiny("vit"), timm_like]


def elsewhere(call: Callable[[], object]) -> None:
    """Run it in another thread, to its end."""
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


@pytest.mark.parametrize("make", MODELS)
def test_a_forward_pass_of_another_thread_is_not_captured(make: Callable[[], nn.Module]) -> None:
    model, images = make(), draw_images()
    expected = attention_layers(model, images)
    with torch.no_grad(), capture_attention(model) as caught:
        model.register_forward_pre_hook(lambda *_: elsewhere(lambda: model.forward(draw_images(3, seed=1))))
        model(images)
    found = [each for calls in caught.values() for each in calls]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_the_next_thread_waits_until_a_network_is_as_it_was() -> None:
    model = tiny("vit").train()
    seen: list[bool] = []

    def look() -> None:
        with eval_mode(model):
            seen.append(model.training)

    thread = threading.Thread(target=look)
    with eval_mode(model):
        thread.start()
        thread.join(0.05)
        assert thread.is_alive() and not seen
    thread.join()
    assert seen == [False] and model.training


@pytest.mark.parametrize("make", MODELS)
def test_maps_in_many_threads_are_those_of_one(make: Callable[[], nn.Module]) -> None:
    model = make()

    def map_of(seed: int) -> np.ndarray:
        with torch.no_grad():
            model(draw_images(3, seed))
        return saliency(model, draw_images(3, seed), torch.tensor([0, 1, 2]), "relevance")

    expected = [map_of(seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for found, alone in zip(pool.map(map_of, range(8)), expected, strict=True):
            np.testing.assert_allclose(found, alone, rtol=1e-4, atol=1e-6)
