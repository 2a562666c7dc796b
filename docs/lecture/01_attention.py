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
# # 1. Attention
#
# A Transformer reads a sequence of **tokens**: words, letters or, from lesson 6 on, squares of an image. Each token is a
# vector, a list of numbers. Every token asks a question, and every token offers an answer. Attention decides who listens to
# whom. By the end of this lesson, you will have written it yourself, in ten lines.
#
# **You need** Python, a little numpy, and matrix products. **It takes** 30 minutes to read and try; the code runs in
# seconds, without internet and without data. It uses PyTorch (`torch`), which is much like numpy: a *tensor* is an array,
# `dim` is numpy's `axis`, `@` is the matrix product, and `x[None]` adds an axis of length 1.

# %%
import torch
from lesson import check, diagrams, pictures, side_by_side

words = ["the", "cat", "sat", "because", "it", "was", "tired"]
queries = torch.zeros(7, 4)
queries[4] = torch.tensor([3.0, 3.0, 0.0, 0.0])  # "it" looks for a noun that can be tired
keys = torch.tensor(
    [[0, 0, 1, 0], [2, 2, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1], [0, 2, 0, 0.0]]
)
weights = (queries @ keys.T / 4**0.5).softmax(dim=-1)
pictures.matrix(weights, rows=words, columns=words, row_title="asks", column_title="answers")

# %% [markdown]
# Each row is a word that asks. The numbers in the row say which share of its attention each word gets, so a row sums to 1.
# Bright means much. Look at the row of *it*: 0.93 of its attention goes to *cat*. The other words ask for nothing, so they
# attend to all words equally. We wrote these numbers by hand. A network learns them. The line `weights = ...` computes
# attention, and this lesson explains it.
#
# ## Queries, keys and values
#
# Each token has three vectors:
#
# - a **query**: what this token looks for;
# - a **key**: how other tokens can find this token;
# - a **value**: what this token tells a token that finds it.
#
# A network computes all three from the token, with three matrices that it learns (lesson 2).
#
# Each query is compared with every key. The comparison is a dot product, called the **score**: it is large if both point in
# the same direction. The **softmax** takes the exponential of each score and divides by the sum of them all. So the scores
# of one query become **weights**: positive numbers that sum to 1. The result for this query is the mean of all values with
# these weights.
#
# A Python dictionary does something similar: `d["cat"]` finds the key that is equal to the query and returns its value.
# Attention is a *soft* dictionary: it returns a mixture of all values, mostly of those whose keys are similar to the query.
#
# The diagram shows the steps with the names that the code uses. The letters after an underscore give the shape: **B**atch
# (several sequences at once), **H**eads (lesson 2), **N** queries, **M** keys, head dimension **K** (the length of a
# query). In this lesson, B and H are 1. A *mask* hides keys. It comes at the end of this lesson.

# %%
diagrams.scaled_dot_product_attention()

# %% [markdown]
# ## By hand
#
# We use three random queries, five keys and five values, with four numbers each. The result has one row for each query.
# Read the code line by line, and print whatever you want to check.

# %%
torch.manual_seed(0)
q, k, v = torch.randn(3, 4), torch.randn(5, 4), torch.randn(5, 4)

by_hand = torch.zeros(3, 4)
for i in range(3):  # each query
    scores = torch.tensor([float(q[i] @ k[j]) for j in range(5)])  # compared with each key
    scores = scores / 4**0.5  # head_dim is 4
    w = scores.exp() / scores.exp().sum()  # softmax: positive, sums to 1
    for j in range(5):
        by_hand[i] += w[j] * v[j]  # a weighted mean of the values
by_hand

# %% [markdown]
# ## The equation and the code
#
# Here is equation 1 of "Attention Is All You Need" (Vaswani et al. 2017), and the functions of this package that compute
# it. $Q$, $K$ and $V$ hold all queries, keys and values as rows, and $d_k$ is the length of a query. The picture shows the
# weights of the queries and keys above. (`q[None, None]` adds the axes B and H.)

# %%
from fittingroom.models.layers.attention import attention_weights, masked_softmax, scaled_dot_product_attention

side_by_side(
    r"\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\left(\frac{Q K^\top}{\sqrt{d_k}}\right) V",
    (attention_weights, scaled_dot_product_attention),
    pictures.matrix(
        attention_weights(q[None, None], k[None, None])[0, 0],
        rows=["q0", "q1", "q2"],
        columns=["k0", "k1", "k2", "k3", "k4"],
        row_title="queries",
        column_title="keys",
    ),
)

# %% [markdown]
# The last line of each function is the equation. The rest is for safety and speed: `Float[Tensor, "..."]` describes a
# shape, and `fused` is a faster way to compute the same on a graphics card.
#
# Does the function agree with the loops? (Differences around 1e-8 are rounding.)

# %%
ours = scaled_dot_product_attention(q[None, None], k[None, None], v[None, None])[0, 0]
print("largest difference:", float((ours - by_hand).abs().max()))
assert torch.allclose(ours, by_hand, atol=1e-6)

# %% [markdown]
# ## Why the root?
#
# The **variance** says how much numbers vary: it is the mean of their squared distances from their mean. Let all entries of
# $q$ and $k$ be random and independent, with mean 0 and variance 1. Then
#
# $$\mathrm{Var}(q \cdot k) = \sum_{i=1}^{d_k} \mathrm{Var}(q_i k_i) = d_k .$$
#
# So scores are typically as large as $\sqrt{d_k}$. The softmax of large scores is nearly 0 or 1: one key gets everything.
# The softmax **saturates**: if a score changes a little, the weights hardly change. How much a result changes with a number
# is called the **gradient** (`backward()` computes it). Training needs it: where the gradient is zero, nothing is learned.
# If you divide by $\sqrt{d_k}$, the variance is 1 at every width. We measure both, for 200 random queries with 16 keys
# each:

# %%
widths = [4, 16, 64, 256, 1024]
largest = {"without the root": [], "with the root": []}
gradient = {"without the root": [], "with the root": []}
for width in widths:
    for name, scale in (("without the root", 1.0), ("with the root", width**-0.5)):
        many_q, many_k = torch.randn(200, 1, width), torch.randn(200, 16, width)
        scores = (many_q @ many_k.transpose(1, 2) * scale).requires_grad_()
        w = scores.softmax(dim=-1)
        w.square().sum().backward()
        largest[name].append(float(w.detach().max(dim=-1).values.mean()))
        gradient[name].append(float(scores.grad.abs().mean()))
pictures.curves(widths, largest, x_title="head_dim", y_title="largest of 16 weights", log_x=True)

# %%
pictures.curves(widths, gradient, x_title="head_dim", y_title="mean gradient of a score", log_x=True)

# %% [markdown]
# The largest of 16 weights is at least 1/16 = 0.06 (all equal) and at most 1 (one key gets everything). Without the root,
# one key gets nearly all the weight at widths of 64 and more, and the gradient goes to zero. With the root, the width does
# not matter.
#
# ## Masks
#
# A mask says which tokens may attend to which. Two masks are common. A *padding* mask hides padding, the empty tokens that
# fill short sequences up to the length of the longest one. A **causal** mask hides the later tokens from each token, so
# that no token sees the future. A network that writes word by word needs it (lesson 4). To hide a key, its score is set to
# minus infinity. The softmax turns that into a weight of 0. ($A_{ij}$ is the weight of key $j$ for query $i$.)

# %%
from fittingroom.models.layers.attention import causal_mask

mask = causal_mask(5)
hidden = attention_weights(torch.randn(1, 1, 5, 8), torch.randn(1, 1, 5, 8), mask)[0, 0]
side_by_side(
    r"A_{ij} = 0 \quad \text{for } j > i",
    (causal_mask, masked_softmax),
    pictures.matrix(hidden, row_title="query i", column_title="key j"),
)

# %% [markdown]
# ## Exercises
#
# Change the cells and run them. A check that fails tells you where to look.
#
# **1.** Compute the weights yourself, without a loop: `q` has shape (queries, head_dim), `k` has shape (keys, head_dim).
# The result has one row for each query. (`k.T` swaps rows and columns; `scores.softmax(dim=-1)` is the softmax of each
# row.)


# %%
def my_weights(q, k):
    return ...


check.weights(my_weights)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def my_weights(q, k):
#     scores = q @ k.T / q.shape[-1] ** 0.5
#     return scores.softmax(dim=-1)
# ```
#
# </details>
#
# **2.** Compute causal weights: token `i` attends to tokens 0 to `i`. `scores` has shape (tokens, tokens). Hide scores
# *before* the softmax, with `scores.masked_fill(hidden, float("-inf"))`. `hidden` has the same shape. It is `True` where
# the key comes later than the query. (`torch.ones(5, 5).triu(diagonal=1)` is 1 above the diagonal and 0 elsewhere;
# `.bool()` turns it into `True` and `False`.)


# %%
def my_masked(scores):
    return ...


check.masked(my_masked)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def my_masked(scores):
#     tokens = len(scores)
#     hidden = torch.ones(tokens, tokens).triu(diagonal=1).bool()
#     return scores.masked_fill(hidden, float("-inf")).softmax(dim=-1)
# ```
#
# </details>
#
# **3.** In the first cell, make *it* attend to *tired* instead of *cat*. Which numbers do you change? Then make *was*
# attend to *cat*.
#
# **4.** What are the weights if you multiply all queries by 100? And by 0? Why is the result a plain mean in the second
# case?
#
# <details>
# <summary>Answers to 3 and 4</summary>
#
# **3.** Change the query of *it*, so that its dot product with the key of *tired* is larger than with the key of *cat*:
# `queries[4] = torch.tensor([-3.0, 3.0, 0.0, 0.0])` gives *tired* 0.70. Then add `queries[5] = torch.tensor([3.0, 3.0, 0.0,
# 0.0])`.
#
# **4.** Times 100, *it* gives *cat* a weight of 1.00: the softmax saturates. The other rows stay as they are, because their
# queries are zero. Times 0, all scores are 0, so all weights are equal. A mean with equal weights is the plain mean.
#
# </details>
#
# ## What you know now
#
# - Attention is a weighted mean of values. Queries and keys give the weights.
# - The root keeps the variance of the scores at 1, so that the softmax does not saturate.
# - A mask hides keys. Nothing in the equation knows the *order* of the tokens: lesson 3 adds it.
#
# Next: [many heads](02_heads.py).
