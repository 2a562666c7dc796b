"""The names of loggers: what would fail when training begins is refused before."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.training.logger_names import check_callbacks, check_loggers


@pytest.mark.parametrize("project", ["team/shoes", "a:b", "what?", "50%", "#1", "back\\slash", "a" * 129])
def test_a_project_that_weights_and_biases_refuses_is_refused_at_once(
    project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    said = "wandb project '.*' has .*: give a name without"
    with pytest.raises(FittingRoomError, match=said):
        check_loggers([f"wandb@project={project}"])
    monkeypatch.setenv("WANDB_PROJECT", project)
    with pytest.raises(FittingRoomError, match=said):
        check_loggers(["wandb"])
    check_loggers(["wandb@project=shoes and größe.1"])
    check_loggers(["tensorboard"])


class Callback:
    """What Lightning calls."""

    def on_train_batch_end(self) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("check", "given", "said"),
    [
        (check_loggers, "wandb", "loggers 'wandb': give a list, such as ['wandb']"),
        (check_loggers, True, "loggers True: give a list"),
        (check_loggers, None, "loggers None: give a list"),
        (check_callbacks, Callback(), "give a list, such as [Timer()]"),
        (check_callbacks, [3], "callback 3: give Lightning callbacks, such as LearningRateMonitor()"),
        (check_callbacks, [Callback(), Callback], "Callback'>: give Lightning callbacks"),
    ],
)
def test_what_is_no_list_of_them_is_one_line(check: Callable[[Any], None], given: Any, said: str) -> None:
    with pytest.raises(FittingRoomError, match=re.escape(said)):
        check(given)
    check_callbacks([Callback()])
