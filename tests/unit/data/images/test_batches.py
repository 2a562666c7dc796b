"""A batch is a function of (seed, epoch, step)."""

import itertools
from dataclasses import replace

import pytest
import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.augment import AugmentConfig
from fittingroom.data.images.batches import TrainBatches, eval_batch_size, eval_batches, normalise, smooth_targets
from fittingroom.data.spec import DataSpec, ImageSet

SPEC = DataSpec(
    name="toy", title="Toy", source="toy", digest="0123456789ab", class_names=("a", "b", "c"), channels=1, height=8, width=8,
    mean=(0.5,), std=(0.25,), num_val=1, num_test=1,
)  # fmt: skip
ALL = AugmentConfig(erase_rate=0.5, mixup_alpha=0.3, rand_augment_ops=1)


def images(num: int = 25) -> ImageSet:
    pixels = torch.randint(0, 256, (num, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return ImageSet(pixels, torch.arange(num) % 3, torch.arange(num))


def batches(seed: int = 0, augment: AugmentConfig = ALL) -> TrainBatches:
    return TrainBatches(train=images(), spec=SPEC, seed=seed, batch_size=4, augment=augment, label_smoothing=0.1)


def test_starting_at_any_step_gives_what_a_walk_to_it_gives() -> None:
    walk = list(itertools.islice(batches().from_step(0), 16))  # two epochs of six steps, and four more
    for start in (0, 5, 6, 11, 13):
        for got, expected in zip(batches().from_step(start), walk[start:], strict=False):
            assert torch.equal(got[0], expected[0])
            assert torch.equal(got[1], expected[1])


def test_seeds_epochs_and_steps_give_other_batches() -> None:
    first = batches().batch(0, 0)[0]
    for other in (batches(seed=1).batch(0, 0)[0], batches().batch(1, 0)[0], batches().batch(0, 1)[0]):
        assert not torch.equal(first, other)


def test_an_epoch_shows_each_image_at_most_once_and_drops_the_incomplete_batch() -> None:
    assert batches().steps_per_epoch == 6
    order = batches().order(3)
    assert sorted(order.tolist()) == list(range(25))


def test_alternating_flip_mirrors_every_image_in_every_other_epoch() -> None:
    still = batches(augment=AugmentConfig(shift_pixels=0, flip="alternating"))
    order = torch.arange(25)
    even, odd, again = (still.batch(epoch, 0, order)[0] for epoch in (0, 1, 2))
    assert torch.equal(even, again)
    assert torch.equal(even, odd.flip(3))
    plain = normalise(images().images[:4], SPEC)
    mirrored = [not torch.equal(image, original) for image, original in zip(even, plain, strict=True)]
    assert mirrored == [bool(still._first_flip[number]) for number in range(4)]


def test_random_flip_is_a_coin_and_no_flip_is_none() -> None:
    def mirrored(flip: str, epoch: int) -> list[bool]:
        made = batches(augment=AugmentConfig(shift_pixels=0, flip=flip))  # type: ignore[arg-type]
        order = torch.arange(25)
        seen = torch.cat([made.batch(epoch, step, order)[0] for step in range(6)])
        plain = normalise(images().images[:24], SPEC)
        assert all(torch.equal(a, b) or torch.equal(a, b.flip(2)) for a, b in zip(seen, plain, strict=True))
        return [not torch.equal(a, b) for a, b in zip(seen, plain, strict=True)]

    coins = [mirrored("random", epoch) for epoch in range(4)]
    assert 0.3 < sum(map(sum, coins)) / 96 < 0.7
    assert len({tuple(coin) for coin in coins}) == 4
    assert not any(mirrored("none", 0) + mirrored("none", 1))


def test_a_batch_draws_nothing_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    first = batches().batch(1, 2)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    second = batches().batch(1, 2)
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))


def test_a_batch_is_float_of_pixel_range_with_targets_that_sum_to_one() -> None:
    pixels, targets = batches().batch(0, 3)
    assert (pixels.dtype, pixels.shape) == (torch.float32, (4, 1, 8, 8))
    as_bytes = pixels * 0.25 * 255 + 0.5 * 255
    assert as_bytes.min() > -0.01
    assert as_bytes.max() < 255.01
    torch.testing.assert_close(targets.sum(1), torch.ones(4))


def test_images_keep_their_labels_through_the_shuffle() -> None:
    plain = TrainBatches(
        train=images(), spec=SPEC, seed=3, batch_size=4, augment=AugmentConfig(shift_pixels=0, flip="none")
    )
    order = plain.order(2)
    for step in range(6):
        picked = order[step * 4 : step * 4 + 4]
        pixels, targets = plain.batch(2, step)
        assert torch.equal(pixels, normalise(images().images[picked], SPEC))
        assert torch.equal(targets.argmax(1), picked % 3)


def test_normalising_uses_the_statistics_of_the_data() -> None:
    pixels = torch.tensor([0, 255, 128, 64], dtype=torch.uint8).view(1, 1, 2, 2)
    expected = (pixels.float() / 255 - 0.5) / 0.25
    torch.testing.assert_close(normalise(pixels, SPEC), expected)


def with_input(spec: DataSpec, channels: int | None, size: tuple[int, int] | None) -> DataSpec:
    count = channels or spec.channels
    preprocessing = replace(spec.preprocessing, input_channels=channels, input_size=size)
    return replace(spec, preprocessing=preprocessing, mean=(0.5,) * count, std=(0.25,) * count)


def test_grey_is_repeated_for_a_network_that_reads_colour() -> None:
    pixels = images().images
    found = normalise(pixels, with_input(SPEC, 3, None))
    assert torch.equal(found, normalise(pixels, SPEC).expand(-1, 3, -1, -1))


def test_colour_becomes_its_luminance_for_a_network_that_reads_grey() -> None:
    spec = replace(SPEC, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)
    red, white = (
        torch.tensor(each, dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 8, 8) for each in ([255, 0, 0], [255] * 3)
    )
    for pixels, grey in ((red, 0.299), (white, 1.0)):
        found = normalise(pixels, with_input(spec, 1, None))
        torch.testing.assert_close(found, torch.full((1, 1, 8, 8), (grey - 0.5) / 0.25))


@pytest.mark.parametrize("size", [(16, 16), (4, 4), (4, 16)])
def test_images_get_the_size_of_the_networks_input(size: tuple[int, int]) -> None:
    flat = torch.full((2, 1, 8, 8), 200, dtype=torch.uint8)
    found = normalise(flat, with_input(SPEC, None, size))
    torch.testing.assert_close(found, torch.full((2, 1, *size), (200 / 255 - 0.5) / 0.25))


def test_evaluation_takes_fewer_images_at_a_time_if_they_are_large() -> None:
    assert [eval_batch_size(with_input(SPEC, None, (side, side))) for side in (8, 64, 224, 4096)] == [500, 500, 40, 1]


def test_soft_targets_sum_to_one() -> None:
    soft = smooth_targets(torch.tensor([2, 0]), 3, 0.3)
    torch.testing.assert_close(soft, torch.tensor([[0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]))


def test_evaluation_batches_hold_all_images_in_order() -> None:
    joined = torch.cat(list(eval_batches(images(), SPEC, batch_size=10)))
    assert torch.equal(joined, normalise(images().images, SPEC))


@pytest.mark.parametrize("size", [0, 26])
def test_a_batch_size_that_does_not_suit_is_refused(size: int) -> None:
    with pytest.raises(FittingRoomError, match="choose 1 to 25"):
        TrainBatches(train=images(), spec=SPEC, seed=0, batch_size=size, augment=ALL)
