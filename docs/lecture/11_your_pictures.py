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
# # 11. Your own pictures
#
# Everything so far also works on your own pictures. Put them into one folder for each class. So that you can run this
# lesson without pictures of your own, the first cell *draws* some. Replace it by your own folder.
#
# **You need** lesson 8. **It takes** 15 minutes; the code runs in about a minute.

# %%
import random
from pathlib import Path

import numpy as np
import torch
from lesson import check, pictures
from PIL import Image, ImageDraw

import fittingroom as fr


def draw(kind, chance):
    """A circle, square or triangle of random size, place and colour."""
    picture = Image.new("RGB", (40, 40), tuple(chance.randrange(80) for _ in range(3)))
    pen, side = ImageDraw.Draw(picture), chance.randint(14, 26)
    left, top = chance.randint(1, 38 - side), chance.randint(1, 38 - side)
    colour = tuple(chance.randrange(120, 256) for _ in range(3))
    box = (left, top, left + side, top + side)
    if kind == "circle":
        pen.ellipse(box, fill=colour)
    elif kind == "square":
        pen.rectangle(box, fill=colour)
    else:
        pen.polygon([(left, top + side), (left + side, top + side), (left + side // 2, top)], fill=colour)
    return picture


chance = random.Random(0)
for kind in ("circle", "square", "triangle"):
    folder = Path("shapes") / kind
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(250):
        draw(kind, chance).save(folder / f"{number:03}.png")

data = fr.load_data("shapes", image_size=32)
data

# %% [markdown]
# The folder is now a data set. The names of its subfolders are the classes. It is divided into training, validation and
# sealed test pictures. This is what a network gets:

# %%
few = data.val.images.read(torch.arange(8))  # uint8 (image, channel, row, column)
names = [data.class_names[int(label)] for label in data.val.images.labels[:8]]
pictures.images(np.moveaxis(few.numpy(), 1, -1), titles=names, width=80)

# %% [markdown]
# ## Before you train
#
# Most surprises come from the data, not from the network. Look for broken files, copies of one picture, and classes of very
# different sizes:
#
# ```sh
# .venv/bin/fittingroom data check docs/lecture/shapes    # or where your folder is
# ```
#
# Then ask: *can one thing have pictures in both training and test?* Examples are ten frames of one video, or three photos
# of one person. Then the network recognises the person, and the test score is too high. Tell the program which pictures
# belong together:
#
# ```python
# data = fr.load_data("pictures/", group=r"patient\d+")   # the group is read from the path, and never divided
# ```
#
# ## Train two networks

# %%
vit = fr.train("vit", data, epochs=8)
cnn = fr.train("cnn", data, epochs=8)
for run in (vit, cnn):
    print(f"{run.config.model}: {100 * run.scores['test']['accuracy']:.1f} % of the test pictures right")

# %% [markdown]
# These are two runs, so this compares runs, not models (lesson 8). To compare models, use `fr.compare(["vit", "cnn"], data,
# seeds=3, budget="2m")`.
#
# ## Ask a network about new pictures

# %%
new = [
    draw(kind, random.Random(seed)) for seed, kind in enumerate(("circle", "triangle", "square", "circle"), start=100)
]
answers = cnn.predict(new)
best = [f"{data.class_names[int(row.argmax())]} {100 * row.max():.0f} %" for row in answers.probs]
pictures.images([np.asarray(each) for each in new], titles=best, width=90)

# %% [markdown]
# For files, use `run.predict_files(["photos/"])` or `.venv/bin/fittingroom predict RUN photos/ --csv >
# answers.csv`.
#
# What about a picture that belongs to no class? A network cannot say "I do not know". It always names a class:

# %%
noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
cnn.predict([noise])

# %% [markdown]
# ## Where does it look?

# %% mystnb={"image": {"alt": "Four drawn shapes, each with a map for ViT and CNN"}}
fr.explain([vit, cnn], new)

# %% [markdown]
# ## Exercises
#
# **1.** Your pictures are named `anna_03_front.png`, `anna_04_side.png`, `ben_11_side.png`, `mary-ann_01_front.png`.
# Write a regular expression that matches the name of the person, so that all pictures of a person stay together.

# %%
my_group = ...

check.group(my_group)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# my_group = r"^[a-z-]+"
# ```
#
# (In a real path, the folder comes first. `r"[a-z-]+(?=_\d+_)"` finds the name anywhere in the path.)
#
# </details>
#
# **2.** Make the background of every circle blue and every other background red. What does the network learn? Test it with
# a circle on red, and look at `fr.explain`.
#
# **3.** Use pictures of your own. Start with two classes and a hundred pictures each.
#
# ## What you know now
#
# - A data set is a folder with one subfolder for each class. Groups keep pictures of one thing together.
# - Look at the data first, compare models with several seeds, and test what your network looks at.
#
# The guide [your images](../your-images.md) describes every layout and option. **This was the last lesson.** Back to [the
# overview](index.md).
