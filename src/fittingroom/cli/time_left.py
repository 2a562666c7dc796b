"""Estimate the time that a grid of runs still needs, with several runs at a time and work after the last one."""

import heapq
import time
from collections.abc import Callable


class TimeLeft:
    """Told when runs start, advance and end, it simulates the rest: a waiting run starts when an earlier one ends."""

    def __init__(
        self,
        total: int,
        *,
        usual: float | None = None,
        after: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`usual`: seconds of a run if known before any has advanced. `after`: seconds of work after the last run."""
        self.total, self.usual, self.after, self.clock = total, usual, after, clock
        self.started: dict[int, float] = {}
        self.shares: dict[int, float] = {}
        self.seconds: list[float] = []
        self.num_ended = 0
        self.at_a_time = 1

    def starts(self, number: int) -> None:
        """Run `number` starts."""
        self.started[number], self.shares[number] = self.clock(), 0.0
        self.at_a_time = max(self.at_a_time, len(self.started))

    def advances(self, number: int, share: float) -> None:
        """Run `number` has done this share of its steps."""
        self.shares[number] = share

    def ends(self, number: int) -> None:
        """Run `number` has ended. A run that was finished before did not start here, and tells nothing about time."""
        self.num_ended += 1
        if number in self.started:
            self.seconds.append(self.clock() - self.started.pop(number))
            self.shares.pop(number)

    def left(self) -> float | None:
        """Seconds until everything is done; None as long as nothing is known."""
        now = self.clock()
        whole = {n: (now - began) / self.shares[n] for n, began in self.started.items() if self.shares[n] > 0}
        known = [*self.seconds, *whole.values()]
        typical = sum(known) / len(known) if known else self.usual
        if typical is None:
            return None
        ends = [max(0.0, whole.get(n, typical) - (now - began)) for n, began in self.started.items()]
        heapq.heapify(ends)
        for _ in range(self.total - self.num_ended - len(ends)):
            heapq.heappush(ends, typical + (heapq.heappop(ends) if len(ends) >= self.at_a_time else 0.0))
        return max(ends, default=0.0) + self.after


def duration(seconds: float) -> str:
    """`40 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
