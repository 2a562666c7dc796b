# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5. Why not recurrence?
#
# Before 2017, most networks for sequences were **recurrent**: they read one symbol at a time and kept a *state*, a vector
# that sums up what they have read. (`nn.GRU` below is such a network.) Attention replaced that. Lectures give two reasons:
# **path length** and **parallel time**. This lesson measures both, and shows where recurrence wins.
#
# **You need** lesson 1, but no data and no internet. **It takes** 20 minutes; the code runs in about half a minute.

# %%
import time

import torch
from lesson import check, pictures, records, side_by_side
from torch import nn

from fittingroom.models.layers.attention import SelfAttention

torch.manual_seed(0)
dim, lengths = 64, [8, 16, 32, 64, 128, 256]
attention, recurrence = SelfAttention(dim, num_heads=4), nn.GRU(dim, dim, batch_first=True)


def reach(output, x):
    """The share of the last output's gradient that arrives at the first symbol."""
    (gradient,) = torch.autograd.grad(output[:, -1].square().sum(), x)
    norms = gradient.norm(dim=-1)
    return float((norms[:, 0] / norms.sum(dim=1)).mean())


arrives = {"attention": [], "recurrence": []}
for length in lengths:
    x = torch.randn(8, length, dim, requires_grad=True)
    arrives["attention"].append(reach(attention(x), x))
    arrives["recurrence"].append(reach(recurrence(x)[0], x))
pictures.curves(
    lengths,
    {name: [max(each, 1e-12) for each in values] for name, values in arrives.items()},
    x_title="length of the sequence",
    y_title="share of the gradient at the first symbol",
    log_x=True,
    log_y=True,
)

# %% [markdown]
# How much does the output at the *last* symbol depend on the *first* symbol? The gradient (lesson 1) says how much the
# output changes with each symbol. The curves show which share of it belongs to the first symbol. Each line of the grid is a
# hundred times less than the one above it (1e-06 is a millionth).
#
# Through attention, the signal always arrives, because it needs only one step. Its share decreases only because more
# symbols share the attention. In the recurrent network, the signal must pass through every symbol in between, and it fades
# away. (Values below 10⁻¹² are drawn at 10⁻¹². The networks are untrained. Training changes the numbers, but not the length
# of the path.)
#
# ## Path length
#
# A recurrent network computes each state $h_t$ from the one before and the symbol $x_t$. By the chain rule, the gradient of
# the last state is a product:

# %%
side_by_side(
    r"h_t = f(h_{t-1}, x_t) \quad \Rightarrow \quad "
    r"\frac{\partial h_n}{\partial h_1} = \prod_{t=2}^{n} \frac{\partial h_t}{\partial h_{t-1}}",
    reach,
)

# %% [markdown]
# It has $n - 1$ factors. If they are mostly smaller than 1, it vanishes. For attention, the path has length 1.
#
# The table compares layers for $n$ tokens of width $d$. A third kind is the *convolution*: each token sees only its nearest
# neighbours, $k$ tokens in all (lesson 6).
#
# | layer | path between tokens at distance $n$ | steps one after another | work of a layer |
# |---|---|---|---|
# | attention | 1 | 1 | $n^2 d$ |
# | recurrence | $n$ | $n$ | $n d^2$ |
# | convolution, kernel $k$ | about $2n / k$ layers | 1 per layer | $k n d^2$ |
#
# These are the numbers of table 1 of "Attention Is All You Need", but for a plain convolution, without gaps between the $k$
# tokens.
#
# ## Parallel time
#
# Attention computes all tokens at once, in a few large matrix products. Recurrence needs a loop. We compare such a loop of
# small matrix products with one large product that does the same number of multiplications:

# %%
length = 256
x, w = torch.randn(16, length, dim), torch.randn(dim, dim) / dim**0.5


def seconds(work, repeats=20):
    """The fastest of several runs: whatever else the machine does can only make a run slower."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def loop():
    state = torch.zeros(16, dim)
    for t in range(length):
        state = torch.tanh(x[:, t] + state @ w)


with torch.no_grad():
    at_once, one_by_one = seconds(lambda: torch.tanh(x @ w)), seconds(loop)
print(
    f"at once {1000 * at_once:.2f} ms, one by one {1000 * one_by_one:.2f} ms: {one_by_one / at_once:.0f} times as long"
)

# %% [markdown]
# In the loop, step $t$ has to wait for step $t - 1$. On a GPU, thousands of cores would wait, so the difference is far
# larger there.
#
# ## A fair comparison: whole layers
#
# Now we time whole layers on this machine, with 2,048 tokens per batch. A step is a *forward pass*, which computes the
# output, and a *backward pass*, which computes the gradients. torch's GRU is a fast implementation.

# %%
measured = {"attention": [], "recurrence": []}
for length in lengths:
    x = torch.randn(2048 // length, length, dim)
    measured["attention"].append(1000 * seconds(lambda x=x: attention(x).sum().backward(), 5))
    measured["recurrence"].append(1000 * seconds(lambda x=x: recurrence(x)[0].sum().backward(), 5))
pictures.curves(lengths, measured, x_title="length (2,048 tokens in all)", y_title="milliseconds a step", log_x=True)

# %% [markdown]
# One or two cores can do little in parallel, and attention's work grows with the **square** of the length. So from some
# length on, the GRU is faster. On your machine, that may be beyond the right end of the picture. Here is the same
# measurement at width 192, recorded on one core. (*Fused* attention computes the same without storing the weights.)

# %%
record = records.read("bench/claims.json")
rows = record["rows"]
print(record["processor"], "- batches of", f"{record['tokens']:,}", "tokens")
pictures.curves(
    [row["length"] for row in rows],
    {
        name: [1000 * row["step_seconds"][name] for row in rows]
        for name in ("attention", "attention, fused", "recurrence")
    },
    x_title="length",
    y_title="milliseconds a step",
    log_x=True,
)

# %% [markdown]
# The path length of attention is 1 on every machine. Its speed depends on the machine. In this record of one core,
# attention is faster for short sequences and the GRU is faster for long ones. An image of 49 patches or a word of 10
# letters is short. On machines with many cores, attention gains more from parallel work. We did not measure that here.
#
# ## Which one is better?
#
# Which network pronounces words better after equal training time? Recurrent networks can use attention, too. The one here
# has attention between encoder and decoder (Bahdanau et al. 2015). This was the state of the art before the Transformer.

# %%
contest = records.comparison("sequences")
pictures.intervals(
    [
        (f"{each.a} - {each.b}", 100 * score.difference, 100 * score.low, 100 * score.high)
        for each in contest.contrasts
        for score in [each.metrics["word_error_rate"]]
    ],
    x_title="word error rate: difference in percentage points (95 % interval)",
)

# %%
import textwrap

print(textwrap.fill(str(contest.verdict), 90))

# %% [markdown]
# The interval lies right of zero: the recurrent network gets more words wrong than the Transformer. (Lesson 2 says what the
# words of the verdict mean.)
#
# ## Exercises
#
# **1.** How many steps does a signal need between two tokens at distance `distance`? `kind` is `"attention"`,
# `"recurrence"` or `"convolution"`. A convolution of width `kernel` reaches `kernel // 2` tokens to each side in one layer.
# Its steps are layers. Return a whole number, rounded up.


# %%
def my_path_length(kind, distance, kernel):
    return ...


check.path_length(my_path_length)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def my_path_length(kind, distance, kernel):
#     if kind == "attention":
#         return 1
#     if kind == "recurrence":
#         return distance
#     return -(-distance // (kernel // 2))  # rounded up
# ```
#
# </details>
#
# **2.** In the first cell, start the GRU with larger weights: `for p in recurrence.parameters(): nn.init.normal_(p,
# std=0.5)`. Does the signal vanish more slowly? Why is this not done in practice?
#
# **3.** In lesson 3, the Transformer makes more errors on longer words than the recurrent network. Which property of the
# two networks may explain this?
#
# <details>
# <summary>Answers to 2 and 3</summary>
#
# **2.** Yes: at 256 symbols, about 1 % of the gradient still arrives. But with larger factors, a product can also grow
# without limit (it *explodes*). With `std=1`, the result at 256 symbols may be `nan`, "not a number".
#
# **3.** The recurrent network does the same at every letter, so the ninth is nothing new. The Transformer adds a position
# vector to each letter, and training never showed it the vectors after the longest words.
#
# </details>
#
# ## What you know now
#
# - Attention has path length 1: gradients reach every token in one step.
# - Attention needs no loop over tokens, but its work grows with the square of the length.
# - Which one is faster depends on length and machine. Measure.
#
# Next: [images as patches](06_vit.py).
