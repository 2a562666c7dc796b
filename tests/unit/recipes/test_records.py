"""A published run was made by the recipe that is said to have made it."""

import json
from pathlib import Path

from fittingroom.core.config import to_dict
from fittingroom.recipes import recipe

ROOT = Path(__file__).parents[3]


def test_the_long_run_on_record_is_what_its_recipe_makes() -> None:
    recorded = json.loads((ROOT / "results" / "long" / "config.json").read_text())
    wanted = json.loads(json.dumps(to_dict(recipe("transformer", name="transformer_24"))))
    assert wanted.pop("model_config").items() <= recorded.pop("model_config").items()
    assert recorded.pop("digest")  # of the data, which a recipe does not know
    wanted.pop("digest")
    assert recorded == wanted
