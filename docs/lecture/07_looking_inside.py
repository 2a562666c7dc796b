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
# # 7. Looking inside
#
# Attention weights look like an explanation: "the network looked *here*". Are they one? This lesson draws the usual
# pictures, says what each one shows, and then **tests** which of them mean something.
#
# **You need** lesson 6 and Fashion-MNIST (`make data`). **It takes** 30 minutes; the code runs in about a minute.

# %% mystnb={"image": {"alt": "One sneaker, and where ViT, hybrid and CNN find evidence for it"}}
import torch
from lesson import check, explorer, pictures, records, side_by_side

import fittingroom as fr

data = fr.load_data("fashion-mnist")
networks = ["vit", "hybrid", "cnn"]
fr.explain(networks, index=9)

# %% [markdown]
# For each of three networks, the map shows which parts of the image support its answer. The maps differ. Each network may
# use other parts of the image, but a map may also be wrong.
#
# ## Try it
#
# Choose an image and a network, then click a patch to see where it looks. You can also choose a layer and a head, and play
# the rollout.

# %%
explorer.attention(networks, index=[3, 9, 12, 14, 17, 24])

# %% [markdown]
# ## Every head
#
# `attention_layers` returns the weights of every block, with shape (batch, heads, queries, keys). The pictures below show how
# much attention each patch gets in each block (mean over heads and queries).

# %%
from fittingroom.explain.capture import attention_layers

vit = fr.load_run("vit").model
x = data.val[9][0][None]
layers = attention_layers(vit, x)
received = [layer[0].mean(dim=(0, 1)).unflatten(-1, vit.grid) for layer in layers]
image = data.val.images.images[9, 0]
pictures.images(
    [image] * 5,
    maps=[None, *received],
    titles=["the image", *(f"block {place}" for place in range(4))],
    width=110,
)

# %% [markdown]
# Later blocks concentrate on a few patches. Be careful with this picture: after block 1, a token is a mixture of many
# patches. A bright patch in block 3 means "the token *at* this place", not "the pixels at this place".
#
# ## Rollout
#
# Rollout follows the mixtures through the blocks (Abnar and Zuidema 2020). A block keeps the token (skip connection) and adds
# what the token attends to. Rollout gives both the same weight, which is a crude model. It multiplies the matrices of all
# blocks:

# %%
from fittingroom.explain.rollout import attention_rollout

rolled = attention_rollout(layers)[-1, 0]  # (output tokens, input tokens)
side_by_side(
    r"R_l = \frac{A_l + I}{2} R_{l-1}, \quad R_0 = I",
    attention_rollout,
    pictures.images(
        [image, image],
        maps=[None, rolled.mean(dim=0).view(7, 7)],
        titles=["the image", "rollout"],
        width=150,
    ),
)

# %% [markdown]
# Rollout does not depend on the class: the map for "Sandal" is the same as for "Bag". Methods that use the gradient of a class
# (*relevance*, *Grad-CAM*) should do better. Whether they do must be tested.
#
# ## Does a map mean anything?
#
# Here is a simple test (Petsiuk and others, 2018). **Deletion:** hide one pixel after another, the most important pixels of
# the map first. If the map is right, the probability of the class falls faster than with a *random* map.
# **Insertion:** start with all pixels hidden and show the most important ones first. The probability should rise faster than
# with a random map.

# %%
from fittingroom.explain.examine import answers
from fittingroom.explain.methods import random_maps, saliency
from fittingroom.explain.perturbation import Perturbation, perturbation_curves, probabilities

many = torch.stack([data.val[place][0] for place in range(40)])
targets = torch.from_numpy(answers(vit, many).argmax(axis=1))
how = Perturbation(steps=14, grid=(7, 7))
falls = {}
for name in ("relevance", "rollout"):
    falls[name] = perturbation_curves(probabilities(vit), many, saliency(vit, many, targets, name), targets, how)
random = random_maps(len(many), (28, 28), (7, 7), seed=0)
falls["random map"] = perturbation_curves(probabilities(vit), many, random, targets, how)
pictures.curves(
    torch.linspace(0, 100, 15),
    {name: each.deletion.mean(axis=0) for name, each in falls.items()},
    x_title="pixels hidden, % (most important first)",
    y_title="probability of the class",
)

# %% [markdown]
# The lowest line belongs to the best map on these 40 images. Can chance explain the difference to random maps? To find out,
# we need intervals and more images. The record has 1,000 test images and every method. An interval left of zero means that
# the map beats random maps in the deletion test.

# %%
rows = []
for network in ("vit", "hybrid", "cnn"):
    for method, score in records.faithfulness(network).items():
        if method != "random":
            found = score["deletion_minus_random"]
            rows.append((f"{network}: {method}", found["mean"], found["low"], found["high"]))
pictures.intervals(rows, x_title="area under the deletion curve, minus random maps (95 % interval)")

# %% [markdown]
# Grad-CAM is *worse* than random maps on the hybrid in this test, no better on the CNN, and slightly better on the ViT. The
# attention of the last block fails on the hybrid. So "attention shows where the network looks" holds for some networks and
# some methods. Test your own network: `fittingroom explain RUN --faithfulness 200`.
#
# A second test shuffles the weights of the network (Adebayo et al. 2018). A map that does not change cannot show what
# the network learned:

# %%
from fittingroom.explain.faithfulness import randomisation

few = many[:10]
correlations = {
    method: randomisation(vit, method, few, targets[:10]) for method in ("attention", "rollout", "relevance", "gradcam")
}
for method, values in correlations.items():
    print(f"{method:10} after shuffling the head {values[0]:5.2f}, after shuffling everything {values[-1]:5.2f}")

# %% [markdown]
# Attention and rollout do not change when the weights of the head are shuffled, because they do not depend on the class.
#
# ## What the positions learned
#
# In lesson 3, you saw that learned positions know their neighbours. To measure this, we take for each patch the other patch
# with the most similar position. How often is it one of the eight neighbours?

# %%
from fittingroom.explain.examine import examine_positions

print(f"by chance {100 * examine_positions(vit).chance:.0f} % neighbours")
for name in ("vit", "vit_cls"):
    found = examine_positions(fr.load_run(name).model)
    near, mirrored = 100 * found.neighbours, 100 * found.mirrored
    print(f"{name:8} {found.kind:9} {near:3.0f} % neighbours, {mirrored:3.0f} % mirror images")

# %% [markdown]
# ## Exercises
#
# **1.** Write rollout: `layers` is a list of attention matrices of shape (tokens, tokens), starting with the first block.


# %%
def my_rollout(layers):
    return ...


check.rollout(my_rollout)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def my_rollout(layers):
#     identity = torch.eye(len(layers[0]))
#     result = identity
#     for attention in layers:
#         result = (attention + identity) / 2 @ result
#     return result
# ```
#
# </details>
#
# **2.** Draw the curves of *insertion* instead of deletion. Which method wins now?
#
# **3.** Ask for a class that is not in the image: `fr.explain("vit", index=9, target="Bag")`. What does the map show?
#
# ## What you know now
#
# - Attention weights show where the network gathers information, not what decides the answer.
# - Rollout follows them through the blocks, and ignores the class.
# - Deletion, insertion and shuffled weights test a map. Some popular maps fail.
#
# Next: [the homework](08_homework.py).
