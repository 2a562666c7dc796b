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
# # 10. How much data does a ViT need?
#
# Lectures say: "with little data a CNN wins, with enough data a ViT." The paper compared up to 300 million images. You
# cannot do that tonight. This lesson does what fits on a laptop, and says clearly what it does *not* show.
#
# **You need** lesson 8. **It takes** 20 minutes; the code runs in about two minutes.

# %%
import time

import torch
from lesson import check, pictures, records, source

import fittingroom as fr

data = fr.load_data("fashion-mnist")
sizes, num_steps, batch_size = [250, 1000, 4000], 100, 32
val_x = torch.stack([data.val[place][0] for place in range(1000)])
val_y = data.val.images.labels[:1000].long()


def train(name, size):
    """A plain training loop: `num_steps` steps of AdamW on `size` images. Returns the accuracy on 1,000 validation images."""
    x = torch.stack([data.train[place][0] for place in range(size)])
    y = data.train.images.labels[:size].long()
    model = fr.create_model(name, data, seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=num_steps)
    draw = torch.Generator().manual_seed(0)
    for _ in range(num_steps):
        chosen = torch.randint(size, (batch_size,), generator=draw)
        loss = torch.nn.functional.cross_entropy(model(x[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        return float((model(val_x).argmax(dim=1) == val_y).float().mean())


began = time.perf_counter()
measured = {name: [100 * train(name, size) for size in sizes] for name in ("cnn", "vit")}
print(f"{time.perf_counter() - began:.0f} s")
pictures.curves(sizes, measured, x_title="training images", y_title="validation accuracy, %", log_x=True)

# %% [markdown]
# Both get better with more images, and the CNN is ahead. Before you conclude anything, list what this picture hides:
#
# - **One seed.** Lesson 8: another seed gives another line.
# - **100 steps.** The ViT may simply learn more slowly. With *equal epochs*, small sets would get even fewer steps.
# - **1,000 validation images.** That alone is about ± 2 points.
# - **4,000 images at most**, where the claim is about millions.
#
# ## All of Fashion-MNIST, longer and longer
#
# The records have three seeds each on 55,000 images. If the ViT only needs more training, the gap must close:

# %%
gaps = []
for epochs in (5, 20):
    for each in records.ladder(epochs, ("cnn", "vit")).contrasts:
        gaps.append((f"{epochs} epochs", 100 * each.difference, 100 * each.low, 100 * each.high))
pictures.intervals(gaps, x_title="CNN - ViT, points of test accuracy (95 % interval)")

# %% [markdown]
# It shrinks, and does not close. So for this data, these sizes of network and up to 20 epochs: **the ViT does not
# win.** Whether it would with more *data* cannot be seen here, because Fashion-MNIST has no more. That is what "not
# measured" means: not "no".
#
# ## What a fair experiment would be
#
# Training sizes 550, 1,650, 5,500, 16,500 and 55,000; three seeds each; as many steps as each run needs to settle; a
# curve with bands, and the crossing as an interval, or "none within what was measured". The package can run it:
#
# ```python
# c = fr.compare(["vit", "cnn", "hybrid"], data, train_sizes=[550, 1650, 5500, 16500], seeds=3, budget="10m")
# ```
#
# It takes a night on two cores. The [claims page](claims.md) says whether a record exists yet.
#
# ## Why should a ViT need more data?
#
# Because it knows less. Compare what is *built in*:
#
# | | CNN | ViT |
# |---|---|---|
# | neighbours belong together | yes: kernels of 3 × 3 | only inside a patch |
# | a pattern is the same anywhere | yes: shared kernels | only the patch matrix and the blocks; positions differ |
# | far places can meet | after many layers | in the first layer |
#
# What is not built in has to be learned from examples. What *is* built in cannot be unlearned: with very much data that
# can become a limit. Random flips and crops are another way to build knowledge in. The recipes use them:

# %%
from fittingroom.recipes.ladder import vit_5

source(vit_5)

# %% [markdown]
# ## Exercises
#
# **1.** How many steps does a run take? The last batch of an epoch may be smaller.


# %%
def my_steps(num_images, batch_size, epochs):
    return ...


check.steps(my_steps)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def my_steps(num_images, batch_size, epochs):
#     return -(-num_images // batch_size) * epochs
# ```
#
# </details>
#
# **2.** Repeat the first cell with `seed=1` in `create_model`. Which statement about the two curves survives?
#
# **3.** Add `"hybrid"` to the models of the first cell. Where do you expect it?
#
# ## What you know now
#
# - Here, a ViT needs more data than a CNN for the same accuracy. This fits what the paper says; a small picture does
#   not prove it.
# - Equal epochs on less data are fewer steps: keep the steps equal, or let every run settle.
# - Say what was measured, and where it ends.
#
# Next: [your own pictures](11_your_pictures.py).
