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
# *"Apply a ViT to Fashion-MNIST and compare it with a CNN."* This lesson does it twice: first in the usual way, then in a
# way that gives an answer you can trust. (ViT and CNN: lesson 6.)
#
# **Training** shows a network small batches of images. After each batch, it changes the parameters a little, so that the
# right classes get higher scores. An **epoch** is one pass over all training images. Fashion-MNIST has 70,000 images in
# three parts: 55,000 *training* images, 5,000 *validation* images for choices on the way, and 10,000 *test* images for the
# result.
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
# The share of images with the right answer is called the *accuracy*. Can we say now "The CNN is better"? We trained each
# network once, for a tenth of an epoch. Much homework and many blog posts end like this, with one run (one training) of
# each network. This does not answer the question, for three reasons.
#
# ## Reason 1: another seed gives another number
#
# The parameters start as random numbers, and training shows the images in random order, some of them mirrored. The **seed**
# decides these random numbers. The choice of the seed is pure chance. The ViT above had seed 0. We train it again, with two
# other seeds:

# %%
again = [fr.train("vit", data, epochs=0.1, seed=seed, sealed=True) for seed in (1, 2)]
for run in again:
    print(f"seed {run.config.seed}: {100 * run.scores['val']['accuracy']:.2f} %")

# %% [markdown]
# The three ViTs differ only because of their seeds. Here the CNN leads by far more than that, because the ViT has hardly
# begun to learn. But after longer training the lead is only two to five percentage points (below), and then chance matters.
# If you compare two runs, you learn something about these *runs*. To learn something about *models*, you need several runs
# of each, and a test of whether chance can explain the difference.
#
# ## Reason 2: test images are a sample
#
# The 10,000 test images are a sample of all clothes. With other test images, the accuracy would be a little different. If a
# network is right on a share $p$ of $n$ images, the typical distance from the true value (the *standard deviation*) is
#
# $$\sqrt{\frac{p (1 - p)}{n}} .$$
#
# In 95 of 100 samples, the distance is less than 1.96 standard deviations. (In the code, 196 is 1.96 times 100 for percent.)

# %%
for n in (500, 5_000, 10_000):
    print(f"{n:6,} images, 93 % right: ± {196 * (0.93 * 0.07 / n) ** 0.5:.2f} points (95 %)")

# %% [markdown]
# So two networks that differ by half a point on 10,000 images may differ by chance only. If both are tested on the *same*
# images, much of this variation cancels, because hard images are hard for both. The statistics of this package use that.
# They cover seeds and images together ([how](../statistics.md), with formulas).
#
# ## Reason 3: the protocol
#
# The *protocol* is the set of rules of a comparison. Did somebody try more settings for one model? Did it train longer? Was
# the test set used to choose the best epoch? Each of these can make a model win. So a fair protocol gives all models the
# same *budget* (time or epochs), chooses settings on validation images only, evaluates the last epoch, and reads the test
# images **once**. (`sealed=True` above kept them closed.)
#
# ## A fair comparison
#
# This takes a single call. It compares three models (the *hybrid* of lesson 9 is a CNN in front of a Transformer), with
# three seeds and 70 seconds of training for each run:
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
# How to read the table:
#
# - The last column, the test accuracy, decides. It has the mean over the seeds, ± how much the seeds differ (standard
#   deviation), and in small print a **95 % interval**. Intervals made like this contain the true value in 95 of 100
#   comparisons.
# - The other columns are the costs. The networks differ in size, because the budget is *time*: the program gives each model
#   the size that learns most in 70 seconds ([how](../speed.md#the-size-of-a-network-in-a-budget)).
#
# The headline claims that one model beats another only if the *difference* is too large for chance. **p** is the
# probability of at least this difference if both models were equally good. Three pairs of models give chance three
# opportunities, so p is *adjusted*, that is, made larger. It must be below 0.05. (The names in the first note are the
# recipes for this. The last note says that three runs are few: a model that rarely fails to learn may do so in none of
# them.)
#
# These are the intervals of the differences:

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
# The dot is the measured difference, and the line is its interval. All three lie right of zero. So in each pair, the first
# model is better.
#
# ## Are 70 seconds enough?
#
# Perhaps the ViT needs longer training. The records have three seeds of each model with 5 and with 20 epochs, now of larger
# networks that are nearly equal in size (0.7 to 0.8 million parameters):

# %%
import textwrap

for epochs in (5, 20):
    print(textwrap.fill(f"{epochs} epochs: {records.ladder(epochs).sentence}", 90), "\n")

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
# (The lines are means. A band goes from the worst to the best of the three seeds.)
#
# **The verdict of the homework.** On Fashion-MNIST, with small networks trained from scratch (from random parameters), the
# CNN beats the ViT after 70 seconds, after 5 epochs and after 20 epochs, by about 5, 3 and 2 percentage points. The gap
# shrinks with training. The hybrid lies between them.
#
# **What it does not say.** It says nothing about large data, pretraining (training on other images first), large models, or
# other pictures. [Lesson 10](10_data.py) is about the amount of data.
#
# ## Where do they disagree?
#
# Numbers do not show the mistakes. Here are images for which the two included networks give different answers. Below each
# image is its true class. Below each map are the answer and its probability. (Lesson 7 explains the maps.)

# %% mystnb={"image": {"alt": "Six images on which ViT and CNN disagree, each with a map for both"}}
fr.explain(["vit", "cnn"], disagreements=6)

# %% [markdown]
# ## Do it yourself
#
# [The homework notebook](../notebooks/homework.ipynb) runs a whole comparison in seven minutes. In your own words, the
# answer is: which data, which budget, how many seeds, the difference with its interval, and what it does not say ([an
# example](../fair-comparison.md#in-a-paper)). You can also compare several settings of a model, such as larger patches, and
# choose your own budget. `c.report()` writes a page with all tables and figures, and says where it is:
#
# ```python
# c = fr.compare(["vit", "vit@patch_size=7", "cnn"], data, seeds=3, budget="5m")
# c.report()
# ```
#
# You can get the same verdict on predictions that you made with other tools: `fr.verdict({"mine": [probs_seed0,
# probs_seed1], ...}, labels)` ([how](../python.md#a-verdict-on-predictions-from-other-tools)).
#
# ## Exercises
#
# **1.** `low` and `high` are the ends of the interval of the difference, accuracy of a minus accuracy of b. Which model is
# better? Return `"a"`, `"b"` or `"not settled"`.


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
# <details>
# <summary>Answers to 2 and 3</summary>
#
# **2.** Before you look, say which difference is too small to matter, such as half a point. The models are about equally
# good if the *whole* interval lies between -0.5 and +0.5. For such a narrow interval, you need more seeds or more test
# images.
#
# **3.** The best of 20 is partly luck, and the ViT had only one try. With 20 ViTs, the best ViT would be luckier, too.
# Compare the means of equally many runs.
#
# </details>
#
# ## What you know now
#
# - With one run each, you compare two runs, not two models.
# - A fair comparison has several seeds, the same images, the same budget, and one read of the test set. Then an interval
#   shows what you can claim.
# - Here the CNN wins. By how much depends on the budget.
#
# Next: [hybrids](09_hybrids.py).
