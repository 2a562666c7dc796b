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
# # 8. The homework: ViT against CNN
#
# *"Apply a ViT to Fashion-MNIST and compare it with a CNN."* This lesson does it twice: first in the usual way, then in a way
# that gives an answer you can trust.
#
# **You need** lesson 6 and Fashion-MNIST (`make data`). **It takes** 30 minutes; the code runs in about two minutes.

# %%
from lesson import check, pictures, records

import fittingroom as fr

data = fr.load_data("fashion-mnist")
vit = fr.train("vit", data, epochs=0.1, sealed=True)
cnn = fr.train("cnn", data, epochs=0.1, sealed=True)
for run in (vit, cnn):
    print(f"{run.config.model}: {100 * run.scores['val']['accuracy']:.2f} % of 5,000 validation images right")

# %% [markdown]
# Can we say now "The CNN is better"? We trained each network once, for a tenth of an epoch. Much homework and many blog posts
# end like this, with one run of each network. This does not answer the question, for three reasons.
#
# ## Reason 1: another seed gives another number
#
# A **seed** decides the initial weights, the order of the images and the random flips. The choice of the seed is pure chance.
# We train the same ViT again, with two other seeds:

# %%
again = [fr.train("vit", data, epochs=0.1, seed=seed, sealed=True) for seed in (1, 2)]
for run in again:
    print(f"seed {run.config.seed}: {100 * run.scores['val']['accuracy']:.2f} %")

# %% [markdown]
# The three ViTs differ only because of their seeds. Here the CNN leads by far more than that, because the ViT has hardly begun
# to learn. But after longer training the lead is only two to five points (below), and then chance matters. If you compare
# two runs, you learn something about these *runs*. To learn something about *models*, you need several runs of each, and a
# test of whether chance can explain the difference.
#
# ## Reason 2: test images are a sample
#
# The 10,000 test images are a sample of all clothes. If a network is right on a share $p$ of $n$ images, the share varies
# from one sample to another with a standard deviation of
#
# $$\sqrt{\frac{p (1 - p)}{n}} .$$

# %%
for n in (500, 5_000, 10_000):
    print(f"{n:6,} images, 93 % right: ± {196 * (0.93 * 0.07 / n) ** 0.5:.2f} points (95 %)")

# %% [markdown]
# If both models are tested on the *same* images, much of this variation cancels, because hard images are hard for both. The
# statistics of this package use that. They cover seeds and images together ([how](../statistics.md)).
#
# ## Reason 3: the protocol
#
# Was one model tuned longer? Did it train longer? Was the test set used to choose the best epoch? Each of these can make a
# model win. So a fair protocol gives all models the same budget, chooses settings on validation images only, evaluates the
# last epoch, and reads the test images **once**. (`sealed=True` above kept them closed.)
#
# ## A fair comparison
#
# This takes a single call, with three seeds and 70 seconds of training for each run:
#
# ```python
# c = fr.compare(["vit", "cnn", "hybrid"], data, seeds=3, budget="70s")
# ```
#
# It would take six minutes, so we read a finished comparison from the records. The statistics are computed now:

# %%
c = records.comparison("quick")
c

# %% [markdown]
# The table shows the mean, the spread over seeds, and an interval. The headline claims that one model beats another only if
# the *difference* is too large for chance: if its p, adjusted for the number of pairs, is below 0.05. These are the intervals
# of the differences:

# %%
pictures.intervals(
    [
        (f"{each.a} - {each.b}", 100 * score.difference, 100 * score.low, 100 * score.high)
        for each in c.contrasts
        for score in [each.metrics["accuracy"]]
    ],
    x_title="test accuracy: difference in percentage points (95 % interval)",
)

# %% [markdown]
# ## Are 70 seconds enough?
#
# Perhaps the ViT needs longer training. The records have three seeds of each model with 5 and with 20 epochs:

# %%
for epochs in (5, 20):
    print(f"{epochs} epochs:", records.ladder(epochs).sentence, "\n")

# %%
epochs = [5, 20]
means, bands = {}, {}
for model in ("cnn", "hybrid", "vit"):
    scores = {
        rung: [100 * run.evals["test"]["accuracy"] for run in records.ladder_runs(model, rung)] for rung in epochs
    }
    means[model] = [sum(scores[rung]) / len(scores[rung]) for rung in epochs]
    bands[model] = ([min(scores[rung]) for rung in epochs], [max(scores[rung]) for rung in epochs])
pictures.curves(epochs, means, bands=bands, x_title="epochs", y_title="test accuracy, % (band: seeds)")

# %% [markdown]
# **The verdict of the homework.** On Fashion-MNIST, trained from scratch at this size, the CNN beats the ViT after 70 seconds,
# after 5 epochs and after 20 epochs. The gap shrinks with training. The hybrid lies between them.
#
# **What it does not say.** It says nothing about large data, pretraining, large models, or other pictures. [Lesson
# 10](10_data.py) is about the amount of data.
#
# ## Where do they disagree?
#
# Numbers do not show the mistakes. Here are images for which the two included networks give different answers:

# %% mystnb={"image": {"alt": "Six images on which ViT and CNN disagree, each with a map for both"}}
fr.explain(["vit", "cnn"], disagreements=6)

# %% [markdown]
# ## Do it yourself
#
# [The homework notebook](../notebooks/homework.ipynb) runs a whole comparison in seven minutes. You can also compare several
# settings of a model, and choose your own budget:
#
# ```python
# c = fr.compare(["vit", "vit@patch_size=7", "cnn"], data, seeds=3, budget="5m")
# c.report()
# ```
#
# You can get the same verdict on predictions that you made with other tools: `fr.verdict({"mine": [probs_seed0,
# probs_seed1], ...}, labels)`.
#
# ## Exercises
#
# **1.** Given the ends of the interval of the difference `a - b`, which model is better?


# %%
def my_verdict(low, high):
    return ...


check.verdict(my_verdict)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def my_verdict(low, high):
#     if low > 0:
#         return "a"
#     if high < 0:
#         return "b"
#     return "not settled"
# ```
#
# </details>
#
# **2.** "Not settled" does not mean "equal". How would you show that two models are about equally good?
#
# **3.** A friend trains 20 CNNs, reports the best one, and compares it with one ViT. What is wrong, even if every
# number is true?
#
# ## What you know now
#
# - With one run each, you compare two runs, not two models.
# - A fair comparison has several seeds, the same images, the same budget, and one read of the test set. Then an interval
#   shows what you can claim.
# - Here the CNN wins. By how much depends on the budget.
#
# Next: [hybrids](09_hybrids.py).
