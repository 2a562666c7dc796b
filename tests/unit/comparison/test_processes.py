"""How a run's process is started and why it ended, without starting one. Real processes are in `faults/test_side_by_side.py`."""

import multiprocessing
import os
import sys
from types import ModuleType
from typing import Any

import pytest

from fittingroom.comparison.executors import processes
from fittingroom.core.machine import OPENMP_BINDING


class Context:
    """A multiprocessing context whose processes note what they would inherit."""

    def __init__(self) -> None:
        self.environment: dict[str, str] = {}
        self.script: ModuleType | None = None

    def get_start_method(self) -> str:
        return "forkserver"

    def Process(self, **_: Any) -> "Context":
        return self

    def start(self) -> None:
        self.environment, self.script = dict(os.environ), sys.modules["__main__"]


def test_a_run_that_gets_cores_of_its_own_is_not_bound_by_openmp(monkeypatch: pytest.MonkeyPatch) -> None:
    """With OMP_PROC_BIND, torch would put every run on the first core as soon as it is imported."""
    for name in OPENMP_BINDING:
        monkeypatch.setenv(name, "true")
    started = processes._started(Context(), ())
    assert started.environment and not set(OPENMP_BINDING) & set(started.environment)
    assert all(os.environ[name] == "true" for name in OPENMP_BINDING)


@pytest.mark.parametrize("registers", [False, True])
def test_a_run_imports_the_users_script_only_if_it_registers_something(
    registers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = sys.modules["__main__"]
    monkeypatch.setattr(processes, "script_registers", lambda: registers)
    assert (processes._started(Context(), ()).script is script) == registers
    assert sys.modules["__main__"] is script


def test_a_script_that_runs_again_in_a_child_ends_it_and_its_parent_names_the_guard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Exited(Exception):
        """Raised instead of ending this process."""

    def exit_(code: int) -> None:
        raise Exited(code)

    monkeypatch.setattr(os, "_exit", exit_)
    processes.check_main_guard()
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(Exited) as ended:
        processes.check_main_guard()
    said = processes._why_ended(ended.value.args[0])
    assert 'under `if __name__ == "__main__":`' in said and "out of memory" not in said
    assert "killed? out of memory?" in processes._why_ended(-9)
