"""Checks of the exercises. Each runs your function on a small example and says what is right, or where to look.

A check never stops the notebook: it returns a `Result` that shows itself.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import torch

from fittingroom.models.layers.attention import attention_weights, causal_mask, merge_heads, split_heads
from fittingroom.models.layers.patches import PatchEmbed, to_tokens
from fittingroom.models.layers.positions import sinusoidal_1d
from lesson.show import themed

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Result:
    """What a check found. It is true if the exercise is solved."""

    solved: bool
    message: str

    def __bool__(self) -> bool:
        return self.solved

    def __repr__(self) -> str:
        return f"{'Solved' if self.solved else 'Not yet'}: {self.message}"

    def _repr_html_(self) -> str:
        colour, mark = ("right", "✓") if self.solved else ("wrong", "→")
        return themed(
            f'<p style="border-left: 4px solid VAR({colour}); padding: .3rem .8rem; margin: .5rem 0;">'
            f"<b>{mark} {'Solved' if self.solved else 'Not yet'}.</b> {escape(self.message)}</p>"
        )


class Hint(Exception):
    """A mistake that a check found, as a sentence for the student."""


def checked(check: Callable[..., str]) -> Callable[..., Result]:
    """A check that raises `Hint`, as a function that returns a `Result` for anything that can happen."""

    def run(*answers: Any) -> Result:
        try:
            return Result(True, check(*answers))
        except Hint as hint:
            return Result(False, str(hint))
        except Exception as error:  # whatever the student's code raises is a hint, not the end of the notebook
            return Result(False, f"your code stops with {type(error).__name__}: {error}")

    run.__doc__, run.__name__ = check.__doc__, check.__name__
    return run


def answer(value: Any, shape: tuple[int, ...], meaning: str) -> torch.Tensor:
    """The student's array as a tensor. Raises `Hint` if it is missing or has another shape."""
    if value is None or value is ...:
        raise Hint("replace the dots by your code, and return the result.")
    found = torch.as_tensor(np.asarray(value.detach() if isinstance(value, torch.Tensor) else value)).double()
    if tuple(found.shape) != shape:
        raise Hint(f"the result has shape {tuple(found.shape)}, expected {shape}: {meaning}.")
    return found


def same(found: torch.Tensor, expected: Any) -> bool:
    """Whether two arrays agree up to rounding."""
    expected = torch.as_tensor(expected).double()
    return found.shape == expected.shape and bool(torch.allclose(found, expected, atol=TOLERANCE, rtol=TOLERANCE))


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random numbers that are the same every time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@checked
def weights(student: Callable[..., Any]) -> str:
    """Lesson 1: `weights(q, k)` is `softmax(q k^T / sqrt(head_dim))`, with shape (queries, keys)."""
    q, k = numbers(3, 16), numbers(5, 16, seed=1)
    right = attention_weights(q[None, None], k[None, None])[0, 0]
    found = answer(student(q, k), (3, 5), "one row for each query, one column for each key (q @ k.T)")
    scores = q @ k.T
    if same(found, right):
        return "your weights agree with the package's attention_weights."
    if same(found, scores.softmax(dim=-1)):
        raise Hint("the root is missing: divide the scores by sqrt(head_dim) before the softmax.")
    if same(found, (scores / 16).softmax(dim=-1)):
        raise Hint("you divide by head_dim. Divide by its square root, head_dim ** 0.5.")
    if any(same(found, (scores / each**0.5).softmax(dim=-1)) for each in (3, 5)):
        raise Hint("you divide by the root of the number of tokens. Take the length of one query, q.shape[-1].")
    if same(found, scores.softmax(dim=-1) / 4):
        raise Hint("the order is off: first divide the scores by the root, then take the softmax.")
    if same(found.sum(dim=0), torch.ones(5)):
        raise Hint("each column sums to 1. The softmax must run over the keys: softmax(dim=-1).")
    if same(found.sum(), 1.0):
        raise Hint(
            "all weights together sum to 1, but each row must: divide by the sum of its row, sum(dim=-1, keepdim=True)."
        )
    if not same(found.sum(dim=1), torch.ones(3)):
        raise Hint(f"each row must sum to 1; the first one sums to {found[0].sum():.2f}. Is the softmax there?")
    raise Hint("the rows sum to 1, but the weights differ from softmax(q k^T / sqrt(head_dim)). Check q @ k.T.")


@checked
def masked(student: Callable[..., Any]) -> str:
    """Lesson 1: `masked(scores)` gives weights in which token i attends to tokens 0 to i."""
    scores = numbers(5, 5)
    found = answer(student(scores), (5, 5), "one row for each query, one column for each key")
    right = scores.masked_fill(~causal_mask(5), -math.inf).softmax(dim=-1)
    if same(found, right):
        return "no token sees a later one, and every row sums to 1."
    if same(found.sum(dim=0), torch.ones(5)):
        raise Hint("each column sums to 1. The softmax must run over the keys: softmax(dim=-1).")
    if found[-1].isnan().any() and not found[0].isnan().any():
        raise Hint(
            "the mask is the wrong way round: token 4, the last one, sees nothing. Hide the keys j > i, not j <= i."
        )
    if found.isnan().any():
        row = int(found.isnan().any(dim=1).nonzero()[0])
        raise Hint(
            f"row {row} is not a number: you hide every key, even its own. Token i may attend to itself: j <= i."
        )
    later = torch.triu(found, diagonal=1)
    if same(torch.triu(found, diagonal=2), torch.zeros(5, 5)) and bool((later.diagonal(1) > TOLERANCE).all()):
        raise Hint("off by one: token i also sees token i + 1. Allow keys j <= i only.")
    if bool((later > TOLERANCE).any()):
        row, column = (int(each) for each in (later > TOLERANCE).nonzero()[0])
        raise Hint(f"token {row} attends to token {column}, which comes later. Set those scores to minus infinity.")
    if bool((found.diagonal() < TOLERANCE).any()):
        raise Hint("off by one: a token may attend to itself. Allow keys j <= i, not j < i.")
    if not same(found.sum(dim=1), torch.ones(5)):
        raise Hint("rows do not sum to 1: hide the scores before the softmax, not the weights after it.")
    raise Hint("the mask is right, but the weights are not: take the softmax of the scores over the keys.")


@checked
def heads(student: Callable[..., Any]) -> str:
    """Lesson 2: `heads(x, num_heads)` turns (tokens, dim) into (num_heads, tokens, head_dim)."""
    x = torch.arange(6 * 8.0).view(6, 8)
    found = answer(student(x, 2), (2, 6, 4), "(num_heads, tokens, head_dim)")
    if same(found, split_heads(x[None], 2)[0]):
        return "head 0 holds the first half of every token, head 1 the second half."
    if same(found, x.view(2, 6, 4)):
        raise Hint(
            "tokens are mixed: view(num_heads, tokens, head_dim) cuts the list of numbers, and head 0 gets whole tokens. "
            "Use view(tokens, num_heads, head_dim) first, then transpose(0, 1)."
        )
    if same(found, x.view(6, 4, 2).permute(2, 0, 1)):
        raise Hint("you take every second entry. A head takes neighbouring entries: view(tokens, num_heads, head_dim).")
    raise Hint(f"head 0 of token 1 should be {x[1, :4].tolist()}, but is {found[0, 1].tolist()}.")


@checked
def merged(student: Callable[..., Any]) -> str:
    """Lesson 2: `merged(x)` turns (num_heads, tokens, head_dim) back into (tokens, dim)."""
    x = torch.arange(6 * 8.0).view(6, 8)
    parts = split_heads(x[None], 2)[0]
    found = answer(student(parts), (6, 8), "(tokens, num_heads * head_dim)")
    if same(found, merge_heads(parts[None])[0]):
        return "it undoes the split: every token has its own numbers again."
    raise Hint(
        "token 0 got numbers of other tokens: move the heads behind the tokens (transpose(0, 1)) before you flatten."
    )


@checked
def positions(student: Callable[..., Any]) -> str:
    """Lesson 3: `positions(num_positions, dim)` is the table of section 3.5, sine and cosine side by side."""
    found = answer(student(12, 8), (12, 8), "one row for each position, dim columns")
    right = sinusoidal_1d(12, 8)
    if same(found, right):
        return "your table agrees with the package's sinusoidal_1d."
    if same(found, sinusoidal_1d(13, 8)[1:]):
        raise Hint(
            "off by one: positions start at 0, so the first row is sin(0), cos(0), ... = 0, 1, 0, 1. Yours starts at 1."
        )
    if same(found[:, 0], right[:, 1]) and same(found[:, 1], right[:, 0]):
        raise Hint("sine and cosine are swapped: even columns (2i) hold the sine, odd columns (2i + 1) the cosine.")
    if same(found, torch.cat([right[:, 0::2], right[:, 1::2]], dim=1)):
        raise Hint(
            "all sines come before all cosines. The formula puts them side by side: columns 0, 2, ... and 1, 3, ..."
        )
    if same(found[:, 0], right[:, 0]) and not same(found[:, 2], right[:, 2]):
        raise Hint(
            "the first pair is right, the next is not: the exponent for the pair in columns 2i and 2i + 1 is 2i / dim."
        )
    if same(found[:, 0::2], right[:, 0::2]):
        raise Hint(
            "the sines are right, the cosines are not: columns 2i and 2i + 1 have the same angle, pos / 10000 ** (2i / dim)."
        )
    place = (found - right).abs().argmax()
    row, column = divmod(int(place), 8)
    angle = f"{row} / 10000 ** ({column // 2 * 2} / 8)"
    raise Hint(
        f"position {row}, column {column} is {found[row, column]:.3f}, expected {right[row, column]:.3f}. Its angle is {angle}."
    )


@checked
def shifted(student: Callable[..., Any]) -> str:
    """Lesson 4: `shifted(target, begin)` is what the decoder reads while it learns to write `target`."""
    target = ["F", "OW", "N", "end"]
    found = student(list(target), "begin")
    if found is None or found is ...:
        raise Hint("replace the dots by your code, and return a list.")
    found = list(found)
    if found == ["begin", "F", "OW", "N"]:
        return "at place i the decoder reads what comes before symbol i, and must predict symbol i."
    if found == target:
        raise Hint("not shifted: at place 0 the decoder would read the very symbol that it must predict there.")
    if found == ["begin", *target]:
        raise Hint("one symbol too many: after the end mark there is nothing left to predict. Drop the last symbol.")
    if found == target[1:] or found == [*target[1:], "begin"]:
        raise Hint("shifted to the left: the decoder would read the symbol after the one that it must predict.")
    raise Hint(f"expected four symbols that start with begin, got {found}.")


@checked
def path_length(student: Callable[..., Any]) -> str:
    """Lesson 5: `path_length(kind, distance, kernel)`: how many steps a signal takes between two tokens."""
    cases = {
        ("attention", 1, 3): 1, ("attention", 100, 3): 1, ("recurrence", 1, 3): 1, ("recurrence", 100, 3): 100,
        ("convolution", 1, 3): 1, ("convolution", 100, 3): 100, ("convolution", 100, 5): 50, ("convolution", 3, 5): 2,
    }  # fmt: skip
    for (kind, distance, kernel), right in cases.items():
        found = student(kind, distance, kernel)
        if found is None or found is ...:
            raise Hint("replace the dots by your code, and return a whole number.")
        if found != right:
            reach = {
                "attention": "every token attends to every other one in a single layer",
                "recurrence": "the state passes through every token between the two",
                "convolution": f"with kernel {kernel}, a layer reaches kernel // 2 = {kernel // 2} to each side; round up",
            }[kind]
            raise Hint(
                f"{kind}, distance {distance}, kernel {kernel}: you say {found}, expected {right}. Think: {reach}."
            )
    return "attention needs one step at any distance. The others need more steps for tokens that are further apart."


@checked
def patches(student: Callable[..., Any]) -> str:
    """Lesson 6: `patches(image, patch_size)` turns (height, width) into (num_patches, patch_size ** 2), row by row."""
    image = torch.arange(6 * 8.0).view(6, 8)
    found = answer(student(image, 2), (12, 4), "(rows * columns of patches, pixels of a patch)")
    right = image.unfold(0, 2, 2).unfold(1, 2, 2).reshape(12, 4)
    if same(found, right):
        return "12 patches of 4 pixels, row by row."
    if same(found, image.reshape(12, 4)):
        raise Hint(
            "you cut strips of a row, not squares: patch 0 holds 0, 1, 8, 9. View as (rows, p, columns, p) and permute."
        )
    if same(found, right.view(3, 4, 4).transpose(0, 1).reshape(12, 4)):
        raise Hint("the patches are right, their order is not: go along a row of patches first, then to the next row.")
    if same(found, right.view(12, 2, 2).transpose(1, 2).reshape(12, 4)):
        raise Hint("each patch is mirrored along its diagonal: inside a patch, too, pixels go row by row.")
    wrong = int((found - right).abs().sum(dim=1).nonzero()[0])
    raise Hint(f"patch {wrong} should hold {right[wrong].tolist()}, but holds {found[wrong].tolist()}.")


@checked
def embedding(student: Callable[..., Any]) -> str:
    """Lesson 6: `embedding(rows, weight, bias)` projects flat patches (num_patches, pixels) to tokens (num_patches, dim)."""
    embed = PatchEmbed(2, 1, 5)
    image = numbers(1, 1, 6, 8)
    rows = image[0, 0].unfold(0, 2, 2).unfold(1, 2, 2).reshape(12, 4)
    with torch.no_grad():
        right = to_tokens(embed.proj(image))[0]
        weight, bias = embed.proj.weight.flatten(1), embed.proj.bias
        found = answer(student(rows, weight, bias), (12, 5), "one token of dim numbers for each patch")
        if same(found, right):
            return "a convolution with stride = kernel = patch is this matrix product."
        if bias is not None and same(found, right - bias):
            raise Hint("the bias is missing: add it to every token.")
    raise Hint("compute rows @ weight.T + bias (.T swaps rows and columns).")


@checked
def rollout(student: Callable[..., Any]) -> str:
    """Lesson 7: `rollout(layers)` multiplies attention (tokens, tokens) through all layers, skip connections included."""
    layers = [numbers(4, 4, seed=place).softmax(dim=-1) for place in range(3)]
    eye = torch.eye(4)
    mixed = [(each + eye) / 2 for each in layers]
    right = mixed[2] @ mixed[1] @ mixed[0]
    found = answer(student(layers), (4, 4), "how much of each input token reaches each output token")
    if same(found, right):
        return "row i says how much each input token contributes to token i."
    if same(found, layers[2] @ layers[1] @ layers[0]):
        raise Hint("the skip connection is missing: a layer keeps half of the token itself, (A + identity) / 2.")
    if same(found, mixed[0] @ mixed[1] @ mixed[2]):
        raise Hint("the order is reversed: later layers are on the left, A_L @ ... @ A_1.")
    if not same(found.sum(dim=1), torch.ones(4)):
        raise Hint(f"rows must sum to 1, yours sum to {found[0].sum():.2f}: divide A + identity by 2.")
    raise Hint("multiply (A + identity) / 2 of every layer, the last layer on the left.")


@checked
def verdict(student: Callable[..., Any]) -> str:
    """Lesson 8: `verdict(low, high)` says for the interval of a - b who is better: "a", "b" or "not settled"."""
    for (low, high), right in {
        (0.1, 0.5): "a",
        (-0.5, -0.1): "b",
        (-0.2, 0.6): "not settled",
        (0.0, 0.4): "not settled",
    }.items():
        found = student(low, high)
        if found is None or found is ...:
            raise Hint('replace the dots by your code, and return "a", "b" or "not settled".')
        if found != right:
            raise Hint(
                f"interval {low} to {high}: you say {found!r}, expected {right!r}. "
                "A difference counts only if the whole interval lies on one side of zero, without touching it."
            )
    return "you claim a difference only where the interval excludes zero."


@checked
def num_tokens(student: Callable[..., Any]) -> str:
    """Lesson 9: `num_tokens(side, strides)` counts the tokens of a hybrid; every stride rounds up."""
    for (side, strides), right in {
        (28, (1, 2, 1, 1, 2, 1)): 49,
        (28, (1, 1)): 784,
        (28, (2, 2, 2)): 16,
        (30, (2, 2)): 64,
    }.items():
        found = student(side, strides)
        if found is None or found is ...:
            raise Hint("replace the dots by your code, and return a whole number.")
        if found != right:
            down = side
            for stride in strides:
                down //= stride
            if found == down**2 and found != right:
                raise Hint(
                    f"side {side}, strides {strides}: you round down. A padded convolution rounds up: -(-side // stride)."
                )
            if found**2 == right:
                raise Hint(
                    f"side {side}, strides {strides}: {found} is one side of the map. A map has side * side tokens."
                )
            raise Hint(f"side {side}, strides {strides}: you say {found}, expected {right}.")
    return "a hybrid turns the map of its convolutions into tokens, one for each place."


@checked
def steps(student: Callable[..., Any]) -> str:
    """Lesson 10: `steps(num_images, batch_size, epochs)` counts the steps of a run; the last batch may be smaller."""
    for (images, batch, epochs), right in {(640, 64, 1): 10, (1000, 64, 5): 80, (55_000, 64, 20): 17_200}.items():
        found = student(images, batch, epochs)
        if found is None or found is ...:
            raise Hint("replace the dots by your code, and return a whole number.")
        if found == images // batch * epochs and found != right:
            raise Hint(
                f"{images} images in batches of {batch}: you drop the last, smaller batch. Round up in every epoch."
            )
        if found == -(-images * epochs // batch) and found != right:
            raise Hint(
                f"{images} images, {epochs} epochs: an epoch ends with its own last batch. Round up before you multiply."
            )
        if found != right:
            raise Hint(f"{images} images, batches of {batch}, {epochs} epochs: you say {found}, expected {right}.")
    return "equal epochs on less data mean fewer steps. That alone can make a network look worse."


@checked
def group(pattern: Any) -> str:
    """Lesson 11: a regular expression that finds the person in names such as `anna_03_front.png`."""
    if not isinstance(pattern, str):
        raise Hint("replace the dots: give the pattern as text, such as r'...'.")
    names = {
        "anna_03_front.png": "anna",
        "ben_11_side.png": "ben",
        "anna_04_side.png": "anna",
        "mary-ann_01_front.png": "mary-ann",
    }
    found = {name: match.group() if (match := re.search(pattern, name)) else None for name in names}
    for name, person in names.items():
        if found[name] is None:
            raise Hint(f"the pattern finds nothing in {name}.")
        if found[name] != person:
            raise Hint(
                f"in {name} the pattern finds '{found[name]}', expected '{person}': pictures of one person must share it."
            )
    return "all pictures of one person go to the same part, so no face is in training and test."
