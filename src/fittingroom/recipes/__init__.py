"""Recipes: functions that return a RunConfig. Each docstring states source, command, cost and result."""

from fittingroom.recipes.choose import recipe
from fittingroom.recipes.ladder import RECIPES

__all__ = ["RECIPES", "recipe"]
