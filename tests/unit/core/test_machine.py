"""A container may use less of the machine than there is."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fittingroom.api
from fittingroom.core import machine
from fittingroom.core.machine import memory_bytes, num_cores, usable_cores
from fittingroom.data.images import cache

GIB = 2**30
VERSION_1 = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 {top} /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 {top} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
VERSION_2 = "30 23 0:26 {top} /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 cgroup rw,nsdelegate\n"


def container(root: Path, mounts: str, groups: str, limits: dict[str, str]) -> Path:
    """A folder with the files in which the system describes this process's limits."""
    for path, text in {"proc/self/mountinfo": mounts, "proc/self/cgroup": groups, **limits}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: list(range(8)))
    monkeypatch.setattr(machine.os, "sysconf", lambda name: 1 if name == "SC_PAGE_SIZE" else 64 * GIB)


def test_version_2_the_tightest_limit_of_the_group_and_those_above_it_counts(tmp_path: Path) -> None:
    limits = {
        "sys/fs/cgroup/slice/cpu.max": "250000 100000\n",
        "sys/fs/cgroup/slice/memory.max": "max\n",
        "sys/fs/cgroup/slice/job/cpu.max": "max 100000\n",
        "sys/fs/cgroup/slice/job/memory.max": f"{4 * GIB}\n",
    }
    root = container(tmp_path, VERSION_2.format(top="/"), "0::/slice/job\n", limits)
    assert (num_cores(root), memory_bytes(root)) == (2, 4 * GIB)


def test_version_2_a_container_sees_its_group_as_the_top(tmp_path: Path) -> None:
    limits = {"sys/fs/cgroup/cpu.max": "50000 100000\n", "sys/fs/cgroup/memory.max": f"{GIB}\n"}
    root = container(tmp_path, VERSION_2.format(top="/"), "0::/\n", limits)
    assert (num_cores(root), memory_bytes(root)) == (1, GIB), "half a core is one"


@pytest.mark.parametrize("top", ["/", "/docker/0a1b"])
def test_version_1_with_the_path_of_the_machine_or_of_the_container(top: str, tmp_path: Path) -> None:
    folder = "" if top != "/" else "docker/0a1b/"
    limits = {
        f"sys/fs/cgroup/cpu,cpuacct/{folder}cpu.cfs_quota_us": "300000\n",
        f"sys/fs/cgroup/cpu,cpuacct/{folder}cpu.cfs_period_us": "100000\n",
        f"sys/fs/cgroup/memory/{folder}memory.limit_in_bytes": f"{2 * GIB}\n",
    }
    groups = "5:memory:/docker/0a1b\n4:cpu,cpuacct:/docker/0a1b\n0::/\n"
    root = container(tmp_path, VERSION_1.format(top=top), groups, limits)
    assert (num_cores(root), memory_bytes(root)) == (3, 2 * GIB)


@pytest.mark.parametrize("mounts", [VERSION_1.format(top="/"), VERSION_2.format(top="/"), "", "nonsense\n"])
def test_without_limits_it_is_the_machine(mounts: str, tmp_path: Path) -> None:
    limits = {
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/cpu.max": "max 100000\n",
    }
    root = container(tmp_path, mounts, "5:memory:/\n4:cpu,cpuacct:/\n0::/\n", limits)
    assert (num_cores(root), memory_bytes(root)) == (8, 64 * GIB)


def test_a_system_that_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "usable_cores", list)
    monkeypatch.setattr(machine.os, "cpu_count", lambda: None)
    monkeypatch.delattr(machine.os, "sysconf")  # as on Windows
    assert (num_cores(tmp_path), memory_bytes(tmp_path)) == (1, None)


class Torch:
    """Counts threads as torch does."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def get_num_threads(self) -> int:
        return self.threads

    def set_num_threads(self, number: int) -> None:
        self.threads = number


@pytest.mark.parametrize(
    ("quota", "variable", "before", "after"),
    [(3, None, 8, 3), (3, None, 2, 2), (8, None, 8, 8), (3, "6", 6, 6), (3, "6,2", 6, 6)],
    ids=["less time than cores", "fewer threads already", "no quota", "chosen by the user", "nested"],
)
def test_computing_from_python_respects_the_quota_though_torch_was_imported_before(
    quota: int, variable: str | None, before: int, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = Torch(before)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setenv("OMP_NUM_THREADS", "1" if variable is None else variable)
    if variable is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(machine, "num_cores", lambda: quota)
    importlib.reload(fittingroom.api)
    assert torch.threads == after
    assert os.environ.get("OMP_NUM_THREADS") == (variable or (str(quota) if quota < 8 else None))


@pytest.mark.parametrize("value", ["", "0", "abc", "-2", "4,", "2.5"])
@pytest.mark.parametrize(("quota", "after"), [(3, "3"), (8, None)])
def test_a_number_of_threads_that_is_none_is_as_if_it_were_not_given(
    quota: int, after: str | None, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", Torch(3))
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    monkeypatch.setattr(machine, "num_cores", lambda: quota)
    machine.respect_quota()
    assert os.environ.get("OMP_NUM_THREADS") == after


def test_pictures_are_decoded_by_as_many_threads_as_the_quota_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "num_cores", lambda: 2)
    assert cache.num_threads() == 2
    monkeypatch.setattr(cache, "num_cores", lambda: 64)
    assert cache.num_threads() == 16


BOUND = """
import os, sys
import torch
from fittingroom.core.machine import usable_cores
print(len(os.sched_getaffinity(0)), len(usable_cores()))
"""


@pytest.mark.thorough
@pytest.mark.skipif(len(usable_cores()) < 2, reason="needs two cores that can be chosen")
def test_binding_by_openmp_hides_no_core() -> None:
    environment = {**os.environ, "OMP_PROC_BIND": "true"}
    done = subprocess.run([sys.executable, "-c", BOUND], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["1", str(len(usable_cores()))], done.stderr
