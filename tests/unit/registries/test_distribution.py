"""Manifests and tags over the distribution API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE
from harborsync.content import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    MANIFEST_TYPES,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    ContentMissing,
    Denied,
    DigestMismatch,
    InvalidManifest,
    InvalidValue,
    NotFound,
    RegistryError,
    ServerError,
    Side,
    TagImmutable,
)
from harborsync.gate import open_registry
from harborsync.reference import Digest, Tag
from harborsync.registries.distribution import PROVIDER
from harborsync.registry import Abilities, Quirks

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.provider import OpenContext
    from harborsync.registries.distribution import DistributionRegistry
    from tests.unit.registries.conftest import ScriptedTransport

    Opening = Callable[..., DistributionRegistry]

V1 = Tag("v1")
RAW = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": Descriptor.of(b"{}", "x/config").to_json(),
        "layers": [],
    }
).encode()
MANIFEST = Manifest.parse(RAW)
WITH_SUBJECT = Manifest.parse(
    json.dumps(
        json.loads(RAW) | {"subject": Descriptor.of(b"subject", OCI_MANIFEST).to_json()}
    ).encode()
)
SUBJECT = str(Digest.of(b"subject"))
EMPTY_INDEX = b'{"schemaVersion":2,"manifests":[]}'


def _headers(**changes: str) -> dict[str, str]:
    usual = {
        "Docker-Content-Digest": str(MANIFEST.digest),
        "Content-Type": OCI_MANIFEST,
        "Content-Length": str(len(RAW)),
    }
    return usual | {name.replace("_", "-"): value for name, value in changes.items()}


# --- what it is ----------------------------------------------------------------------------


def test_a_registry_is_named_by_its_host_and_known_by_its_origin(
    registry: DistributionRegistry,
) -> None:
    """Blobs are mounted within one origin."""
    assert registry.name == "registry.example"
    assert registry.identity == "https://registry.example"
    assert registry.quirks == Quirks()


def test_a_provider_composes_abilities(open_with: Opening) -> None:
    """What the API offers is given, and changed at will."""
    catalog: Any = object()
    registry = open_with(abilities=lambda offered: attrs.evolve(offered, catalog=catalog))
    assert registry.abilities.catalog is catalog
    assert registry.abilities.referrers is not None
    assert registry.abilities.labels is None


def test_closing_closes_the_transport(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """As often as asked."""
    registry.close()
    registry.close()
    assert wire.closed == 2


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_docker_hub_is_asked_at_its_api_host(host: str, context: OpenContext) -> None:
    """Name and address differ (OCI-1.4); nothing is asked at opening."""
    registry = PROVIDER.open(Endpoint.parse(host), context)
    assert (registry.name, registry.identity) == (host, "https://registry-1.docker.io")
    registry.close()


def test_other_registries_are_asked_at_their_own_host(context: OpenContext) -> None:
    """Plain http only by the explicit word (OCI-1.9)."""
    registry = PROVIDER.open(Endpoint.parse("registry+http://127.0.0.1:5000/team"), context)
    assert (registry.name, registry.identity) == ("127.0.0.1:5000", "http://127.0.0.1:5000")
    registry.close()


# --- listing -------------------------------------------------------------------------------


def test_tags_are_listed_with_what_can_still_be_learned(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """What a plain registry never tells is marked so; digests among the tags are left out."""
    tags = ["v1", str(MANIFEST.digest), "-x", "v2"]
    wire.on("GET", r"/v2/a/tags/list\?n=1000$", (200, {}, json.dumps({"tags": tags}).encode()))
    found = list(registry.list_artifacts("a"))
    assert [(artifact.repository, artifact.tag) for artifact in found] == [("a", "v1"), ("a", "v2")]
    assert {(artifact.digest, artifact.pushed_at) for artifact in found} == {
        (NOT_FETCHED, UNAVAILABLE)
    }


def test_an_ability_to_describe_leaves_facts_to_be_fetched(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """A vendor's API may know when a tag was pushed."""
    describing: Any = object()
    registry = open_with(abilities=lambda _: Abilities(describe=describing))
    wire.on("GET", "", (200, {}, b'{"tags": ["v1"]}'))
    assert [artifact.pushed_at for artifact in registry.list_artifacts("a")] == [NOT_FETCHED]


def test_a_repository_that_is_not_there_has_no_tags(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """404 is an empty list (OCI-5.5)."""
    wire.on("GET", "", 404)
    assert list(registry.list_artifacts("a")) == []


def test_a_listing_that_is_refused_is_an_error(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Missing or no permission: nobody can tell (OCI-7.3)."""
    wire.on("GET", "", 403)
    with pytest.raises(Denied, match="may not see it"):
        list(registry.list_artifacts("a"))


# --- resolving -----------------------------------------------------------------------------


@pytest.mark.parametrize("reference", [V1, MANIFEST.digest])
def test_a_head_tells_what_a_reference_points_to(
    registry: DistributionRegistry, wire: ScriptedTransport, reference: Tag | Digest
) -> None:
    """All types are accepted, or registries answer with others (OCI-3.2)."""
    wire.on("HEAD", f"/v2/a/manifests/{reference}$", (200, _headers()))
    assert registry.resolve("a", reference) == MANIFEST.descriptor
    assert wire.asked[0].call.headers == {"Accept": ", ".join(MANIFEST_TYPES)}


def test_what_is_not_there_is_none(registry: DistributionRegistry, wire: ScriptedTransport) -> None:
    """One request."""
    wire.on("HEAD", "", 404)
    assert registry.resolve("a", V1) is None
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    "headers",
    [
        _headers(Docker_Content_Digest=""),
        _headers(Docker_Content_Digest="sha256:short"),
        _headers(Content_Type=""),
        _headers(Content_Type="text/html"),
        _headers(Content_Type="application/json; charset=utf-8"),
        _headers(Content_Length="0"),
        _headers(Content_Length="x"),
        {},
    ],
)
def test_a_head_that_tells_too_little_is_completed_by_a_get(
    registry: DistributionRegistry, wire: ScriptedTransport, headers: dict[str, str]
) -> None:
    """Nothing is ever taken for equal that was not compared (OCI-3.9)."""
    wire.on("HEAD", "", (200, headers))
    wire.on("GET", "/v2/a/manifests/v1", (200, {"Content-Type": OCI_MANIFEST}, RAW))
    assert registry.resolve("a", V1) == MANIFEST.descriptor


def test_a_digest_that_is_another_one_is_read(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """The header may lie, the bytes cannot (OCI-3.8)."""
    wire.on("HEAD", "", (200, _headers(Docker_Content_Digest=str(Digest.of(b"other")))))
    wire.on("GET", "", (200, _headers(), RAW))
    assert registry.resolve("a", MANIFEST.digest) == MANIFEST.descriptor
    assert len(wire.named("GET")) == 1


def test_a_digest_of_another_algorithm_is_known_by_the_name_it_was_asked_by(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """A registry may answer with the sha256 of what is asked for by sha512."""
    asked = Digest.of(RAW, "sha512")
    wire.on("HEAD", "", (200, _headers()))
    found = registry.resolve("a", asked)
    assert found is not None
    assert found.digest == asked


def test_a_registry_that_refuses_heads_is_asked_by_get_from_then_on(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """405 is remembered (OCI-3.9)."""
    wire.on("HEAD", "", 405)
    wire.on("GET", "", (200, _headers(), RAW), 404)
    assert registry.resolve("a", V1) == MANIFEST.descriptor
    assert registry.resolve("a", V1) is None
    assert [line[:4] for line in wire.lines] == ["HEAD", "GET ", "GET "]


def test_a_refused_head_is_explained_by_a_get(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """An answer to HEAD has no body to say why (OCI-7.2)."""
    wire.on("HEAD", "", 403)
    wire.on("GET", "", (403, {}, b'{"errors":[{"code":"DENIED","message":"not yours"}]}'))
    with pytest.raises(Denied, match="DENIED: not yours"):
        registry.resolve("a", V1)


def test_a_server_that_fails_is_not_asked_twice(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """The transport has tried often enough."""
    wire.on("HEAD", "", 500)
    with pytest.raises(ServerError):
        registry.resolve("a", V1)


def test_headers_that_are_not_trusted_are_not_asked_for(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """A quirk of the product."""
    wire.on("GET", "", (200, _headers(Docker_Content_Digest=str(Digest.of(b"x"))), RAW))
    registry = open_with(quirks=Quirks(digest_header_trusted=False))
    assert registry.resolve("a", V1) == MANIFEST.descriptor


def test_an_old_type_is_resolved_and_not_read(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Schema 1 may stand in the way of a tag; it is never taken (OCI-3.4)."""
    old = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    wire.on("HEAD", "", (200, _headers(Content_Type=old)))
    wire.on("GET", "", (200, _headers(Content_Type=old), b'{"schemaVersion": 1}'))
    found = registry.resolve("a", V1)
    assert found is not None
    assert found.media_type == old
    with pytest.raises(InvalidManifest, match="schema 1"):
        registry.get_manifest("a", V1)


# --- reading -------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", [V1, MANIFEST.digest, Digest.of(RAW, "sha512")])
def test_a_manifest_is_read_byte_for_byte(
    registry: DistributionRegistry, wire: ScriptedTransport, reference: Tag | Digest
) -> None:
    """By tag or by a digest of either algorithm (OCI-3.5)."""
    wire.on("GET", f"/v2/a/manifests/{reference}$", (200, _headers(), RAW))
    found = registry.get_manifest("a", reference)
    assert (found.raw, found.media_type) == (RAW, OCI_MANIFEST)
    assert found.digest == (MANIFEST.digest if reference == V1 else reference)
    assert wire.asked[0].call.headers == {"Accept": ", ".join(MANIFEST_TYPES)}


@pytest.mark.parametrize("kind", ["", "text/plain", f"{OCI_MANIFEST}; charset=utf-8"])
def test_a_type_that_is_lacking_or_adorned_is_made_out(
    registry: DistributionRegistry, wire: ScriptedTransport, kind: str
) -> None:
    """Parameters go, the document helps (OCI-3.7)."""
    wire.on("GET", "", (200, _headers(Content_Type=kind), RAW))
    assert registry.get_manifest("a", V1).media_type == OCI_MANIFEST


def test_bytes_that_are_not_those_asked_for_are_refused(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """By digest, whatever the header says (OCI-3.8)."""
    wire.on("GET", "", (200, _headers(), RAW + b" "))
    with pytest.raises(DigestMismatch):
        registry.get_manifest("a", MANIFEST.digest)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_header_that_contradicts_the_bytes_is_an_error(
    open_with: Opening, wire: ScriptedTransport, algorithm: str
) -> None:
    """By tag, in whatever algorithm; unless the product is known for it (OCI-3.8)."""
    said = str(Digest.of(b"other", algorithm))
    wire.on("GET", "", (200, _headers(Docker_Content_Digest=said), RAW))
    with pytest.raises(DigestMismatch):
        open_with().get_manifest("a", V1)
    lax = open_with(quirks=Quirks(digest_header_trusted=False))
    assert lax.get_manifest("a", V1) == MANIFEST


@pytest.mark.parametrize("said", ["", "sha256:short", "blake3:abc"])
def test_a_header_that_cannot_be_checked_says_nothing(
    registry: DistributionRegistry, wire: ScriptedTransport, said: str
) -> None:
    """Unknown algorithms are not believed (OCI-9.9)."""
    wire.on("GET", "", (200, _headers(Docker_Content_Digest=said), RAW))
    assert registry.get_manifest("a", V1).digest == MANIFEST.digest


def test_a_digest_in_another_algorithm_names_the_manifest_the_same_way_everywhere(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Reading and resolving a tag agree."""
    headers = _headers(Docker_Content_Digest=str(Digest.of(RAW, "sha512")))
    wire.on("GET", "", (200, headers, RAW))
    wire.on("HEAD", "", (200, headers))
    assert registry.resolve("a", V1) == registry.get_manifest("a", V1).descriptor


def test_an_encoding_nobody_asked_for_is_named(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Bytes are never decoded (OCI-4.29)."""
    wire.on("GET", "", (200, _headers(Content_Encoding="gzip"), b"\x1f\x8b"))
    with pytest.raises(DigestMismatch, match="'gzip'"):
        registry.get_manifest("a", MANIFEST.digest)


@pytest.mark.parametrize("status", [404, 401, 403])
def test_what_cannot_be_read_may_be_missing_or_hidden(
    registry: DistributionRegistry, wire: ScriptedTransport, status: int
) -> None:
    """The hint says so (OCI-7.3)."""
    wire.on("GET", "", status)
    with pytest.raises((NotFound, Denied), match="may not see it"):
        registry.get_manifest("a", V1)


# --- writing -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_manifest_is_written_byte_for_byte(
    registry: DistributionRegistry, wire: ScriptedTransport, status: int
) -> None:
    """Under its digest or a tag, with its own type (OCI-3.7, 3.10)."""
    wire.on("PUT", "/v2/a/manifests/", (status, _headers()))
    assert registry.put_manifest("a", MANIFEST) is False
    assert registry.put_manifest("a", MANIFEST, tag=V1) is False
    assert [asked.call.url for asked in wire.asked] == [
        f"/v2/a/manifests/{MANIFEST.digest}",
        "/v2/a/manifests/v1",
    ]
    for asked in wire.asked:
        assert asked.body == RAW
        assert asked.call.headers == {"Content-Type": OCI_MANIFEST}
        assert asked.call.scopes == ("repository:a:pull,push",)
        assert asked.call.patient


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_registry_that_alters_a_manifest_is_caught(
    registry: DistributionRegistry, wire: ScriptedTransport, algorithm: str
) -> None:
    """Its digest is compared in whatever algorithm it comes (OCI-3.10)."""
    right, wrong = (str(Digest.of(raw, algorithm)) for raw in (RAW, RAW + b" "))
    wire.on("PUT", "", (201, _headers(Docker_Content_Digest=right)))
    registry.put_manifest("a", MANIFEST, tag=V1)
    wire.on("PUT", "", (201, _headers(Docker_Content_Digest=wrong)))
    with pytest.raises(DigestMismatch) as caught:
        registry.put_manifest("a", MANIFEST, tag=V1)
    assert caught.value.side is Side.DESTINATION


def test_a_page_is_no_proof_that_a_manifest_was_written(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """A 200 without a digest is looked behind: registries say 201, proxies' pages say 200."""
    wire.on("PUT", "", (200, {"Content-Type": "text/html"}, b"<h1>welcome</h1>"))
    wire.on("HEAD", "/v2/a/manifests/v1", (200, _headers()), 404)
    registry.put_manifest("a", MANIFEST, tag=V1)
    with pytest.raises(RegistryError, match="does not have it") as caught:
        registry.put_manifest("a", MANIFEST, tag=V1)
    assert caught.value.side is Side.DESTINATION


@pytest.mark.parametrize("said", ["", "nonsense", "blake3:abc"])
def test_a_digest_that_cannot_be_compared_is_no_contradiction(
    registry: DistributionRegistry, wire: ScriptedTransport, said: str
) -> None:
    """Old registries send none."""
    wire.on("PUT", "", (201, _headers(Docker_Content_Digest=said)))
    registry.put_manifest("a", MANIFEST, tag=V1)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (412, "", TagImmutable),
        (
            400,
            f'{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","detail":"{SUBJECT}"}}]}}',
            ContentMissing,
        ),
        (400, '{"errors":[{"code":"MANIFEST_INVALID"}]}', RegistryError),
        (403, "", Denied),
    ],
)
def test_a_refused_manifest_says_why(
    registry: DistributionRegistry,
    wire: ScriptedTransport,
    status: int,
    body: str,
    kind: type[RegistryError],
) -> None:
    """The most special error, on the side of the destination."""
    wire.on("PUT", "", (status, {}, body.encode()))
    with pytest.raises(kind, match="write manifest v1 to a") as caught:
        registry.put_manifest("a", MANIFEST, tag=V1)
    assert caught.value.side is Side.DESTINATION


@pytest.mark.parametrize("header", ["", SUBJECT])
@pytest.mark.parametrize("offered", [True, False])
def test_a_subject_is_indexed_where_the_api_is_and_not_where_a_header_says_so(
    registry: DistributionRegistry, wire: ScriptedTransport, header: str, offered: bool
) -> None:
    """The API is asked once per repository (OCI-6.8)."""
    wire.on("PUT", "", (201, {"OCI-Subject": header}))
    found = (200, {"Content-Type": OCI_INDEX}, EMPTY_INDEX) if offered else 404
    wire.on("GET", f"/v2/a/referrers/{SUBJECT}", found)
    assert registry.put_manifest("a", WITH_SUBJECT) is offered
    assert registry.put_manifest("a", WITH_SUBJECT, tag=V1) is offered
    assert len(wire.named("GET")) == 1


@pytest.mark.parametrize(("header", "indexed"), [(SUBJECT, True), ("", False)])
def test_where_referrers_are_kept_otherwise_the_header_counts(
    open_with: Opening, wire: ScriptedTransport, header: str, indexed: bool
) -> None:
    """A provider may have taken the API away, or put its own in its place."""
    registry = open_with(abilities=lambda offered: attrs.evolve(offered, referrers=None))
    wire.on("PUT", "", (201, {"OCI-Subject": header}))
    assert registry.put_manifest("a", WITH_SUBJECT) is indexed


@pytest.mark.parametrize("kind", [DOCKER_MANIFEST, DOCKER_LIST])
def test_the_type_of_a_document_that_names_none_is_kept(
    registry: DistributionRegistry, wire: ScriptedTransport, kind: str
) -> None:
    """It is written with the type it was read with (OCI-3.7)."""
    document: dict[str, Any] = {"schemaVersion": 2}
    document |= {"manifests": []} if kind == DOCKER_LIST else {"config": None, "layers": []}
    wire.on("PUT", "", 201)
    registry.put_manifest("a", Manifest.parse(json.dumps(document).encode(), kind), tag=V1)
    assert wire.asked[0].call.headers["Content-Type"] == kind


def test_a_misspelt_option_is_refused_before_anything_is_asked() -> None:
    """Nobody copies at full speed because of a typing error."""
    with pytest.raises(InvalidValue, match="unknown option 'conections'"):
        open_registry("registry.example?conections=2")
