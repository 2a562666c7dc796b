"""A batch of pairs is a function of (seed, epoch, step); padding is little and masked."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.augment import PairAugmentConfig
from fittingroom.data.seq2seq.batches import (
    EncodedPairs,
    PairBatch,
    TrainPairBatches,
    encode,
    eval_pair_batches,
    eval_source_batches,
    sequences,
)
from fittingroom.data.seq2seq.tsv import Pairs, group
from fittingroom.data.seq2seq.vocabulary import BOS_ID, EOS_ID, PAD_ID, UNK_ID, build_both

DRAW = torch.Generator().manual_seed(1)
LENGTHS = torch.randint(1, 15, (90,), generator=DRAW).tolist()


def pairs() -> Pairs:
    """90 different words of 1 to 14 letters and a number. Every third word has a second target."""
    words = ["".join(chr(97 + (number * 7 + place * place) % 26) for place in range(length)) + f"{number}"
             for number, length in enumerate(LENGTHS)]  # fmt: skip
    lines = [(word, tuple(word.upper())) for word in words]
    return group([*lines, *[(word, (*target, "!")) for word, target in lines[::3]]])


def encoded() -> EncodedPairs:
    return encode(pairs(), *build_both(pairs()))


def batches(seed: int = 0, batch_size: int = 16) -> TrainPairBatches:
    return TrainPairBatches(pairs=encoded(), seed=seed, batch_size=batch_size)


def same(one: PairBatch, other: PairBatch) -> bool:
    return all(torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))


def test_starting_at_any_step_gives_what_a_walk_to_it_gives() -> None:
    steps = batches().steps_per_epoch
    assert steps == 8  # 120 pairs, 16 a batch
    walk = list(itertools.islice(batches().from_step(0), 2 * steps + 4))
    for start in (0, 5, steps - 1, steps, 2 * steps + 1):
        for got, expected in zip(batches().from_step(start), walk[start:], strict=False):
            assert same(got, expected)


def test_a_batch_alone_equals_the_one_met_on_the_way_and_draws_nothing_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    walk = list(itertools.islice(batches().from_step(0), 11))
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert same(batches().batch(1, 2), walk[10])


def test_seeds_epochs_and_steps_give_other_batches() -> None:
    first = batches().batch(0, 0)
    for other in (batches(seed=1).batch(0, 0), batches().batch(1, 0), batches().batch(0, 1)):
        assert not torch.equal(first.places.sort().values, other.places.sort().values)


@pytest.mark.thorough
@given(batch_size=st.integers(1, 120), epoch=st.integers(0, 3))
def test_an_epoch_holds_every_pair_once_in_batches_of_like_size(batch_size: int, epoch: int) -> None:
    order = batches(batch_size=batch_size).order(epoch)
    assert torch.equal(torch.cat(order).sort().values, torch.arange(120))
    sizes = [len(batch) for batch in order]
    assert len(order) == batches(batch_size=batch_size).steps_per_epoch
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


def test_a_batch_says_what_its_pairs_say_and_masks_the_rest() -> None:
    given_pairs = [
        (source, target) for source, targets in zip(pairs().sources, pairs().targets, strict=True) for target in targets
    ]
    source_vocabulary, target_vocabulary = build_both(pairs())
    for batch in itertools.islice(batches().from_step(0), 8):
        for row, place in enumerate(batch.places.tolist()):
            source, target = given_pairs[place]
            src, tgt_in, tgt_out = batch.src[row], batch.tgt_in[row], batch.tgt_out[row]
            src_ids, tgt_ids = source_vocabulary.encode(source), target_vocabulary.encode(target)
            assert src[batch.src_mask[row]].tolist() == [*src_ids, EOS_ID]
            assert tgt_in[batch.tgt_mask[row]].tolist() == [BOS_ID, *tgt_ids]
            assert tgt_out[batch.tgt_mask[row]].tolist() == [*tgt_ids, EOS_ID]
            assert batch.src_mask[row].tolist() == sorted(batch.src_mask[row].tolist(), reverse=True)
            assert {*src[~batch.src_mask[row]].tolist(), *tgt_out[~batch.tgt_mask[row]].tolist()} <= {PAD_ID}
            assert {*tgt_in[~batch.tgt_mask[row]].tolist()} <= {PAD_ID}
        assert bool(batch.src_mask.any(0).all() and batch.tgt_mask.any(0).all())  # no column is padding alone


@pytest.mark.parametrize("same_length", ["neither", "targets"])
def test_no_batch_mixes_short_and_long_wildly(same_length: str) -> None:
    draw = torch.Generator().manual_seed(0)
    many = sequences([[4] * length for length in torch.randint(1, 21, (5000,), generator=draw).tolist()])
    targets = many if same_length == "neither" else sequences([[4]] * 5000)
    data = EncodedPairs(sources=many, targets=targets, source_of=torch.arange(5000))
    order = TrainPairBatches(pairs=data, seed=0, batch_size=8).order(0)
    spans = torch.tensor([int(many.lengths[batch].max() - many.lengths[batch].min()) for batch in order])
    assert spans.float().mean() < 0.5  # at random: about 16
    assert spans.max() <= 2
    longest = [int(many.lengths[batch].max()) for batch in order[:100]]
    assert longest != sorted(longest)  # short words do not all come first


def test_unknown_symbols_become_one_id() -> None:
    vocabularies = build_both(group([("ab", ("A", "B"))]))
    (batch,) = eval_pair_batches(encode(group([("añb", ("A", "Ñ"))]), *vocabularies))
    assert batch.src.tolist() == [[4, UNK_ID, 5, EOS_ID]]
    assert batch.tgt_out.tolist() == [[4, UNK_ID, EOS_ID]]


def test_evaluation_batches_hold_every_source_and_every_pair_once_and_say_which() -> None:
    data = encoded()
    sources = list(eval_source_batches(data, batch_size=32))
    index = torch.cat([batch.places for batch in sources])
    assert torch.equal(index.sort().values, torch.arange(90))
    lengths = data.sources.lengths[index]
    assert torch.equal(lengths, lengths.sort().values)
    letters = build_both(pairs())[0]
    for batch in sources:
        for row, place in enumerate(batch.places.tolist()):
            assert "".join(letters.decode(batch.src[row].tolist())) == pairs().sources[place]
    index = torch.cat([batch.places for batch in eval_pair_batches(data, batch_size=32)])
    assert torch.equal(index.sort().values, torch.arange(120))
    lengths = data.targets.lengths[index]
    assert torch.equal(lengths, lengths.sort().values)


@pytest.mark.parametrize("size", [0, 121])
def test_a_batch_size_that_does_not_suit_is_refused(size: int) -> None:
    with pytest.raises(FittingRoomError, match="choose 1 to 120"):
        batches(batch_size=size)


AUGMENT = PairAugmentConfig(join_rate=0.5, hide_rate=0.3)


def augmented(config: PairAugmentConfig = AUGMENT, max_len: int | None = None, seed: int = 0) -> TrainPairBatches:
    return TrainPairBatches(pairs=encoded(), seed=seed, batch_size=16, augment=config, max_len=max_len)


def texts(ids: torch.Tensor, mask: torch.Tensor) -> list[list[int]]:
    return [row[keep].tolist() for row, keep in zip(ids, mask, strict=True)]


@given(join_rate=st.sampled_from([0.0, 0.4, 0.9]), hide_rate=st.sampled_from([0.0, 0.3]), step=st.integers(0, 7))
def test_an_augmented_batch_holds_the_pairs_some_followed_by_the_next_one(
    join_rate: float, hide_rate: float, step: int
) -> None:
    plain = batches().batch(0, step)
    found = augmented(PairAugmentConfig(join_rate=join_rate, hide_rate=hide_rate)).batch(0, step)
    num_joined = 0
    for side, mask in (("src", "src_mask"), ("tgt_out", "tgt_mask")):
        alone = texts(getattr(plain, side), getattr(plain, mask))
        for row, symbols in enumerate(texts(getattr(found, side), getattr(found, mask))):
            following = alone[row][:-1] + alone[(row + 1) % len(alone)]
            assert symbols in (alone[row], following)
            num_joined += symbols == following
        assert (getattr(found, side)[~getattr(found, mask)] == PAD_ID).all()
    assert num_joined % 2 == 0  # source and target are joined together
    assert (num_joined > 0) == (join_rate > 0)
    shown = torch.cat([torch.full((len(found.src), 1), BOS_ID), found.tgt_out[:, :-1]], 1)
    differ = (found.tgt_in != shown) & found.tgt_mask
    assert (found.tgt_in[differ] == UNK_ID).all() and bool(differ.any()) == (hide_rate > 0)
    assert (found.tgt_in[:, 0] == BOS_ID).all()


def test_an_augmented_batch_is_a_function_of_seed_epoch_and_step() -> None:
    walk = list(itertools.islice(augmented().from_step(0), 10))
    assert all(same(walk[step], augmented().batch(*divmod(step, 8))) for step in (0, 3, 9))
    assert not same(walk[0], augmented(seed=1).batch(0, 0)) and not same(walk[0], augmented().batch(1, 0))


def test_pairs_are_joined_only_as_long_as_a_model_can_read_them() -> None:
    plain = [batches().batch(0, step) for step in range(8)]
    longest = max(max(each.src.shape[1], each.tgt_out.shape[1]) for each in plain)
    for step in range(8):
        found = augmented(PairAugmentConfig(join_rate=0.99), max_len=longest).batch(0, step)
        assert max(found.src.shape[1], found.tgt_out.shape[1]) <= longest


@pytest.mark.parametrize("name", ["join_rate", "hide_rate"])
@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_of_augmentation_is_at_least_0_and_below_1(name: str, rate: float) -> None:
    with pytest.raises(FittingRoomError, match=rf"augment.{name} .* must be at least 0 and below 1"):
        PairAugmentConfig(**{name: rate})
