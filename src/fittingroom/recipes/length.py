"""The default length of a run: it sees the items of a small data set more often.

With the epochs of a large data set, a run on a few hundred items would end after some dozen steps, before it has learnt anything.
"""

NUM_IMAGES, NUM_PAIRS = 55_000, 113_263
"""Training items of the data sets for which the recipes were made: Fashion-MNIST and cmudict."""
POWER = 2 / 3
"""An eighth of the items is seen four times as often, so that the run still does half of the steps (docs/your-images.md)."""
MOST_EPOCHS = 200
"""More only learns the training items by heart."""


def epochs_for(epochs: float, num_train: int, recipe_items: int) -> float:
    """The length for `num_train` items of a recipe that has `epochs` for `recipe_items`. More items do not shorten it."""
    if num_train >= recipe_items:
        return epochs
    wanted = round(epochs * (recipe_items / max(1, num_train)) ** POWER)
    return float(min(wanted, max(epochs, MOST_EPOCHS)))
