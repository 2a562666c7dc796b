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
# Lectures say: "With little data a CNN wins, with enough data a ViT." The ViT paper compared them on up to 300 million images.
# You cannot repeat that at home. This lesson does what a laptop can do, and says clearly what it does *not* show.
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
# (A step of training takes one batch of images and changes the parameters once. AdamW is a usual rule for the change, and the
# schedule decides how large it is.)
#
# The CNN is ahead at every size. Before you conclude anything about *data*, list what this picture hides:
#
# - **One seed.** Another seed gives other curves (lesson 8).
# - **100 steps.** Each run draws 3,200 images in all, so with 4,000 training images it has not even seen each of them. The
#   ViT may simply learn more slowly. With *equal epochs*, small sets would get even fewer steps.
# - **1,000 validation images.** Their sampling alone means about ± 2 points.
# - **4,000 images at most.** The claim is about millions.
#
# ## All of Fashion-MNIST, longer and longer
#
# The records have three seeds of each model, trained on 55,000 images. If the ViT only needs more training, the gap must close:

# %%
gaps = []
for epochs in (5, 20):
    for each in records.ladder(epochs, ("cnn", "vit")).contrasts:
        gaps.append((f"{epochs} epochs", 100 * each.difference, 100 * each.low, 100 * each.high))
pictures.intervals(gaps, x_title="CNN - ViT, points of test accuracy (95 % interval)")

# %% [markdown]
# The gap shrinks, but does not close. So with this data, networks of this size and up to 20 epochs, **the ViT does not win.**
# With more *data* it might, but Fashion-MNIST has no more images. So the answer is "not measured", which does not mean "no".
#
# ## With few images
#
# Does the lead of the CNN shrink with more data? `make claims` trains both networks on 1 % and on 100 % of the training images,
# with three seeds each. Runs with fewer images see each image more often: 550 images 108 times, 55,000 images 5 times. The
# networks are small (7 to 10 million multiply-adds for an image), because small networks learn most in short runs. The record
# holds their answers to the 10,000 test images:

# %%
leads = []
for size in records.claim_sizes():
    for each in records.claim(f"data-{size}").contrasts:
        leads.append((f"{size:,} images", 100 * each.difference, 100 * each.low, 100 * each.high))
pictures.intervals(leads, x_title="CNN - ViT, points of test accuracy (95 % interval)")

# %% [markdown]
# The CNN leads by more with 550 images, and the two intervals do not overlap. So **the first half of the claim holds here**: less
# data costs the ViT more. The second half is not seen: with all images, the CNN still leads.
#
# Two sizes do not show a whole curve. `make claims` can also train on the sizes in between, which takes another hour on two
# cores. And the runs differ in more than their data: a run on 550 images sees each of them twenty times as often as a run on all
# images. The [claims page](claims.md) lists every experiment and its settings.
#
# ## Why should a ViT need more data?
#
# Because it has less knowledge built in. Compare:
#
# | | CNN | ViT |
# |---|---|---|
# | neighbours belong together | yes: kernels of 3 × 3 | only inside a patch |
# | a pattern is the same at any place | yes: shared kernels | in part: shared weights, but different positions |
# | distant places can interact | after many layers | in the first layer |
#
# What is not built in must be learned from examples. What *is* built in cannot be unlearned, which can become a limit with very
# much data. Random flips and shifts are another way to give a network such knowledge. The recipes use them:

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
# **2.** Repeat the first cell with `seed=1` in `create_model`. Which statements about the two curves are still true?
#
# **3.** Add `"hybrid"` to the models of the first cell. Where do you expect its curve?
#
# ## What you know now
#
# - In these short runs, the CNN is ahead at every size. This agrees with the claim, but does not prove it.
# - In the recorded runs, the lead of the CNN is larger with few images.
# - Equal epochs mean fewer steps on less data. Keep the steps equal, or train every run until it no longer improves.
# - Say what you measured, and what you did not.
#
# Next: [your own pictures](11_your_pictures.py).
