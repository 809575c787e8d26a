"""What harborsync does, shown on two registries inside this process: no network, no root.

``python -m harborsync demo`` seeds one of them with images of several platforms, a signature
and an SBOM, follows a rule twice, and tells from the registries' own logs what each run asked.
The examples use :func:`two_registries` to have something to work on.
"""

# ruff: noqa: T201 - printing is what a demonstration does

from __future__ import annotations

import inspect
import sys
from collections import Counter
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Final

from harborsync import Naming, ReplicationRule, Replicator, Report, open_registry
from harborsync.errors import InvalidValue
from harborsync.observe import Progress
from harborsync.testing import LoopbackRegistry
from harborsync.testing.content import random_image, random_index, random_referrer, random_signature

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from harborsync.registry import Registry

_WRITING: Final = ("POST", "PATCH", "PUT", "DELETE")
_LAYER_BYTES: Final = 300_000


def show(out: TextIO) -> None:
    """Follow a rule twice between two embedded registries and print what happened."""
    with redirect_stdout(out), embedded_registries() as (source, destination):
        _introduce(source, destination)
        _title("First run")
        _run(source, destination)
        _title("Second run, by a replicator that remembers nothing")
        _run(source, destination)
        print(_verdict(destination))
        _title("The code, yours to copy")
        print(inspect.getsource(replicate))


# The same function as in examples/01_copy_one_rule.py, word for word.
def replicate(source: str, destination: str) -> Report:
    """Bring the team's releases to the mirror, under tags that tell where they are from."""
    rule = ReplicationRule(
        name="releases",
        source=source,
        destinations=f"{destination}/mirror",
        where=r"name like 'team/*' and tag matches 'v\d+\.\d+'",
        naming=Naming(tag_suffix="-acme"),
    )
    with Replicator([rule], listeners=[Progress(sys.stdout)]) as replicator:
        plan = replicator.plan()
        print(plan, end="\n\n")
        report = replicator.run(plan)
        print(report)
    return report


# --- two registries ------------------------------------------------------------------------


@contextmanager
def two_registries(addresses: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield the addresses of a source and a destination to try things on.

    Args:
        addresses: The two to use; without them, two embedded registries that live as long as
            the context, the first one seeded.

    Raises:
        InvalidValue: There is one address, or there are more than two.
    """
    match addresses:
        case []:
            with embedded_registries() as (here, there):
                yield str(here.endpoint), str(there.endpoint)
        case [source, destination]:
            yield source, destination
        case _:
            msg = f"two addresses are wanted, or none, not {len(addresses)}"
            raise InvalidValue(msg)


@contextmanager
def embedded_registries() -> Iterator[tuple[LoopbackRegistry, LoopbackRegistry]]:
    """Yield a seeded and an empty registry that live as long as the context."""
    with LoopbackRegistry() as source, LoopbackRegistry() as destination:
        registry = open_registry(source.endpoint)
        try:
            seed(registry)
        finally:
            registry.close()
        source.clear_log()
        yield source, destination


def seed(registry: Registry) -> None:
    """Fill a registry with a small team's images; the same ones every time."""
    old = random_index(1, layers=2, layer_bytes=_LAYER_BYTES)
    new = random_index(2, layers=2, layer_bytes=_LAYER_BYTES)
    web = random_index(3, layer_bytes=_LAYER_BYTES, attestations=True)
    old.push_to(registry, "team/app", "v1.0")
    new.push_to(registry, "team/app", "v1.1")
    new.push_to(registry, "team/app", "edge")
    new.push_to(registry, "team/app-stable", "v1.1")
    web.push_to(registry, "team/web", "v2.0")
    random_image(4).push_to(registry, "lab/scratch", "v0.1")
    random_signature(5, new.digest, name="team/app").push_to(registry, "team/app")
    random_referrer(6, web.descriptor).push_to(registry, "team/web")


# --- what is said about it -----------------------------------------------------------------


def _introduce(source: LoopbackRegistry, destination: LoopbackRegistry) -> None:
    print("Two registries live inside this process.")
    print(f"  destination {destination.host}: empty")
    print(f"  source      {source.host}:")
    for repository in source.storage.repositories():
        print(f"    {repository}: {', '.join(map(_short, source.storage.tags(repository)))}")


def _short(tag: str) -> str:
    algorithm, dash, rest = tag.partition("-")
    is_signature = dash and algorithm == "sha256"
    return f"{tag[:12]}….{rest.partition('.')[2]} (a signature)" if is_signature else tag


def _title(text: str) -> None:
    print(f"\n--- {text} ---\n")


def _run(source: LoopbackRegistry, destination: LoopbackRegistry) -> None:
    source.clear_log()
    destination.clear_log()
    report = replicate(str(source.endpoint), str(destination.endpoint)).raise_for_failures()
    satellites = sum(result.satellites for result in report)
    print(f"\nsignatures, SBOMs brought:   {satellites}")
    print(f"requests at the source:      {_requests(source)}")
    print(f"requests at the destination: {_requests(destination)}")


def _methods(registry: LoopbackRegistry) -> Counter[str]:
    return Counter(request.method for request in registry.requests)


def _requests(registry: LoopbackRegistry) -> str:
    return ", ".join(f"{count} {method}" for method, count in sorted(_methods(registry).items()))


def _verdict(destination: LoopbackRegistry) -> str:
    writes = sum(_methods(destination)[method] for method in _WRITING)
    return f"The second run sent {writes} requests that write ({', '.join(_WRITING)})."
