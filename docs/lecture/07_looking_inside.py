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
# For each of three networks, the map shows which parts of the image support its answer: bright parts more, dark parts less.
# The white line is the outline of the object. Below each map are the answer of the network and its probability. The
# *hybrid* is a CNN in front of a Transformer (lesson 9). *Relevance* and *Grad-CAM* are two methods to compute a map.
# Relevance needs attention, so the CNN gets Grad-CAM. The maps differ. Perhaps each network uses other parts of the image.
# Perhaps a map is wrong.
#
# ## Try it
#
# Choose an image and a network, then click a patch to see where it looks. Scroll inside the frame to choose a layer and a
# head, and to play the rollout (explained below). The frame counts layers from 1, so its layer 4 is block 3 in the code.

# %%
explorer.attention(networks, index=[3, 9, 12, 14, 17, 24])

# %% [markdown]
# ## Every block
#
# `attention_layers` returns the weights of every block, with shape (batch, heads, queries, keys). The pictures below show
# how much attention each patch gets in each block (mean over heads and queries; yellow is most in this picture).

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
# Later blocks concentrate on a few patches. Be careful with this picture: after the first block, a token is a mixture of
# many patches. A bright patch in block 3 means "the token *at* this place", not "the pixels at this place".
#
# ## Rollout
#
# Rollout follows the mixtures through the blocks (Abnar and Zuidema 2020). A block keeps the token (⊕ in lesson 6) and adds
# what the token attends to. Rollout gives both the same weight, which is a crude model: $A_l$ holds the attention of block
# $l$ (mean over heads), and the identity matrix $I$ means "keep the token". It multiplies the matrices of all blocks:

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
# (The last lines of the code are the equation. The lines above check the input, and offer variants.)
#
# Rollout does not depend on the class: the map for "Sandal" is the same as for "Bag". *Relevance* and *Grad-CAM* use the
# gradient of a class: they ask what would raise the score of this class. So they should do better. Whether they do must be
# tested.
#
# ## Does a map mean anything?
#
# Here is a simple test (Petsiuk and others, 2018). **Deletion:** hide one pixel after another (paint it with the mean grey
# of the image), the most important pixels of the map first. If the map is right, the probability of the class falls faster
# than with a *random* map. **Insertion:** start with all pixels hidden and show the most important ones first. The
# probability should rise faster than with a random map.

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
# The lowest line belongs to the best map on these 40 images. One number sums up a line: the area under it, which is its
# mean height. Can chance explain the difference to random maps? To find out, we need 95 % intervals (lesson 2) and more
# images. The record has 1,000 test images and every method. (*Attention* means the weights of the last block.) An interval
# left of zero means that the map beats random maps in the deletion test.

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
# some methods. To test a network of your own, give its folder: `.venv/bin/fittingroom explain runs/... --faithfulness 200`.
#
# A second test shuffles the parameters of the network (Adebayo et al. 2018), first those of the head, then those of all
# layers. A map that does not change cannot show what the network learned. The numbers below are correlations of the map
# before and after: 1 means that the order of the pixels is the same, and 0 means that the maps have nothing in common.

# %%
from fittingroom.explain.faithfulness import randomisation

few = many[:10]
correlations = {
    method: randomisation(vit, method, few, targets[:10]) for method in ("attention", "rollout", "relevance", "gradcam")
}
for method, values in correlations.items():
    print(f"{method:10} after shuffling the head {values[0]:5.2f}, after shuffling everything {values[-1]:5.2f}")

# %% [markdown]
# Attention and rollout do not change when the parameters of the head are shuffled, because they do not depend on the class.
# Grad-CAM and relevance do.
#
# ## What the positions learned
#
# In lesson 3, you saw that learned positions know their neighbours. To measure this, we take for each patch the other patch
# with the most similar position. How often is it one of the (at most) eight neighbours? And how often is it the mirror
# image of the patch? (`vit` has the sinusoids of lesson 3, `sincos2d`. `vit_cls` has a learned table.)

# %%
from fittingroom.explain.examine import examine_positions

print(f"by chance {100 * examine_positions(vit).chance:.0f} % neighbours")
for name in ("vit", "vit_cls"):
    found = examine_positions(fr.load_run(name).model)
    near, mirrored = 100 * found.neighbours, 100 * found.mirrored
    print(f"{name:8} {found.kind:9} {near:3.0f} % neighbours, {mirrored:3.0f} % mirror images")

# %% [markdown]
# The learned positions find neighbours twice as often as chance does. Mostly, however, the most similar position is the
# mirror image, because training shows images mirrored at random.
#
# ## Exercises
#
# **1.** Write rollout: `layers` is a list of attention matrices of shape (tokens, tokens), starting with the first block.
# (`torch.eye(n)` is the identity matrix.)


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
# **2.** Draw the curves of *insertion* instead of deletion: `each.insertion`. Which method wins now?
#
# **3.** Ask for a class that is not in the image: `fr.explain("vit", index=9, target="Bag")`. What does the map show?
#
# <details>
# <summary>Answers to 2 and 3</summary>
#
# **2.** Now the highest line is the best. Both methods beat random maps. Relevance rises faster at first, and then rollout
# is ahead. 40 images cannot tell which one is better.
#
# **3.** It shows which patches raise the score for *Bag*, although the network gives *Bag* only 1 %. Each map is scaled by
# its own mean, so a map can be bright for a class that the network rules out. Read the answer first, then the map.
#
# </details>
#
# ## What you know now
#
# - Attention weights show where the network gathers information, not what decides the answer.
# - Rollout follows them through the blocks, and ignores the class.
# - Deletion, insertion and shuffled weights test a map. Some popular maps fail.
#
# Next: [the homework](08_homework.py).
