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
# Below each image you see the answer of the included ViT, and the true class in brackets. The lines show the patches: 7 × 7
# = 49 squares of 4 × 4 pixels. The network gets 49 tokens. Only the positions tell it that patch 8 lies below patch 1
# (counting from 0).
#
# ## On one page

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
# (In equations 1 and 4, the paper uses an extra *class token* instead of the mean.) Here they are in the package. Equation 1
# is `PatchEmbed` and the sum with `pos_embed`. Equations 2 and 3 are the two lines of `Block.forward`. The class token is an
# option (`pool="cls"`). By default, the package takes the mean of all tokens.

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
# This cell computes the whole network in a dozen lines, with the trained weights. The result must agree with `run.model`.

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
# Two thirds of the parameters are in the MLPs, and most of the others in attention. Only `patch_embed` and the fixed
# positions are specific to *images*. A CNN has more knowledge built in: neighbours belong together, and a sleeve is a sleeve
# at any place. A ViT has to learn that from data. Lessons 8 to 10 measure what this costs.
#
# ## What does the first layer see?
#
# Each column of $E$ is a small pattern. A token says how much of each pattern is in its patch. Here are the first principal
# components of these patterns, with their share of the variance:

# %%
from fittingroom.explain.filters import patch_components

bank, explained = patch_components(vit)
pictures.images(bank[:8, 0], titles=[f"{100 * share:.0f} %" for share in explained[:8]], width=72)

# %% [markdown]
# They detect brightness, a gradient to the right, a gradient downwards, a bar: edges, as in the first layer of a CNN.
#
# ## Exercises
#
# **1.** Cut an image of shape (height, width) into flat patches of shape (num_patches, patch_size²), row by row.


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
# **2.** Project flat patches to tokens: `weight` has shape (dim, pixels), `bias` (dim).


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
# attention weights cost about $N^2 D$, linear layers about $N D^2$. To check your method, estimate the ViT with 49 tokens
# first, and compare with `fittingroom models`.
#
# **4.** Create this network and print it: `fr.create_model("vit", data, patch_size=7)`.
#
# ## What you know now
#
# - A ViT consists of patches, a matrix, positions, blocks, a mean and a linear layer.
# - The patch matrix is a convolution whose stride equals its kernel.
# - Only the positions say which patches are neighbours.
#
# Next: [looking inside](07_looking_inside.py).
