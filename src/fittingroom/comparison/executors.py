"""Run one training in a process of its own: its memory is its own, and its end is not ours."""

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fittingroom.core.config import from_dict, to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.training.config import RunConfig
from fittingroom.training.lightning_loop import Progress


class RunFailedError(RuntimeError):
    """A run that ended without a result; the message says why. The other runs go on."""


def run_in_process(
    config: RunConfig, folder: Path, *, data_dir: Path | None, progress: Progress, checkpoint_seconds: float
) -> dict[str, Any]:
    """`fit` in a child process, resuming what stands in `folder`; returns the ledger row. Raises RunFailedError."""
    context = _context()
    ours, theirs = context.Pipe(duplex=False)
    work = (to_dict(config), folder, data_dir, checkpoint_seconds, theirs)
    process = context.Process(target=_work, args=work, daemon=True)
    process.start()
    theirs.close()
    try:
        return _listen(ours, progress)
    except EOFError:
        process.join()
        raise RunFailedError(
            f"its process ended with code {process.exitcode} (killed? out of memory?): run the command again to resume it"
        ) from None
    finally:
        process.terminate()
        process.join()


def _context() -> Any:
    """A fork server imports torch and Lightning once for all runs; where there is none, each run starts from nothing."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fittingroom.training.fit"])
    return context


def _listen(connection: Connection, progress: Progress) -> dict[str, Any]:
    while True:
        kind, *content = connection.recv()
        if kind == "progress":
            progress(*content)
        elif kind == "finished":
            return content[0]
        else:
            raise RunFailedError(content[0])


def _work(
    values: dict[str, Any], folder: Path, data_dir: Path | None, checkpoint_seconds: float, pipe: Connection
) -> None:
    """In the child. When the parent is gone the pipe breaks and this process ends; what it did can be resumed."""
    from fittingroom.training.fit import FitOptions, fit

    def tell(step: int, total: int, accuracy: float | None) -> None:
        pipe.send(("progress", step, total, accuracy))

    options = FitOptions(
        folder=folder, data_dir=data_dir, resume=True, progress=tell, checkpoint_seconds=checkpoint_seconds
    )
    try:
        pipe.send(("finished", fit(from_dict(RunConfig, values), options)))
    except FittingRoomError as error:
        pipe.send(("failed", str(error)))
    except (BrokenPipeError, KeyboardInterrupt):
        pass
