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
# # Apply ViT to Fashion-MNIST. Compare with CNN.
#
# This notebook answers the question fairly: two seeds of each model, the same budget, 95 % intervals, one read of the test
# images. It takes about seven minutes on two cores. If you run a cell again, it continues interrupted runs. [Lesson
# 8](../lecture/08_homework.py) shows the results of such a comparison and explains these words.

# %%
import fittingroom as fr

data = fr.load_data("fashion-mnist")
data

# %% [markdown]
# ## A result first
#
# A trained ViT comes with the package. Where does it look? The brighter a place in the map, the more it supports the answer.

# %%
fr.explain("vit", index=3)

# %% [markdown]
# ## Train one yourself
#
# The budget is 45 seconds. The curves show how the network gets better. The maps below them show where it looks in six images.

# %%
run = fr.train("vit", data, budget="45s")
run.plot()

# %%
fr.plot.attention(run, data.val.images.images[:6])

# %% [markdown]
# One run says something about this network. It says little about the architecture, because another seed gives another number.
#
# ## Compare: same seeds, same time
#
# This trains three models, each with two seeds (random starts), for 60 seconds each. The *hybrid* is a CNN in front of a
# Transformer.

# %%
c = fr.compare(["vit", "cnn", "hybrid"], data, seeds=2, budget="60s")
c

# %% [markdown]
# The headline claims a difference only where p, adjusted for the number of pairs, is below 0.05. These are the ends of the
# 95 % interval of each difference in test accuracy (0.01 is one percentage point). If an interval contains zero, chance can
# explain the difference. `c.report()` writes the whole report.

# %%
[(each.a, each.b, each.metrics["accuracy"].low, each.metrics["accuracy"].high) for each in c.contrasts]

# %%
c.plot()

# %%
c.report()

# %% [markdown]
# ## Where the CNN and the ViT disagree

# %%
fr.explain([c.runs("vit")[0], c.runs("cnn")[0]], disagreements=6)

# %% [markdown]
# ## What to write
#
# Two sentences are enough: what the verdict claims (which data, which budget, how many seeds, the difference and its interval),
# and what it does not claim. Then change one thing, such as `"vit@patch_size=7"` (larger patches), and compare again. [Fair
# comparison](../fair-comparison.md) says what else to look out for.
