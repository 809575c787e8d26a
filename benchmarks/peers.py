"""Who is compared: how each is told to copy everything from one registry to another."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.workloads import Workload

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".real" / "bin"
THREADS = (4, 8, 16, 32)


@attrs.frozen(kw_only=True)
class Errand:
    """What a peer is to do.

    Attributes:
        workload: What is there.
        mode: ``cold`` or ``unchanged``.
        source: ``host:port``.
        destination: ``host:port``.
        scratch: A folder for a peer's own files.
        threads: How many the plain copier uses.
    """

    workload: Workload
    mode: str
    source: str
    destination: str
    scratch: Path
    threads: int = THREADS[0]


def command(peer: str, errand: Errand) -> list[str]:
    """Return the command that sends a peer on an errand and prints what it cost."""
    ends = [errand.source, errand.destination]
    if peer == "ours":
        return _python("ours", *ends)
    if peer == "plain":
        return _python("plain", errand.mode, *ends, str(errand.threads))
    return _python("programs", json.dumps(list(_PROGRAMS[peer](errand))))


def is_there(peer: str) -> bool:
    """Tell whether a peer can be run here."""
    return peer not in _PROGRAMS or (BIN / peer).exists()


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.{module}", *arguments]


def _crane(errand: Errand) -> Iterator[list[str]]:
    jobs = [] if errand.workload.jobs is None else ["--jobs", str(errand.workload.jobs)]
    for name in errand.workload.repositories:
        ends = [f"{errand.source}/{name}", f"{errand.destination}/{name}"]
        yield [str(BIN / "crane"), "copy", "--insecure", "--all-tags", *jobs, *ends]


def _skopeo(errand: Errand) -> Iterator[list[str]]:
    plain = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    for name in errand.workload.repositories:
        # It appends the last part of the name itself.
        ends = [f"{errand.source}/{name}", f"{errand.destination}/{name.rpartition('/')[0]}"]
        sync = ["sync", "--all", "--src", "docker", "--dest", "docker"]
        yield [str(BIN / "skopeo"), "--insecure-policy", *sync, *plain, *ends]


def _regsync(errand: Errand) -> Iterator[list[str]]:
    hosts = [{"registry": host, "tls": "disabled"} for host in (errand.source, errand.destination)]
    syncs = [
        {
            "source": f"{errand.source}/{name}",
            "target": f"{errand.destination}/{name}",
            "type": "repository",
            "digestTags": True,
            "referrers": True,
        }
        for name in errand.workload.repositories
    ]
    config = errand.scratch / "regsync.yml"
    config.write_text(json.dumps({"version": 1, "creds": hosts, "sync": syncs}))
    yield [str(BIN / "regsync"), "once", "--config", str(config), "--verbosity", "warn"]


_PROGRAMS = {"skopeo": _skopeo, "crane": _crane, "regsync": _regsync}
PEERS = ("ours", "plain", *_PROGRAMS)
