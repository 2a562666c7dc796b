"""Recipes: functions that return a RunConfig. Each docstring names the method, the command, and the recorded result."""

from fittingroom.recipes.choose import recipe
from fittingroom.recipes.ladder import RECIPES

__all__ = ["RECIPES", "recipe"]
