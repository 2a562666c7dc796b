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
# # 2. Many heads
#
# One attention gives one mixture for each token. A token may need several: one of its left neighbour, one of the sleeve on
# the other side of the picture, one of the whole picture. **Heads** are several attentions in parallel, each with its own
# weights.
#
# The first cell looks into a trained network, the **Vision Transformer** (ViT) of lesson 6. It sorts pictures of clothes
# into ten classes. It cuts each picture of 28 × 28 pixels into 7 × 7 squares, the **patches**. Each patch is a token. The
# tokens go through four **blocks**, one after another. A block is attention, followed by a small network for each token.
#
# **You need** lesson 1 and Fashion-MNIST (`make data`), a data set of 70,000 grey pictures of clothes. **It takes** 20
# minutes; the code runs in a few seconds.

# %%
import torch
from lesson import check, diagrams, pictures, records, side_by_side

import fittingroom as fr

data = fr.load_data("fashion-mnist")
vit = fr.load_run("vit").model  # trained, comes with the package
shoe = data.val[9][0][None]  # an image as the network reads it: scaled to mean 0 and variance 1 over all images

from fittingroom.explain.capture import attention_layers

layers = attention_layers(vit, shoe)  # one tensor (batch, heads, queries, keys) for each block
to_patches = layers[1][0].mean(dim=1).unflatten(-1, vit.grid)  # mean over the queries
picture = data.val.images.images[9, 0]
pictures.images(
    [picture] * 9,
    maps=[None, *to_patches],
    titles=["the image", *(f"head {number}" for number in range(8))],
)

# %% [markdown]
# The pictures show the eight heads of the second block for one image. (Code counts from 0, so this is block 1.) Yellow
# patches get most attention, averaged over all queries, and dark ones get least. Each picture has its own scale. The heads
# look at different places. That is why there are several.
#
# ## The equation and the code
#
# The *width* $D$, the length of a token's vector, is split among the heads. With $D = 128$ and $h = 8$ heads, each head has
# queries, keys and values of 16 numbers. So eight heads cost as many multiply-adds (a multiplication and an addition, the
# usual unit of cost) as one head of full width.
#
# In the equation, $x$ holds the tokens. The matrices $W$ are learned: $W^Q$, $W^K$ and $W^V$ turn tokens into queries, keys
# and values, and $W^O$ mixes the results of the heads. Concat puts vectors side by side. In the diagram, `Linear(a, b)` is
# a learned matrix (and a vector that is added) that turns $a$ numbers into $b$.

# %%
from fittingroom.models.layers.attention import SelfAttention, merge_heads, split_heads

side_by_side(
    r"\mathrm{MultiHead}(x) = \mathrm{Concat}(\mathrm{head}_1, \ldots, \mathrm{head}_h) W^O, \quad "
    r"\mathrm{head}_i = \mathrm{Attention}(x W^Q_i, x W^K_i, x W^V_i)",
    (split_heads, merge_heads, SelfAttention.forward),
    diagrams.multi_head_attention(),
)

# %% [markdown]
# `multi_head` in the last line computes the attention of lesson 1 in all heads at once, and merges the results.
#
# ## By hand
#
# Here is the same computation with a loop over heads. It must give the same numbers. The first lines compute what the
# attention of block 1 reads; lesson 6 explains them. (`no_grad` says that we need no gradients.)

# %%
block = vit.blocks[1]
with torch.no_grad():
    tokens = vit.patch_embed(shoe) + vit.pos_embed
    x = block.norm1(vit.blocks[0](tokens))[0]  # what the attention of block 1 reads: (tokens, dim)

    q, k, v = block.attn.qkv(x).chunk(3, dim=-1)
    heads = []
    for i in range(8):
        mine = slice(16 * i, 16 * (i + 1))  # head i has 16 neighbouring columns
        weights = (q[:, mine] @ k[:, mine].T / 16**0.5).softmax(dim=-1)
        heads.append(weights @ v[:, mine])
    by_hand = block.attn.proj(torch.cat(heads, dim=-1))
    ours = block.attn(x[None])[0]

print("largest difference:", float((ours - by_hand).abs().max()))
assert torch.allclose(ours, by_hand, atol=1e-4)

# %% [markdown]
# ## What one head cannot do
#
# The rows of an attention matrix sum to 1. So a head that looks at two places returns the *mean* of their values. The mean
# of "red" and "blue" does not say which was where. Two heads return both values, one after the other. An example with two
# values:

# %%
values = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # token 0 says "red", token 1 says "blue"
one_head = torch.tensor([[0.5, 0.5]]) @ values
two_heads = torch.cat([torch.tensor([[1.0, 0.0]]) @ values, torch.tensor([[0.0, 1.0]]) @ values], dim=-1)
print("one head: ", one_head.tolist(), "- which was where?")
print("two heads:", two_heads.tolist(), "- first red, then blue")

# %% [markdown]
# ## Do several heads do better?
#
# Lectures say so. Here is a measurement with two Transformers that pronounce words (lesson 4). They have the same width,
# the same number of **parameters** (the numbers that a network learns) and the same training. One has four heads of width
# 48, the other has one head of width 192. Training takes too long for a lesson. This cell reads the recorded answers of
# networks that we trained before (the *records*, in `results/`), and computes the statistics.

# %%
heads = records.comparison("heads")
heads

# %% [markdown]
# Do not worry about every number. Lesson 8 shows how such a table is made. For now, these words are enough:
#
# - **Word error rate:** the share of words with at least one wrong sound. Small is good.
# - **Seed:** the start of the random numbers. We trained each model with two seeds. The table shows the mean, ± how much
#   the seeds differ, and in small print the interval.
# - **95 % interval:** chance has a part in every measurement. An interval made like this contains the true value in 95 of
#   100 measurements.
# - **p:** how often chance alone would give at least this difference if both models were equally good. A small p speaks
#   against chance.
#
# Here is the difference as a picture. The dot is what we measured, and the line is its 95 % interval.

# %%
pictures.intervals(
    [
        (f"{each.a} - {each.b}", 100 * score.difference, 100 * score.low, 100 * score.high)
        for each in heads.contrasts
        for score in [each.metrics["word_error_rate"]]
    ],
    x_title="word error rate: difference in percentage points (95 % interval)",
)

# %% [markdown]
# The whole interval lies left of zero: four heads (`transformer`) make fewer errors here than one head. This is only one
# task, with two epochs of training (each training word was seen twice) and two seeds for each model. [The claims
# page](claims.md) says whether it has been measured on images.
#
# ## Exercises
#
# **1.** Split a matrix of shape (tokens, dim) into heads of shape (num_heads, tokens, head_dim). Head 0 gets the first
# columns. (`x.view(...)` gives a tensor another shape. `x.transpose(0, 1)` swaps its first two axes.)


# %%
def my_heads(x, num_heads):
    return ...


check.heads(my_heads)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def my_heads(x, num_heads):
#     tokens, dim = x.shape
#     return x.view(tokens, num_heads, dim // num_heads).transpose(0, 1)
# ```
#
# </details>
#
# **2.** Undo it: from (num_heads, tokens, head_dim) to (tokens, dim).


# %%
def my_merged(x):
    return ...


check.merged(my_merged)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def my_merged(x):
#     num_heads, tokens, head_dim = x.shape
#     return x.transpose(0, 1).reshape(tokens, num_heads * head_dim)
# ```
#
# </details>
#
# **3.** In the first cell, show block 0 and then block 3 instead of block 1. In which block do the heads spread their
# attention most?
#
# **4.** How many parameters does `qkv` have in a ViT of width 128? Does this depend on the number of heads?
#
# <details>
# <summary>Answers to 3 and 4</summary>
#
# **3.** In block 0. There, no patch gets more than about 6 % of a head's attention (`to_patches.amax()`). In block 3, one
# gets 77 %. The pictures hide this a little, because each has its own scale.
#
# **4.** 128 · 384 + 384 = 49,536: one matrix for queries, keys and values, and one number to add to each of its 384
# outputs. It does not depend on the number of heads.
#
# </details>
#
# ## What you know now
#
# - Heads split the width. Several heads cost as much as one, and each has its own weights.
# - `split_heads` and `merge_heads` only move numbers; `qkv` and `proj` are the learned matrices.
#
# Next: [positions](03_positions.py).
