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
# # 3. Positions
#
# Attention treats tokens as a *set*. If you shuffle them, every token gets the same result as before. For a network without
# positions, *dog bites man* and *man bites dog* are the same.
#
# **You need** lessons 1 and 2; the last cells need Fashion-MNIST. **It takes** 25 minutes; the code runs in a few seconds.

# %%
import torch
from lesson import check, pictures, records, side_by_side

import fittingroom as fr
from fittingroom.models.layers.attention import SelfAttention

torch.manual_seed(0)
attention = SelfAttention(dim=16, num_heads=2).eval()
dog_bites_man = torch.randn(1, 3, 16)
man_bites_dog = dog_bites_man.flip(1)
with torch.no_grad():
    one, other = attention(dog_bites_man), attention(man_bites_dog)
print("dog in sentence 1:", [round(each, 4) for each in one[0, 0, :4].tolist()])
print("dog in sentence 2:", [round(each, 4) for each in other[0, 2, :4].tolist()])

# %% [markdown]
# Three random vectors stand for the words. (*Self*-attention: queries, keys and values come from the same tokens.) You see
# the first four numbers of the result for *dog*. They are the same: *dog* cannot know whether it bites or is bitten. The
# remedy is simple: **add to each token a vector that says where it stands.**
#
# ## Sinusoidal positions
#
# The vectors are the rows of a table, the *positional encoding* $PE$. It has one row for each position $pos$ and $D$
# columns, as many as a token has numbers. Columns $2i$ and $2i + 1$ are pair $i$, a sine and a cosine of the same angle:

# %%
from fittingroom.models.layers.positions import sinusoidal_1d

table = sinusoidal_1d(50, 64)
side_by_side(
    r"PE_{pos, 2i} = \sin\left(pos / 10000^{2i/D}\right), \quad PE_{pos, 2i+1} = \cos\left(pos / 10000^{2i/D}\right)",
    sinusoidal_1d,
    pictures.matrix(table, row_title="position", column_title="column"),
)

# %% [markdown]
# In the picture, position 0 is at the top and column 0 on the left. Yellow is 1, dark blue is -1.
#
# Each pair of columns is like the hand of a clock: sine and cosine say where its tip is. The first hand (left) turns fast,
# by one radian (57°) per position. The last one hardly moves. Together they distinguish every position from every other
# one, as seconds, minutes and hours do for the time. Here are three sine columns as curves:

# %%
pictures.curves(
    range(50),
    {"column 0 (fast)": table[:, 0], "column 10": table[:, 10], "column 20 (slow)": table[:, 20]},
    x_title="position",
    y_title="entry of the table",
    points=False,
)

# %% [markdown]
# **Why this formula?** A shift by $k$ positions turns each hand by a fixed angle, wherever the hand stands. So one and the
# same matrix turns the vector of any position into the vector of the position three to the left. A network can learn that
# matrix. Also, the dot product of two positions depends only on their distance:

# %%
similarity = table @ table.T / 32  # 32 pairs, so that a position with itself gives 1
print("distance 5, at three places:", [round(float(similarity[a, a + 5]), 4) for a in (0, 17, 40)])
pictures.curves(
    range(-25, 25),
    {"similarity": similarity[25]},
    x_title="distance from position 25",
    y_title="dot product",
    points=False,
)

# %% [markdown]
# The nearer two positions, the larger the dot product, apart from small waves.
#
# ## Two dimensions
#
# Lesson 6 cuts an image into 7 × 7 patches. A patch has a row and a column. One half of its vector encodes the row, the
# other half the column.

# %%
from fittingroom.explain.positions import position_similarity
from fittingroom.models.layers.positions import sinusoidal_2d

grid = position_similarity(sinusoidal_2d(7, 7, 128).numpy(), (7, 7))
side_by_side(
    r"PE_{row, column} = \left( PE_{row} \; ; \; PE_{column} \right)",
    sinusoidal_2d,
)

# %%
pictures.matrices({"patch (0, 0)": grid[0, 0], "patch (3, 3)": grid[3, 3], "patch (6, 2)": grid[6, 2]}, per_row=3)

# %% [markdown]
# Each picture is the image with its 7 × 7 patches. It shows how similar the position of one patch, (row, column) counted
# from 0, is to the positions of all patches. The numbers are *cosine similarities*: the dot product of two vectors that are
# first scaled to length 1. 1 means the same direction, and 0 means nothing in common. A patch is most similar to itself,
# then to its row and column.
#
# ## Learned positions
#
# The network can also learn the table, like its other parameters. The network `vit_cls`, which comes with the package, did
# so. Nobody told it which patches are neighbours:

# %%
from fittingroom.explain.positions import position_embedding

learned = position_similarity(position_embedding(fr.load_run("vit_cls").model), (7, 7))
pictures.matrices(
    {"patch (1, 1)": learned[1, 1], "patch (3, 3)": learned[3, 3], "patch (5, 1)": learned[5, 1]}, per_row=3
)

# %% [markdown]
# The network found out which patches are near: the greenest patches are next to the yellow one, or near its mirror image.
# It confuses a patch with its mirror image, such as (1, 1) with (1, 5). Training shows images mirrored at random, so left
# and right look alike to the network.
#
# ## What happens without positions?
#
# We give a trained Vision Transformer (ViT, lesson 6) the patches of an image in a different order. Then the positions are
# wrong for nearly every patch. Then we remove the positions. Now the network cannot notice the order. (`accuracy` runs the
# network by hand. The **logits** are its scores for the ten classes, and the class with the largest one is its answer.)

# %%
data = fr.load_data("fashion-mnist")
vit = fr.load_run("vit").model
images = torch.stack([data.val[place][0] for place in range(500)])
labels = data.val.images.labels[:500]


def accuracy(positions, order):
    with torch.no_grad():
        tokens = vit.patch_embed(images)[:, order] + positions
        logits = vit.head(vit.norm(vit.blocks(tokens)).mean(dim=1))
    return float((logits.argmax(dim=1) == labels).float().mean())


in_order, shuffled = torch.arange(49), torch.randperm(49, generator=torch.Generator().manual_seed(1))
results = {
    "as trained": accuracy(vit.pos_embed, in_order),
    "patches shuffled": accuracy(vit.pos_embed, shuffled),
    "no positions": accuracy(0.0, in_order),
    "no positions, shuffled": accuracy(0.0, shuffled),
}
for name, share in results.items():
    print(f"{name:24} {100 * share:5.1f} % right")

# %% [markdown]
# The last two lines agree exactly: without positions, the network does not know the order. Both are far below the first
# line. (Guessing gives 10 %.) Be careful with the conclusion: this network was *trained* with positions, and we removed
# them. A network that was trained without positions may do better. The [claims page](claims.md) says whether that has been
# measured.
#
# ## Longer sequences than in training
#
# The formula also gives vectors for positions that training never saw. Does the network understand them? Three networks
# learned to pronounce words of up to 8 letters: `transformer` has sinusoids, `transformer_learned` a learned table, and
# `recurrent` reads letter by letter and needs no positions (lesson 5). Then they were tested on longer words. The plot
# shows the share of wrong words, read from the records:

# %%
lengths = {"to 8": (0, 8), "9": (9, 9), "10": (10, 10), "11, 12": (11, 12), "13+": (13, 99)}
wrong = {name: records.sequence_errors("positions", *ends) for name, ends in lengths.items() if name != "to 8"}
means = {model: [100 * sum(wrong[name][model]) / len(wrong[name][model]) for name in wrong] for model in wrong["9"]}
pictures.curves(list(wrong), means, x_title="letters of the word", y_title="wrong words, %")

# %% [markdown]
# With learned positions, one more letter is too much, because the vector of position 9 was never trained. With sinusoids,
# the network still gets many words of 9 letters right, but almost none of 11 and more. The recurrent network degrades most
# slowly.
#
# ## Exercises
#
# **1.** Compute the table of sinusoidal positions. Positions count from 0. Columns 0, 2, 4, ... hold the sines. Columns 1,
# 3, 5, ... hold the cosines of the same angles.


# %%
def my_positions(num_positions, dim):
    return ...


check.positions(my_positions)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def my_positions(num_positions, dim):
#     table = torch.zeros(num_positions, dim)
#     position = torch.arange(num_positions)[:, None]
#     angle = position / 10000 ** (torch.arange(0, dim, 2) / dim)
#     table[:, 0::2] = angle.sin()
#     table[:, 1::2] = angle.cos()
#     return table
# ```
#
# </details>
#
# **2.** Replace 10000 by 10 in your function and draw the table with `pictures.matrix`. Why is 10 a bad choice for long
# sequences?
#
# **3.** In "What happens without positions?", swap only two patches: `order = in_order.clone(); order[[3, 24]] = order[[24,
# 3]]`. How much accuracy does it cost? Try other pairs.
#
# <details>
# <summary>Answers to 2 and 3</summary>
#
# **2.** All hands turn fast: even the slowest one is back at its start after 58 positions. So no hand says roughly where in
# a long sequence a position is. With 10000, the slow hands do.
#
# **3.** It depends on the patches. Swapping (0, 3) and (3, 3), which are patches 3 and 24, costs 7 points. Swapping two
# corners, 0 and 48, costs less than one: both are usually black.
#
# </details>
#
# ## What you know now
#
# - Attention alone does not know the order of tokens. A vector added to each token tells the network its position.
# - Sinusoids need no training, and their dot product shows the distance. Learned tables adapt to the data, but have no
#   trained vectors beyond the longest training sequence.
#
# Next: [the encoder-decoder Transformer](04_transformer.py).
