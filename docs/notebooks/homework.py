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
# images. It takes about seven minutes on two cores. If you run a cell again, it continues interrupted runs.

# %%
import fittingroom as fr

data = fr.load_data("fashion-mnist")
data

# %% [markdown]
# ## A result first
#
# A trained ViT comes with the package. Where does it look?

# %%
fr.explain("vit", index=3)

# %% [markdown]
# ## Train one yourself

# %%
run = fr.train("vit", data, budget="45s")
run.plot()

# %%
fr.plot.attention(run, data.val.images.images[:6])

# %% [markdown]
# One run says something about this network. It says little about the architecture, because another seed gives another number.
#
# ## Compare: same seeds, same time

# %%
c = fr.compare(["vit", "cnn", "hybrid"], data, seeds=2, budget="60s")
c

# %% [markdown]
# The headline claims a difference only where p, adjusted for the number of pairs, is below 0.05. `c.report()` writes the whole
# report.

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
