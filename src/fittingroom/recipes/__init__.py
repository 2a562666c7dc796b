"""Recipes: functions from a model's name and a length to a RunConfig. Each docstring states source, command, cost and result."""

from fittingroom.recipes.from_scratch import recipe

__all__ = ["recipe"]
