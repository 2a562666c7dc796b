"""What this process may use of the machine: cores, processor time, memory. In a container that is less than the machine has."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctypes import CDLL

OPENMP = ("libgomp", "libiomp5", "libomp")
"""Names of the OpenMP libraries that torch may load."""
OPENMP_BINDING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
"""Variables that bind threads to cores."""
THREADS = re.compile(r"\s*0*[1-9]\d*\s*(,\s*0*[1-9]\d*\s*)*")
"""What OpenMP accepts as a number of threads: one number, or one for each level of nesting."""


def usable_cores() -> list[int]:
    """The numbers of the cores that this process may use; empty if the system does not report them."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    return sorted(set(os.sched_getaffinity(0)) | _cores_of_openmp())


def num_cores(root: Path = Path("/")) -> int:
    """How many cores may compute at the same time: the usable cores, or fewer in a container with a quota; at least 1."""
    cores, quota = len(usable_cores()) or os.cpu_count() or 1, _cpu_quota(root)
    return cores if quota is None else max(1, min(cores, int(quota)))


def respect_quota() -> None:
    """Let torch compute with no more threads than the container has time for. A valid `OMP_NUM_THREADS` takes precedence."""
    given = os.environ.get("OMP_NUM_THREADS", "1")
    if not THREADS.fullmatch(given):  # empty, 0 or a word: OpenMP complains, and takes all cores
        del os.environ["OMP_NUM_THREADS"]
    cores = num_cores()
    if "OMP_NUM_THREADS" in os.environ or cores >= len(usable_cores()):
        return
    os.environ["OMP_NUM_THREADS"] = str(
        cores
    )  # otherwise torch and each process of a run would start a thread for each core
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() >= len(
        usable_cores()
    ):  # imported before, and nobody chose a number
        torch.set_num_threads(cores)


def memory_bytes(root: Path = Path("/")) -> int | None:
    """The memory that this process may use: the machine's, or the container's limit. None if the system reports neither."""
    sizes = [_number(folder / name) for folder, name in _files(root, "memory", "memory.max", "memory.limit_in_bytes")]
    with suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min((size for size in sizes if size is not None and size > 0), default=None)


def _cpu_quota(root: Path) -> float | None:
    """Cores' worth of time that the container may use. None without a quota."""
    shares = []
    for folder, name in _files(root, "cpu", "cpu.max", "cpu.cfs_quota_us"):
        if name == "cpu.max":
            quota, period = _number(folder / name), _number(folder / name, word=1)
        else:
            quota, period = _number(folder / name), _number(folder / "cpu.cfs_period_us")
        if quota is not None and quota > 0 and period:
            shares.append(quota / period)
    return min(shares, default=None)


def _files(root: Path, controller: str, new: str, old: str) -> Iterator[tuple[Path, str]]:
    """(folder, file name) of a limit in this process's cgroup and in every group above it. `new`: version 2, `old`: version 1."""
    paths = dict(_groups(root))
    for line in _lines(root / "proc/self/mountinfo"):
        fields, _, mount = line.partition(" - ")
        kind, _, options = mount.split(" ", 2) if mount.count(" ") >= 2 else ("", "", "")
        if kind == "cgroup2":
            name, group = new, paths.get("")
        elif kind == "cgroup" and controller in options.split(","):
            name, group = old, paths.get(controller)
        else:
            continue
        if group is None:
            continue
        top, place = fields.split(" ")[3:5]
        # A container sees its own group as the top, while /proc may name the group as the machine sees it.
        below = group[len(top) :] if top == "/" or (group + "/").startswith(top + "/") else ""
        base = root / place.lstrip("/")
        folder = base / below.strip("/")
        while True:
            yield folder, name
            if folder == base:
                break
            folder = folder.parent


def _groups(root: Path) -> Iterator[tuple[str, str]]:
    """(controller, path of this process's group); the controller is "" in version 2."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2) if line.count(":") >= 2 else ("", "", "/")
        for controller in controllers.split(","):
            yield controller, path


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _number(path: Path, word: int = 0) -> int | None:
    """A word of a small file as a number; None if it is "max" or missing."""
    try:
        return int(path.read_text(encoding="utf-8").split()[word])
    except (OSError, ValueError, IndexError):
        return None


def _cores_of_openmp() -> set[int]:
    """The cores of OpenMP's places.

    With OMP_PROC_BIND the library binds the main thread to one core when torch is imported. The system then reports that
    core only, but the library still knows the cores that the process had before.
    """
    if not any(name in os.environ for name in OPENMP_BINDING):
        return set()
    import ctypes

    cores: set[int] = set()
    for library in loaded_libraries(*OPENMP):
        with suppress(AttributeError):
            for place in range(library.omp_get_num_places()):
                numbers = (ctypes.c_int * library.omp_get_place_num_procs(place))()
                library.omp_get_place_proc_ids(place, numbers)
                cores |= set(numbers)
    return cores


def loaded_libraries(*prefixes: str) -> "list[CDLL]":
    """The C libraries in this process whose file names begin so; none where the system does not list them (only Linux does)."""
    import ctypes

    found = []
    for path in {line.split()[-1] for line in _lines(Path("/proc/self/maps")) if "/" in line}:
        if os.path.basename(path).startswith(prefixes):
            with suppress(OSError):
                found.append(ctypes.CDLL(path))
    return found
