"""A published run was made by the recipe that is said to have made it."""

from pathlib import Path

from fittingroom.core.config import to_dict
from fittingroom.core.rundir import read_json
from fittingroom.recipes import recipe
from fittingroom.tasks.load import run_config

ROOT = Path(__file__).parents[3]


def test_the_long_run_on_record_is_what_its_recipe_makes() -> None:
    recorded = to_dict(run_config(read_json(ROOT / "results" / "long" / "config.json")))
    wanted = to_dict(recipe("transformer", name="transformer_24"))
    assert wanted.pop("model_config").items() <= recorded.pop("model_config").items()
    assert recorded.pop("digest")  # of the data, which a recipe does not know
    wanted.pop("digest")
    assert recorded == wanted
