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
# # 6. Images as patches: the Vision Transformer
#
# A Transformer reads a sequence of tokens. An image is a grid of pixels. The step between them is very simple: **cut the
# image into squares, and treat each square as a token.** The rest is what you know from lessons 1 to 3.
#
# **You need** lessons 1 to 3 and Fashion-MNIST (`make data`). **It takes** 25 minutes; the code runs in a few seconds.

# %%
import torch
from lesson import check, diagrams, pictures, side_by_side

import fittingroom as fr

data = fr.load_data("fashion-mnist")
run = fr.load_run("vit")
chosen = [0, 1, 2, 3, 4, 5]
images = data.val.images.images[chosen, 0]
answers = run.predict(images.numpy())
names = [data.class_names[int(label)] for label in data.val.images.labels[chosen]]
guesses = [data.class_names[int(each)] for each in answers.probs.argmax(axis=1)]
titles = [f"{guesses[place]} ({names[place]})" for place in chosen]
pictures.images(images, titles=titles, cells=(7, 7))

# %% [markdown]
# Below each image you see the answer of the included Vision Transformer (ViT), and the true class in brackets. The lines
# show the patches: 7 × 7 = 49 squares of 4 × 4 pixels. The network gets 49 tokens. Only the positions tell it that patch 8
# lies below patch 1 (counting from 0).
#
# ## On one page
#
# Read the diagram from bottom to top. The blocks are those of the encoder in lesson 4: `norm` scales each token to mean 0
# and variance 1, `attn` mixes the tokens, `mlp` is a small network that works on each token by itself, and ⊕ adds the input
# of a part to its output.

# %%
diagrams.vit()

# %% [markdown]
# "An Image Is Worth 16x16 Words" (Dosovitskiy et al. 2021) has four equations:
#
# $$z_0 = [x_p^1 E; \; x_p^2 E; \; \ldots; \; x_p^N E] + E_{pos} \qquad (1)$$
#
# $$z'_l = \mathrm{MSA}(\mathrm{LN}(z_{l-1})) + z_{l-1} \qquad (2)$$
#
# $$z_l = \mathrm{MLP}(\mathrm{LN}(z'_l)) + z'_l \qquad (3)$$
#
# $$y = \mathrm{LN}(\mathrm{mean}(z_L)) \qquad (4)$$
#
# - (1) $x_p^i$ holds the pixels of patch $i$, as a row. The matrix $E$, which is learned, turns them into a token.
#   $E_{pos}$ holds the positions of lesson 3. $z_0$ is the list of all tokens.
# - (2) $z_l$ are the tokens after block $l$. MSA is multi-head self-attention (lesson 2), and LN is the LayerNorm.
# - (3) MLP is the small network for each token.
# - (4) $y$ is the mean of the tokens after the last block $L$, with a LayerNorm. The *head*, one more matrix, turns $y$
#   into ten logits, the scores of the classes. (The paper uses an extra *class token* instead of the mean, in equations 1
#   and 4.)
#
# Here they are in the package. Equation 1 is `PatchEmbed` and the sum with `pos_embed`. Equations 2 and 3 are the last two
# lines of `Block.forward`. The class token is an option (`pool="cls"`). By default, the package takes the mean of all
# tokens.
#
# `PatchEmbed` uses a **convolution** (`Conv2d`). A convolution moves a small square, the *kernel*, over the image. At each
# place, it multiplies the pixels below by the numbers of the kernel and adds them up. Here the kernel is as large as a
# patch, and the step from place to place (the *stride*) is one patch. So this is the matrix product with $E$. A **CNN**,
# the rival in lesson 8, is a network of many convolutions, mostly with kernels of 3 × 3.

# %%
from fittingroom.models.layers.blocks import Block, Mlp
from fittingroom.models.layers.patches import PatchEmbed, to_tokens
from fittingroom.models.vit import VisionTransformer

side_by_side(
    r"z'_l = \mathrm{MSA}(\mathrm{LN}(z_{l-1})) + z_{l-1}, \quad z_l = \mathrm{MLP}(\mathrm{LN}(z'_l)) + z'_l",
    (to_tokens, PatchEmbed, Block.forward, Mlp.forward, VisionTransformer.forward_features, VisionTransformer.forward),
)

# %% [markdown]
# ## By hand
#
# This cell computes the whole network in a dozen lines, with the trained parameters. The result must agree with
# `run.model`. (`unfold` cuts the patches, and `weight` holds $E$ with rows and columns swapped.)

# %%
vit = run.model
x = torch.stack([data.val[place][0] for place in chosen])  # normalised images (batch, 1, 28, 28)
with torch.no_grad():
    squares = x.unfold(2, 4, 4).unfold(3, 4, 4)  # (batch, 1, rows, columns, 4, 4)
    flat = squares.reshape(len(x), 49, 16)  # 49 patches of 16 pixels
    E, bias = vit.patch_embed.proj.weight.flatten(1), vit.patch_embed.proj.bias
    z = flat @ E.T + bias + vit.pos_embed  # equation 1
    for block in vit.blocks:
        z = z + block.attn(block.norm1(z))  # equation 2
        z = z + block.mlp(block.norm2(z))  # equation 3
    logits = vit.head(vit.norm(z).mean(dim=1))  # equation 4
    ours = vit(x)

print("largest difference:", float((logits - ours).abs().max()))
assert torch.allclose(logits, ours, atol=1e-3)

# %% [markdown]
# (In equation 4, the order of norm and mean is a choice. The package first applies the norm to every token.)
#
# ## Where are the parameters?

# %%
parts = {
    "patch_embed": vit.patch_embed, "attention": [block.attn for block in vit.blocks],
    "MLP": [block.mlp for block in vit.blocks], "head": vit.head,
}  # fmt: skip
for name, modules in parts.items():
    modules = modules if isinstance(modules, list) else [modules]
    print(f"{name:12} {sum(p.numel() for module in modules for p in module.parameters()):>8,}")
print(f"{'all':12} {sum(p.numel() for p in vit.parameters()):>8,}")

# %% [markdown]
# Two thirds of the parameters are in the MLPs, and most of the others in attention. Only `patch_embed` and the positions
# (here the two-dimensional sinusoids, which are not learned) are specific to *images*. A CNN has more knowledge built in:
# its small kernels compare neighbours, and they do the same at every place, so a sleeve is a sleeve anywhere. A ViT has to
# learn that from data. Lessons 8 to 10 measure what this costs.
#
# ## What does the first layer see?
#
# Each column of $E$ is a small pattern of 4 × 4 numbers. A token says how much of each pattern is in its patch. A pattern
# has only 16 numbers, so all 128 are mixtures of 16 basic patterns (the *principal components*). Here are the eight most
# important of these. The number is the share of the variance of all patterns that it explains. White is positive, black is
# negative:

# %%
from fittingroom.explain.filters import patch_components

bank, explained = patch_components(vit)
pictures.images(bank[:8, 0], titles=[f"{100 * share:.0f} %" for share in explained[:8]], width=72)

# %% [markdown]
# Look for white next to black. Such a pattern measures how much neighbouring pixels differ: it detects an edge at its
# place, as the first layer of a CNN does.
#
# ## Exercises
#
# **1.** Cut an image of shape (height, width) into flat patches of shape (num_patches, patch_size²), row by row. (Two loops
# and `torch.stack` are fine. `image[r : r + patch_size, c : c + patch_size].flatten()` is one patch.)


# %%
def my_patches(image, patch_size):
    return ...


check.patches(my_patches)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def my_patches(image, patch_size):
#     height, width = image.shape
#     rows, columns = height // patch_size, width // patch_size
#     squares = image.view(rows, patch_size, columns, patch_size).permute(0, 2, 1, 3)
#     return squares.reshape(rows * columns, patch_size**2)
# ```
#
# </details>
#
# **2.** Turn flat patches into tokens: `rows` has shape (num_patches, pixels), `weight` has shape (dim, pixels), and `bias`
# has dim numbers, which are added to each token. The result has one row for each patch.


# %%
def my_embedding(rows, weight, bias):
    return ...


check.embedding(my_embedding)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def my_embedding(rows, weight, bias):
#     return rows @ weight.T + bias
# ```
#
# </details>
#
# **3.** A ViT with patches of 7 × 7 pixels has 16 tokens instead of 49. How many multiply-adds does it save? Estimate it:
# attention needs $2 N^2 D$ in each block (weights, then the mean of the values). A matrix from $a$ to $b$ numbers needs
# $N a b$, and a block has $D \to 3D$ and $D \to D$ in attention, $D \to 4D$ and $4D \to D$ in the MLP. To check your method,
# estimate the ViT with 49 tokens first, and compare with the line `vit` of `.venv/bin/fittingroom models`.
#
# **4.** Create this network and print it: `fr.create_model("vit", data, patch_size=7)`. Where is the 7? Which lines are the
# four matrices of exercise 3?
#
# <details>
# <summary>Answers to 3 and 4</summary>
#
# **3.** A block needs $12 N D^2 + 2 N^2 D$. With $D = 128$ and four blocks, that is 41.0 million for 49 tokens and 12.8
# million for 16. With the patch matrix (0.1 million each time), the program counts 41.1 million. Larger patches save about
# two thirds.
#
# **4.** The 7 is in `patch_embed`, as `kernel_size` and `stride`. The matrices are `qkv`, `proj`, `fc1` and `fc2`.
#
# </details>
#
# ## What you know now
#
# - A ViT consists of patches, a matrix, positions, blocks, a mean and a linear layer.
# - The patch matrix is a convolution whose stride equals its kernel.
# - Only the positions say which patches are neighbours.
#
# Next: [looking inside](07_looking_inside.py).
