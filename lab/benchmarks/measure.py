"""The worker process of a race: builds one contender, then answers requests from `race.py`. Each message is a line of JSON.

Only one worker is busy at a time; the others wait for a request. Output of libraries goes to standard error.
"""

import json
import os
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from lab.benchmarks.contenders import Contender, from_dict


def build(contender: Contender, data_dir: Path | None) -> Any:
    """An object with `train` and, if it is a network, `predict`. Both return seconds."""
    torch.manual_seed(0)
    if contender.kind == "ours":
        from lab.benchmarks.ours import OurSteps

        return OurSteps(contender)
    if contender.kind == "fit":
        from lab.benchmarks.ours import WholeFit

        return WholeFit(contender)
    if contender.kind == "usual script":
        from lab.benchmarks.usual_script import UsualScript

        assert data_dir is not None
        return UsualScript(contender, data_dir)
    from lab.benchmarks.plain import PlainSteps

    if contender.kind == "plain":
        from fittingroom.models import build_model

        return PlainSteps(build_model(contender.model, dict(contender.shape)), contender)
    from lab.benchmarks.peers import BUILDERS

    return PlainSteps(BUILDERS[contender.model](contender.attention == "explicit"), contender)


def peak_memory_bytes() -> int:
    """Peak memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        # From /proc on Linux: rusage would include the memory of the parent process.
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return peak if sys.platform == "darwin" else peak * 1024


def about(steps: Any, contender: Contender) -> dict[str, Any]:
    """The contender's data for the record, apart from its times."""
    found = {"num_params": steps.num_params, "peak_memory_bytes": peak_memory_bytes()}
    if contender.kind == "ours":
        found["num_macs"] = steps.num_macs
    if contender.kind == "peer":
        found["version"] = version(contender.model)
    return found


def answer(request: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    """Handle one request. `build` must come first, except before `plan`."""
    what = request["do"]
    if what in ("build", "plan"):
        contender = state["contender"] = from_dict(request["contender"])
        if contender.core is not None:
            os.sched_setaffinity(0, {contender.core})
        if what == "plan":
            from lab.benchmarks.ours import choose

            return choose(contender, measured=request["measured"])
        start = time.perf_counter()
        state["steps"] = build(contender, Path(request["data_dir"]) if request["data_dir"] else None)
        return {"seconds": time.perf_counter() - start}
    steps = state["steps"]
    if what == "about":
        return about(steps, state["contender"])
    if what == "profile":
        return steps.profile(request["what"])
    seconds = [getattr(steps, what)() for _ in range(request["times"])]
    return {"seconds": sum(seconds) / len(seconds)}


def main() -> None:
    """Answer requests until the other side closes the pipe."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    state: dict[str, Any] = {}
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line), state)
        except Exception as error:  # whatever a library or a compiler raises is a line in the record
            first = (str(error).strip().splitlines() or [""])[0][:200]
            reply = {"error": f"{type(error).__name__}: {first}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
