"""Copies between servers that others wrote, read back by clients that others wrote."""

from __future__ import annotations

import filecmp
import http.client
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from oras.client import OrasClient  # type: ignore[import-untyped]  # it ships no types

from harborsync import Options, Platform, ReplicationRule, Replicator, copy, open_registry
from harborsync.content import MANIFEST_TYPES, Manifest
from harborsync.reference import Digest
from harborsync.testing.content import (
    fallback_index,
    random_artifact,
    random_image,
    random_index,
    random_referrer,
    random_signature,
)
from harborsync.testing.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harborsync import Report
    from harborsync.registry import Registry

pytestmark = pytest.mark.real

FOUR = tuple(
    Platform.parse(text) for text in ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/ppc64le")
)
READS = {"GET", "HEAD"}


def seed(registry: Registry) -> dict[str, Digest]:
    """Fill a registry that has no referrers API with one of everything."""
    images = {
        "single": random_image(1, layers=3, layer_bytes=20_000),
        "docker": random_image(2, docker=True),
        "platforms": random_index(3, platforms=FOUR, attestations=True),
        "nested": random_index(4, platforms=FOUR, nested=1),
        "chart": random_artifact(5),
        "signed": random_image(6),
    }
    digests = {
        name: sample.push_to(registry, f"team/{name}", "v1") for name, sample in images.items()
    }
    signed = images["signed"]
    random_signature(7, signed.digest).push_to(registry, "team/signed")
    referrer = random_referrer(8, signed.descriptor)
    referrer.push_to(registry, "team/signed")
    fallback_index(signed.digest, [referrer]).push_to(registry, "team/signed")
    return digests


def seed_at(end: Any) -> dict[str, Digest]:
    """Open a registry, fill it, close it."""
    registry = open_registry(end.endpoint)
    try:
        return seed(registry)
    finally:
        registry.close()


def rule(source: Any, destination: Any, **more: Any) -> ReplicationRule:
    """Return the rule of these tests."""
    where = "name like 'team/**'"
    return ReplicationRule(
        name="all", source=source.endpoint, destinations=destination.endpoint, where=where, **more
    )


def replicate(wish: ReplicationRule) -> Report:
    """Plan and run, all at once; everything must arrive."""
    with Replicator([wish]) as replicator:
        return replicator.run().raise_for_failures()


def fetch(host: str, path: str) -> bytes:
    """Return what a plain HTTP client gets; follows nothing."""
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("GET", path, headers={"Accept": ", ".join(MANIFEST_TYPES)})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, (path, answer.status, body[:200])
    return body


def whole(host: str, repository: str, reference: str) -> dict[str, bytes]:
    """Return every manifest and blob below a reference, by digest, as a plain client sees them."""
    raw = fetch(host, f"/v2/{repository}/manifests/{reference}")
    manifest = Manifest.parse(raw)
    found = {str(manifest.digest): raw}
    for blob in manifest.blobs:
        found[str(blob.digest)] = fetch(host, f"/v2/{repository}/blobs/{blob.digest}")
    for child in manifest.manifests:
        found |= whole(host, repository, str(child.digest))
    return found


@pytest.fixture(params=["docker-registry to distribution 3", "distribution 3 to docker-registry"])
def ends(
    request: pytest.FixtureRequest,
    docker_registry: Callable[..., Any],
    distribution3: Callable[..., Any],
) -> tuple[Any, Any]:
    """Give a source and a destination, each way around."""
    if request.param.startswith("docker"):
        return docker_registry(), distribution3()
    return distribution3(), docker_registry()


def test_everything_arrives_byte_for_byte(ends: tuple[Any, Any]) -> None:
    """Every manifest and blob fetched by digest is the same at both ends."""
    source, destination = ends
    digests = seed_at(source)
    report = replicate(rule(source, destination))
    assert len(report.copied) == len(digests)
    for name, digest in digests.items():
        here = whole(source.host, f"team/{name}", "v1")
        assert here == whole(destination.host, f"team/{name}", "v1")
        assert str(digest) in here
    prefix = digests["signed"].tag_prefix
    for tag in (prefix, f"{prefix}.sig"):
        here = whole(source.host, "team/signed", tag)
        assert here == whole(destination.host, "team/signed", tag)


def test_an_unchanged_second_run_only_looks(ends: tuple[Any, Any]) -> None:
    """It makes no write, no GET of a manifest, and at most two HEADs a tag."""
    source, destination = ends
    seed_at(source)
    replicate(rule(source, destination))
    before = [len(end.requests()) for end in ends]
    report = replicate(rule(source, destination))
    assert len(report.skipped) == len(report) == 6
    after = [end.requests()[count:] for end, count in zip(ends, before, strict=True)]
    requests = [request for end in after for request in end]
    assert {request.method for request in requests} <= READS
    manifests = [request for request in requests if "/manifests/" in request.path]
    assert all(request.method == "HEAD" for request in manifests)
    tags = 6 + 2  # with the two tags that hang on the signed image
    assert len(manifests) <= 2 * tags


def test_skopeo_reads_the_same_from_both_ends(
    ends: tuple[Any, Any], program: Callable[[str], str], tmp_path: Path
) -> None:
    """``skopeo copy --all`` gives equal trees, ``inspect --raw`` the same digests."""
    source, destination = ends
    digests = seed_at(source)
    replicate(rule(source, destination))
    skopeo = [program("skopeo"), "--insecure-policy"]
    for name in ("single", "docker", "platforms", "signed"):
        trees = []
        for end in ends:
            tree = tmp_path / f"{name}-{end.host.replace(':', '-')}"
            place = f"docker://{end.host}/team/{name}:v1"
            run(*skopeo, "copy", "--all", "--src-tls-verify=false", place, f"dir:{tree}")
            trees.append(tree)
        compared = filecmp.dircmp(trees[0], trees[1])
        assert not compared.left_only
        assert not compared.right_only
        _, differing, _ = filecmp.cmpfiles(trees[0], trees[1], compared.common_files, shallow=False)
        assert not differing
    for name, digest in digests.items():
        for end in ends:
            place = f"docker://{end.host}/team/{name}:v1"
            raw = run(*skopeo, "inspect", "--raw", "--tls-verify=false", place)
            assert Digest.of(raw) == digest


def test_clients_that_others_wrote_pull_the_copies(
    ends: tuple[Any, Any], program: Callable[[str], str], tmp_path: Path
) -> None:
    """Crane validates them, oras in Go and in Python pull a chart, and the referrer is found."""
    source, destination = ends
    digests = seed_at(source)
    replicate(rule(source, destination))
    host = destination.host
    for name in ("single", "docker"):
        run(program("crane"), "validate", "--insecure", "--remote", f"{host}/team/{name}:v1")
    run(
        program("oras"),
        "pull",
        "--plain-http",
        "-o",
        str(tmp_path / "chart"),
        f"{host}/team/chart:v1",
    )
    client = OrasClient(hostname=host, insecure=True)
    assert client.pull(target=f"{host}/team/chart:v1", outdir=str(tmp_path / "python"))
    found = run(
        program("oras"), "discover", "--plain-http", "--format", "json", f"{host}/team/signed:v1"
    )
    listed = json.loads(found)
    assert len(listed.get("referrers") or listed.get("manifests")) == 1
    assert (
        Digest.of(run(program("crane"), "manifest", "--insecure", f"{host}/team/nested:v1"))
        == (digests["nested"])
    )


def test_large_layers_go_over(
    docker_registry: Callable[..., Any], distribution3: Callable[..., Any]
) -> None:
    """An image of three layers of 100 MiB arrives, sent once."""
    source, destination = docker_registry(), distribution3()
    registry = open_registry(source.endpoint)
    sample = random_image(11, layers=3, layer_bytes=100 * 2**20)
    digest = sample.push_to(registry, "team/large", "v1")
    registry.close()
    report = replicate(rule(source, destination))
    assert 300 * 2**20 <= report.bytes_sent <= 301 * 2**20
    assert set(whole(destination.host, "team/large", "v1")) >= {str(digest)}


def test_a_layout_made_by_skopeo_goes_in_and_out(
    docker_registry: Callable[..., Any], program: Callable[[str], str], tmp_path: Path
) -> None:
    """Layout → registry → layout keeps every digest, and skopeo reads what comes out."""
    origin, registry = docker_registry(), docker_registry()
    opened = open_registry(origin.endpoint)
    digest = random_index(5, platforms=FOUR).push_to(opened, "team/app", "v1")
    opened.close()
    skopeo = [program("skopeo"), "--insecure-policy"]
    place = f"docker://{origin.host}/team/app:v1"
    run(*skopeo, "copy", "--all", "--src-tls-verify=false", place, f"oci:{tmp_path}/made:v1")
    copy(f"oci:{tmp_path}/made:v1", f"{registry.endpoint}/team/app:v1")
    copy(f"{registry.endpoint}/team/app:v1", f"oci:{tmp_path}/out:v1")
    raw = run(*skopeo, "inspect", "--raw", f"oci:{tmp_path}/out:v1")
    assert Digest.of(raw) == digest
    run(*skopeo, "copy", "--all", f"oci:{tmp_path}/out:v1", f"dir:{tmp_path}/read")


def test_a_cold_copy_opens_few_connections(
    docker_registry: Callable[..., Any], distribution3: Callable[..., Any]
) -> None:
    """A thousand tags open at most the host limit and two connections to each end."""
    source, destination = docker_registry(), distribution3()
    registry = open_registry(source.endpoint)
    for number in range(20):
        sample = random_image(number, layers=1, layer_bytes=10)
        for tag in range(50):
            sample.push_to(registry, f"team/app-{number}", f"v{tag}")
    registry.close()
    limit = Options().hosts.connections
    with Relay(source.host) as here, Relay(destination.host) as there:
        wish = ReplicationRule(
            name="all",
            source=f"registry+http://{here.host}",
            destinations=f"registry+http://{there.host}",
            where="name like 'team/**'",
        )
        report = replicate(wish)
        assert len(report.copied) == 1000
        assert here.connections_opened <= limit + 2
        assert there.connections_opened <= limit + 2


def run(*command: str) -> bytes:
    """Run a program and return what it prints; its complaint is the message of a failure."""
    done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{command}\n{done.stderr.decode()}"
    return done.stdout
