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
# # 9. Hybrids
#
# A CNN has built in that neighbours belong together. A Transformer can relate any two places in one step. A **hybrid** puts
# a few convolutions in front of a Transformer. Does it join the best of both?
#
# **You need** lessons 6 and 8. **It takes** 15 minutes; the code runs in a few seconds.

# %%
from lesson import check, pictures, records, side_by_side, source

import fittingroom as fr

five = records.ladder(5)
pictures.intervals(
    [(f"{each.a} - {each.b}", 100 * each.difference, 100 * each.low, 100 * each.high) for each in five.contrasts],
    x_title="test accuracy after 5 epochs: difference in points (95 % interval, 3 seeds)",
)

# %% [markdown]
# After 5 epochs, the hybrid is far better than the ViT and a little worse than the CNN. So a few convolutions close most of
# the gap. Why?
#
# ## Three ways to make tokens
#
# The blocks are built like those of the ViT. The way from pixels to tokens differs:

# %%
from fittingroom.models.hybrid import HybridTransformer, SequencePool
from fittingroom.models.layers.patches import ConvTokenizer, PatchEmbed

source(PatchEmbed, ConvTokenizer)

# %% [markdown]
# - **ViT:** the same matrix for each square of 4 × 4 pixels. A token contains nothing from outside its square.
# - **Hybrid (CCT, Hassani 2021):** 3 × 3 convolutions (lesson 6). After each, *batch norm* scales the numbers, and *ReLU*
#   sets negative ones to zero. Twice, *max-pooling* keeps only the largest number of each square of 2 × 2, which leaves a
#   map of 7 × 7. Every place of the map becomes a token. The tokens overlap, and a sleeve gives nearly the same token at
#   any place.
# - **ViT with a convolutional stem (Xiao 2021):** `vit_conv_stem` has four convolutions instead of the patch matrix.

# %%
side_by_side(
    r"z_0 = \mathrm{tokens}(\mathrm{ConvTokenizer}(x)) + E_{pos}, \quad y = \mathrm{softmax}(g(z_L))^\top z_L",
    (HybridTransformer.forward_features, SequencePool.forward),
)

# %% [markdown]
# The second formula is *sequence pooling*: a learned weighted mean over the tokens instead of the plain mean ($g$ is a
# learned vector, which gives each token a score). You know it already: it is attention with a single query that does not
# depend on the image.
#
# ## How far does a token see?
#
# Before any attention, which pixels can change the token in the middle? The gradient of that token shows it.

# %%
data = fr.load_data("fashion-mnist")
x = data.val[9][0][None]


def seen(tokens_of, x):
    """How much each pixel changes the token in the middle, before the first block."""
    x = x.clone().requires_grad_()
    tokens_of(x)[0, 24].square().sum().backward()
    return x.grad[0, 0].abs()


vit, hybrid = fr.load_run("vit").model, fr.load_run("hybrid").model
fields = {
    "vit": seen(vit.patch_embed, x),
    "hybrid": seen(lambda x: hybrid.tokenizer(x).flatten(2).transpose(1, 2), x),
}
for name, field in fields.items():
    print(f"{name}: {int((field > 0).sum())} of {field.numel()} pixels")
image = data.val.images.images[9, 0]
pictures.images([image, image], maps=[field**0.5 for field in fields.values()], titles=list(fields), width=150)

# %% [markdown]
# A token of the ViT sees only its own 16 pixels. In the hybrid, after six convolutions and two poolings, a token sees
# nearly the whole image, but mostly its middle. The brightest pixels matter most.
#
# ## What it costs

# %%
for name in ("cnn", "hybrid", "vit"):
    (first, *_) = records.ladder_runs(name, 5)
    print(f"{name:7} {first.num_params:>8,} parameters {first.num_macs / 1e6:6.1f} million multiply-adds an image")

# %% [markdown]
# The hybrid costs about as much as the CNN and more than the ViT, because convolutions at full resolution are expensive.
#
# ## And with more training?

# %%
import textwrap

for epochs in (5, 20):
    print(textwrap.fill(f"{epochs} epochs: {records.ladder(epochs).sentence}", 90), "\n")

# %% [markdown]
# **Verdict.** "Hybrids join the best of both" is half true here. The hybrid clearly beats the ViT. It does not beat the
# CNN: it is worse after 5 and after 20 epochs. The longest runs, of 50 epochs, have one seed each, so they settle nothing:

# %%
for model in ("cnn", "hybrid", "vit"):
    (only,) = records.ladder_runs(model, 50)
    print(f"{model:7} {100 * only.evals['test']['accuracy']:.2f} %")

# %% [markdown]
# ## Exercises
#
# **1.** How many tokens does a hybrid have for images of `side` × `side` pixels, if its convolutions have the strides
# `strides`? All convolutions are padded, so a stride of 2 turns a side of 7 into 4.


# %%
def my_num_tokens(side, strides):
    return ...


check.num_tokens(my_num_tokens)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def my_num_tokens(side, strides):
#     for stride in strides:
#         side = -(-side // stride)  # rounded up
#     return side * side
# ```
#
# </details>
#
# **2.** Create a hybrid with two convolutions: `fr.create_model("hybrid", data, stem_widths=(64, 128), stem_strides=(2,
# 2))`. How many parameters does it have? Train it and `hybrid` for an epoch each, and compare: `fr.train("hybrid", data,
# epochs=1, settings={"stem_widths": (64, 128), "stem_strides": (2, 2)}, sealed=True)`.
#
# **3.** Shift an image by one pixel. Whose answer changes more, the ViT's or the hybrid's? Guess first, then measure
# with `torch.roll`.
#
# ## What you know now
#
# - A hybrid replaces the patch matrix by convolutions. The rest is almost the same as in a ViT.
# - On Fashion-MNIST, tokens from convolutions help a lot.
# - Here the hybrid beats the ViT, but not the CNN.
#
# Next: [how much data a ViT needs](10_data.py).
