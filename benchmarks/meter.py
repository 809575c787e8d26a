"""What a benchmarked process tells of itself: one line of JSON on its standard output."""

from __future__ import annotations

import json
import re
import resource
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def measured() -> Iterator[None]:
    """Measure what happens inside, in this process, and print it."""
    wall, cpu = time.monotonic(), time.process_time()
    yield
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    _tell(wall, cpu, _own_peak())


@contextmanager
def measured_children() -> Iterator[None]:
    """Measure the processes that are started and waited for inside, and print it."""
    wall = time.monotonic()
    yield
    wall = time.monotonic() - wall
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    _tell(wall, used.ru_utime + used.ru_stime, used.ru_maxrss)


def _own_peak() -> int:
    """Return the most memory held, in KiB; ``ru_maxrss`` would begin with that of the parent."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(found[1]) if found else 0


def _tell(wall: float, cpu: float, peak_kib: int) -> None:
    print(json.dumps({"wall": wall, "cpu": cpu, "peak_mib": peak_kib / 1024}))
