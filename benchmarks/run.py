"""Measures this project beside others, alternately, between the same pair of servers.

make bench WORKLOADS=A,C
python -m benchmarks.run --workloads C,E --modes unchanged --peers ours,plain --runs 5

What was measured goes to benchmarks/latest.json, and a table to the terminal. How to read it:
docs/explanation/benchmarks.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Self

import attrs

from benchmarks.peers import BIN, PEERS, ROOT, THREADS, Errand, command, is_there
from benchmarks.workloads import WORKLOADS, Workload
from harborsync.testing.programs import RealRegistry
from harborsync.testing.relay import Relay, Weather

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SERVERS = {"distribution3": "registry", "docker-registry": "docker-registry"}
LATEST = ROOT / "benchmarks" / "latest.json"
# A disk's fsync would hide the client.
_IN_MEMORY = Path("/dev/shm")
_KINDS = {
    "uploads": r"/blobs/uploads/",
    "blobs": r"/blobs/",
    "manifests": r"/manifests/",
    "referrers": r"/referrers/",
    "tags": r"/tags/list",
    "catalog": r"/v2/_catalog",
    "ping": r"/v2/$",
}


@attrs.frozen(kw_only=True)
class Cost:
    """What one run of one peer took.

    Attributes:
        wall: Seconds.
        cpu: Seconds of the processor, those of the servers aside.
        peak_mib: Most memory of the process, or of the largest one.
        requests: Requests by ``side method kind``.
    """

    wall: float
    cpu: float
    peak_mib: float
    requests: Counter[str]


class End:
    """A registry program whose store is in memory, new and empty.

    Args:
        server: Which program.
        side: ``source`` or ``destination``.
    """

    def __init__(self, server: str, side: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix=f"bench-{side}-", dir=_IN_MEMORY)
        self.side = side
        self.registry = RealRegistry(str(BIN / SERVERS[server]), Path(self._folder.name))
        self._seen = 0

    def __enter__(self) -> Self:
        """Return this; the program is listening already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the program and drop its store."""
        self.registry.stop()
        self._folder.cleanup()

    def news(self) -> Iterator[str]:
        """Yield what each request since the last call was."""
        requests = self.registry.requests()
        for request in requests[self._seen :]:
            yield f"{self.side} {request.method} {_kind(request.path)}"
        self._seen = len(requests)


def _kind(path: str) -> str:
    return next((kind for kind, mark in _KINDS.items() if re.search(mark, path)), "other")


@attrs.frozen(kw_only=True)
class Bench:
    """One workload in one mode.

    Attributes:
        workload: What is copied.
        mode: ``cold`` or ``unchanged``.
        server: Which program is at both ends.
        source: Where everything is.
        peers: Who is measured.
        runs: How often.
    """

    workload: Workload
    mode: str
    server: str
    source: End
    peers: tuple[str, ...]
    runs: int

    def measure(self) -> dict[str, list[Cost]]:
        """Let every peer run in turn, again and again."""
        with self._filled() as filled:
            threads = self._threads(filled)
            found: dict[str, list[Cost]] = {peer: [] for peer in self.peers}
            for run, peer in itertools.product(range(self.runs), self.peers):
                if self._takes_part(peer, run):
                    found[peer].append(self._run(peer, filled, threads))
        return {peer: costs for peer, costs in found.items() if costs}

    def _takes_part(self, peer: str, run: int) -> bool:
        most = self.workload.skopeo_runs
        return peer != "skopeo" or most is None or run < most

    def _threads(self, filled: End | None) -> int:
        """Return with how many threads the plain copier is fastest here."""
        if "plain" not in self.peers:
            return THREADS[0]
        return min(THREADS, key=lambda count: self._run("plain", filled, count).wall)

    @contextmanager
    def _filled(self) -> Iterator[End | None]:
        """Give a destination that has everything, or none where each run gets an empty one."""
        if self.mode == "cold":
            yield None
            return
        with End(self.server, "destination") as end:
            self.workload.seed(end.registry.endpoint)
            yield end

    def _run(self, peer: str, filled: End | None, threads: int) -> Cost:
        with ExitStack() as stack:
            end = filled or stack.enter_context(End(self.server, "destination"))
            for each in (self.source, end):
                list(each.news())
            errand = Errand(
                workload=self.workload,
                mode=self.mode,
                source=self._reached(stack, self.source),
                destination=self._reached(stack, end),
                scratch=Path(stack.enter_context(tempfile.TemporaryDirectory())),
                threads=threads,
            )
            told = _output(command(peer, errand))
            requests = Counter((*self.source.news(), *end.news()))
        return Cost(**told, requests=requests)

    def _reached(self, stack: ExitStack, end: End) -> str:
        """Return where an end is reached: through a relay if it is to be far away."""
        if not self.workload.latency:
            return end.registry.host
        weather = Weather(latency=self.workload.latency / 2)
        return stack.enter_context(Relay(end.registry.host, weather=weather)).host


def _output(words: Sequence[str]) -> dict[str, float]:
    """Run a peer; what it says is shown only if it fails."""
    done = subprocess.run(
        words, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)[:300]}\n{done.stderr[-3000:]}")
    costs: dict[str, float] = json.loads(done.stdout)
    return costs


# --- what it comes to ------------------------------------------------------------------------


def summary(bench: Bench, name: str, found: dict[str, list[Cost]]) -> dict[str, Any]:
    """Return the medians of every peer, and how ours compare."""
    medians = {peer: _medians(costs) for peer, costs in found.items()}
    ours = medians.get("ours")
    return {
        "workload": name,
        "what": bench.workload.what,
        "mode": bench.mode,
        "servers": bench.server,
        "load": os.getloadavg()[0],
        "peers": medians,
        "ratios": {
            peer: {key: round(ours[key] / theirs[key], 3) for key in ("wall", "cpu", "peak_mib")}
            for peer, theirs in medians.items()
            if ours is not None and peer != "ours"
        },
    }


def _medians(costs: list[Cost]) -> dict[str, Any]:
    return {
        "runs": len(costs),
        "wall": round(median(cost.wall for cost in costs), 4),
        "cpu": round(median(cost.cpu for cost in costs), 4),
        "peak_mib": round(median(cost.peak_mib for cost in costs), 1),
        "walls": [round(cost.wall, 4) for cost in costs],
        "requests": dict(sorted(costs[-1].requests.items())),
    }


def machine() -> dict[str, Any]:
    """Describe where this runs."""
    about = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*: (.*)", about)
    return {
        "cpu": model[1] if model else platform.processor(),
        "cores": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
    }


def show(result: dict[str, Any]) -> None:
    """Print one result for people."""
    print(f"\n{result['workload']} {result['mode']}, {result['servers']}: {result['what']}")
    for peer, costs in result["peers"].items():
        ratio = result["ratios"].get(peer, {}).get("wall")
        total = sum(costs["requests"].values())
        print(
            f"  {peer:8} {costs['wall']:8.3f} s {costs['cpu']:8.3f} s CPU "
            f"{costs['peak_mib']:7.1f} MiB {total:6} requests"
            + (f"   ours/{peer} {ratio:.2f}" if ratio is not None else "")
        )


# --- the command -----------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for; results are kept as they come."""
    wishes = _parser().parse_args(arguments)
    report: dict[str, Any] = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "results": [],
    }
    for result in _results(wishes):
        show(result)
        report["results"].append(result)
        wishes.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _results(wishes: argparse.Namespace) -> Iterator[dict[str, Any]]:
    peers = tuple(peer for peer in wishes.peers if is_there(peer))
    servers = (server for server in wishes.servers if (BIN / SERVERS[server]).exists())
    for server, name in itertools.product(servers, wishes.workloads):
        workload = WORKLOADS[name]
        with End(server, "source") as source:
            workload.seed(source.registry.endpoint)
            for mode in (mode for mode in workload.modes if mode in wishes.modes):
                bench = Bench(
                    workload=workload,
                    mode=mode,
                    server=server,
                    source=source,
                    peers=peers,
                    runs=wishes.runs,
                )
                yield summary(bench, name, bench.measure())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="measure this project beside others")
    for name, known in (
        ("workloads", tuple(WORKLOADS)),
        ("modes", ("cold", "unchanged")),
        ("servers", tuple(SERVERS)),
        ("peers", PEERS),
    ):
        parser.add_argument(
            f"--{name}", type=_some_of(known), default=known, help=f"some of {','.join(known)}"
        )
    parser.add_argument("--runs", type=int, default=3, help="runs of each peer; an odd number")
    parser.add_argument("--output", type=Path, default=LATEST, help="where the results go")
    return parser


def _some_of(known: tuple[str, ...]) -> Any:
    def parse(text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        if not set(chosen) <= set(known):
            msg = f"not all of {text} are among {','.join(known)}"
            raise argparse.ArgumentTypeError(msg)
        return chosen

    return parse


if __name__ == "__main__":
    main()
