"""Manifests are kept as bytes, and what two readers could understand in two ways is refused."""

from __future__ import annotations

import base64
import json
import pickle
from typing import Any

import attrs
import pytest

from harborsync.content import (
    ATTESTATION_SUBJECT,
    ATTESTATION_TYPE,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    EMPTY,
    MAX_DEPTH,
    MAX_ENTRIES,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    Platform,
)
from harborsync.errors import DigestMismatch, InvalidManifest, InvalidValue
from harborsync.reference import Digest

CONFIG = Descriptor.of(b"config", OCI_CONFIG)
LAYER = Descriptor.of(b"layer", OCI_LAYER)
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def document(**fields: Any) -> bytes:
    """Return a small image manifest with some fields changed; None takes one away."""
    whole = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": CONFIG.to_json(),
        "layers": [LAYER.to_json()],
        **fields,
    }
    return json.dumps({key: value for key, value in whole.items() if value is not None}).encode()


def index(*entries: Descriptor, **fields: Any) -> bytes:
    """Return an index of ``entries``."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [entry.to_json() for entry in entries],
            **fields,
        }
    ).encode()


# --- platforms -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["linux/amd64", "linux/arm/v7", "windows/amd64:10.0.17763.1", "linux/arm64/v8:1"]
)
def test_a_platform_is_written_as_it_was_read(text: str) -> None:
    """Operating system, processor, variant and version are found."""
    assert str(Platform.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "linux", "linux/", "/amd64", "a/b/c/d", "a//b", ":1", "Linux/amd64", "linux/x86_64"],
)
def test_what_is_no_platform_is_refused(text: str) -> None:
    """Two or three parts, none of them empty, in the words that images use."""
    with pytest.raises(InvalidValue, match="is no platform"):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("wanted", "offered", "covers"),
    [
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64/v9", "linux/arm64", False),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/arm", "linux/arm/v7", False),
        ("linux/amd64", "windows/amd64", False),
        ("windows/amd64", "windows/amd64:10.0.17763.1", True),
        ("windows/amd64:10.0.17763", "windows/amd64:10.0.17763.1", True),
        ("windows/amd64:10.0.1776", "windows/amd64:10.0.17763.1", False),
        ("windows/amd64:10.0.17763.1", "windows/amd64", False),
    ],
)
def test_a_platform_covers_what_runs_on_it(wanted: str, offered: str, *, covers: bool) -> None:
    """arm64 means v8; versions are compared part by part from the left (OCI-3.23)."""
    assert Platform.parse(wanted).covers(Platform.parse(offered)) is covers


# --- descriptors ---------------------------------------------------------------------------


def test_a_descriptor_is_read_from_json_and_written_back() -> None:
    """Every field a copy needs survives."""
    descriptor = Descriptor.of(
        b"{}",
        OCI_MANIFEST,
        platform=Platform.parse("linux/arm/v7:1"),
        annotation_items={"b": "2", "a": "1"},
        artifact_type="text/x",
        urls=("https://elsewhere.example/x",),
        data=b"{}",
    )
    assert Descriptor.from_json(descriptor.to_json()) == descriptor
    assert descriptor.annotations == {"a": "1", "b": "2"}


@pytest.mark.parametrize("size", [-1, 2**63, 1.0, True, "7", None])
def test_a_size_is_a_whole_number(size: object) -> None:
    """Floats, booleans, texts and numbers no file can have are refused (OCI-3.12)."""
    with pytest.raises(InvalidManifest, match="size is"):
        Descriptor.from_json({**LAYER.to_json(), "size": size})


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "sha256:../../etc"},
        {"digest": None},
        {"digest": 5},
        {"mediaType": 5},
        {"annotations": {"a": 1}},
        {"annotations": ["a"]},
        {"platform": "linux/amd64"},
        {"platform": {"os": 5}},
    ],
)
def test_a_descriptor_that_is_none_is_refused(change: dict[str, object]) -> None:
    """Every field is of its own kind; digests never reach a path unchecked (OCI-1.8)."""
    with pytest.raises(InvalidManifest):
        Descriptor.from_json({**LAYER.to_json(), **change})


def test_a_descriptor_is_an_object() -> None:
    """A list or text in its place is refused."""
    with pytest.raises(InvalidManifest, match="is no JSON object"):
        Descriptor.from_json(["sha256"])


@pytest.mark.parametrize(
    ("urls", "kept"), [(["https://a", 5], ("https://a",)), ("https://a", ()), (None, ())]
)
def test_urls_are_taken_where_they_are_texts(urls: object, kept: tuple[str, ...]) -> None:
    """They are a hint only; nonsense in them spoils nothing."""
    assert Descriptor.from_json({**LAYER.to_json(), "urls": urls}).urls == kept


@pytest.mark.parametrize(
    "data", [base64.b64encode(b"other").decode(), base64.b64encode(b"layer!").decode(), "%%", 5]
)
def test_embedded_content_that_is_not_the_content_is_dropped(data: object) -> None:
    """Size and digest are checked before it counts (OCI-3.17)."""
    assert Descriptor.from_json({**LAYER.to_json(), "data": data}).data is None


def test_embedded_content_of_an_unknown_digest_is_dropped() -> None:
    """What cannot be checked is not used."""
    entry = {"mediaType": "x", "digest": "blake3:ab", "size": 1, "data": "eA=="}
    assert Descriptor.from_json(entry).data is None


def test_embedded_content_that_is_honest_is_kept() -> None:
    """It saves a request."""
    entry = {**LAYER.to_json(), "data": base64.b64encode(b"layer").decode()}
    assert Descriptor.from_json(entry).data == b"layer"


@pytest.mark.parametrize(
    ("media_type", "foreign", "is_index", "manifest"),
    [
        (OCI_LAYER, False, False, False),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True, False, False),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", True, False, False),
        (OCI_MANIFEST, False, False, True),
        (DOCKER_LIST, False, True, True),
    ],
)
def test_the_media_type_tells_what_content_is(
    media_type: str, *, foreign: bool, is_index: bool, manifest: bool
) -> None:
    """Foreign layers are told by their type, not by their URLs (OCI-3.19)."""
    descriptor = Descriptor.of(b"", media_type, urls=("https://a",))
    assert (descriptor.is_foreign, descriptor.is_index) == (foreign, is_index)
    assert descriptor.is_manifest is manifest


def test_an_attestation_names_its_sibling() -> None:
    """Only together do BuildKit's two annotations mean one (OCI-3.22)."""
    notes = {ATTESTATION_TYPE: "attestation-manifest", ATTESTATION_SUBJECT: "sha256:0"}
    assert attrs.evolve(LAYER, annotation_items=notes).attests == "sha256:0"
    assert attrs.evolve(LAYER, annotation_items={ATTESTATION_SUBJECT: "sha256:0"}).attests is None


def test_the_empty_descriptor_is_the_specifications() -> None:
    """Its digest is a constant of the image specification (OCI-3.16)."""
    assert EMPTY.digest.encoded.startswith("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e83")
    assert (EMPTY.size, EMPTY.data) == (2, b"{}")


def test_a_descriptor_can_be_made_with_another_algorithm() -> None:
    """The digest given is taken as it is."""
    digest = Digest.of(b"x", "sha512")
    assert Descriptor.of(b"x", OCI_LAYER, digest=digest).digest == digest


# --- manifests -----------------------------------------------------------------------------


def test_a_manifest_keeps_its_bytes() -> None:
    """Spacing and key order are part of the digest (OCI-3.5)."""
    raw = document().replace(b", ", b" ,\n ")
    manifest = Manifest.parse(raw)
    assert manifest.raw == raw
    assert manifest.digest == Digest.of(raw)
    assert manifest.descriptor == Descriptor.of(raw, OCI_MANIFEST)
    assert manifest.size == len(raw)


def test_an_image_names_its_blobs_config_first() -> None:
    """A layer used twice is one blob."""
    manifest = Manifest.parse(document(layers=[LAYER.to_json(), LAYER.to_json()]))
    assert manifest.blobs == (CONFIG, LAYER)
    assert manifest.entries == ()
    assert not manifest.is_index


def test_blobs_of_an_old_artifact_manifest_are_found() -> None:
    """The retired type keeps its content under ``blobs``."""
    raw = document(config=None, layers=None, blobs=[LAYER.to_json()])
    assert Manifest.parse(raw).blobs == (LAYER,)


def test_an_index_lists_manifests_and_perhaps_blobs() -> None:
    """BuildKit's cache lists layers in an index; unknown types are manifests (OCI-3.14)."""
    child = Descriptor.of(b"child", OCI_MANIFEST)
    strange = Descriptor.of(b"strange", "application/x-strange")
    manifest = Manifest.parse(index(child, LAYER, strange))
    assert manifest.is_index
    assert manifest.entries == (child, LAYER, strange)
    assert manifest.manifests == (child, strange)
    assert manifest.blobs == (LAYER,)


@pytest.mark.parametrize(
    ("declared", "served", "decided"),
    [
        (OCI_MANIFEST, "", OCI_MANIFEST),
        (OCI_MANIFEST, OCI_MANIFEST, OCI_MANIFEST),
        (OCI_MANIFEST, f" {OCI_MANIFEST.upper()}; charset=utf-8", OCI_MANIFEST),
        (OCI_MANIFEST, "application/json", OCI_MANIFEST),
        (None, DOCKER_MANIFEST, DOCKER_MANIFEST),
        (None, "text/plain; charset=utf-8", OCI_MANIFEST),
        ("application/x-strange", "", "application/x-strange"),
    ],
)
def test_the_type_is_what_document_and_server_agree_on(
    declared: str | None, served: str, decided: str
) -> None:
    """Servers that do not know say text or JSON; then the document decides (OCI-3.7)."""
    assert Manifest.parse(document(mediaType=declared), served).media_type == decided


def test_a_document_of_an_unknown_type_may_have_any_shape() -> None:
    """Nobody here knows what it should look like; it is copied as it is."""
    manifest = Manifest.parse(index(mediaType="application/x-strange"))
    assert manifest.media_type == "application/x-strange"
    assert not manifest.is_index


def test_an_index_without_a_type_is_told_by_its_shape() -> None:
    """Whatever has ``manifests`` is one."""
    assert Manifest.parse(b'{"schemaVersion":2,"manifests":[]}').media_type == OCI_INDEX


@pytest.mark.parametrize(
    ("raw", "served", "says"),
    [
        (document(), DOCKER_MANIFEST, "served as"),
        (document(manifests=[]), "", "index and an image at once"),
        (document(mediaType=OCI_INDEX), "", "shape of something else"),
        (index(mediaType=OCI_MANIFEST), "", "shape of something else"),
        (document(mediaType=None), OCI_INDEX, "shape of something else"),
        (document(schemaVersion=1), "", "schema 1"),
        (document(mediaType=SCHEMA1), "", "schema 1"),
        (document(mediaType=None), SCHEMA1, "schema 1"),
        (document(mediaType=5), "", "is no text"),
        (b'{"schemaVersion":2}', "", "no manifest"),
        (b"[]", "", "no JSON object"),
        (b"{", "", "no JSON"),
        (b"\xff\xfe{\x00}\x00", "", "no JSON"),
        (b"\xef\xbb\xbf{}", "", "no JSON"),
        (b'{"a":1,"a":1}', "", "one key twice"),
        (b'{"layers":[{"a":1,"a":1}]}', "", "one key twice"),
        (b'{"a":NaN}', "", "no whole number"),
        (b'{"a":' + b"9" * 5000 + b"}", "", "no JSON"),
        (b'{"a":' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}", "", "nested deeper"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "", "no JSON|nested deeper"),
    ],
)
def test_what_is_no_manifest_or_two_at_once_is_refused(raw: bytes, served: str, says: str) -> None:
    """The limits of OCI-3.12 hold, and one document has one meaning (OCI-3.4, 3.6)."""
    with pytest.raises(InvalidManifest, match=says):
        Manifest.parse(raw, served)


def test_a_manifest_over_the_limit_is_refused_unread() -> None:
    """The limit is in bytes and inclusive (OCI-3.11)."""
    raw = document()
    assert Manifest.parse(raw, max_bytes=len(raw)).size == len(raw)
    with pytest.raises(InvalidManifest, match="over the limit"):
        Manifest.parse(raw, max_bytes=len(raw) - 1)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_manifest_asked_for_by_digest_has_that_digest(algorithm: str) -> None:
    """Otherwise something altered the bytes."""
    raw = document()
    assert Manifest.parse(raw, digest=Digest.of(raw, algorithm)).digest.algorithm == algorithm
    with pytest.raises(DigestMismatch, match="has the digest"):
        Manifest.parse(raw, digest=Digest.of(b"other", algorithm))


@pytest.mark.parametrize("layers", [{}, "x", [LAYER.to_json()] * (MAX_ENTRIES + 1)])
def test_layers_are_a_list_of_bearable_length(layers: object) -> None:
    """Anything else is refused when it is looked at."""
    with pytest.raises(InvalidManifest, match="no list of at most"):
        _ = Manifest.parse(document(layers=layers)).blobs


def test_a_subject_is_told_and_is_no_child() -> None:
    """It is followed on request only (OCI-6)."""
    manifest = Manifest.parse(document(subject=LAYER.to_json(), layers=[]))
    assert manifest.subject == LAYER
    assert manifest.blobs == (CONFIG,)
    assert Manifest.parse(document()).subject is None


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"artifactType": "text/x"}, "text/x"),
        ({"artifactType": ""}, OCI_CONFIG),
        ({}, OCI_CONFIG),
        ({"config": None}, ""),
        ({"config": {"mediaType": 5}}, ""),
    ],
)
def test_the_artifact_type_is_declared_or_the_configs(fields: dict[str, Any], kind: str) -> None:
    """As the distribution specification lists referrers (OCI-6.9)."""
    assert Manifest.parse(document(**fields)).artifact_type == kind


def test_a_referrer_is_listed_with_its_annotations() -> None:
    """Type, size, digest, artifact type and annotations make the entry (OCI-6.9)."""
    raw = document(artifactType="text/x", annotations={"a": "1"})
    manifest = Manifest.parse(raw)
    assert manifest.annotations == {"a": "1"}
    assert manifest.as_referrer() == Descriptor.of(
        raw, OCI_MANIFEST, artifact_type="text/x", annotation_items={"a": "1"}
    )


def test_manifests_are_equal_by_bytes_and_type() -> None:
    """What was parsed from them does not matter."""
    raw = document(mediaType=None)
    first, second = Manifest.parse(raw), Manifest.parse(raw)
    assert first.blobs
    assert first == second
    assert hash(first) == hash(second)
    assert first != Manifest.parse(raw, DOCKER_MANIFEST)
    assert first != raw


def test_a_manifest_travels_as_its_bytes() -> None:
    """Nothing parsed is pickled along, and the copy is equal."""
    manifest = Manifest.parse(document())
    bare = len(pickle.dumps(manifest))
    assert manifest.document
    assert len(pickle.dumps(manifest)) == bare
    assert pickle.loads(pickle.dumps(manifest)) == manifest


def test_the_repr_of_a_manifest_is_short() -> None:
    """Its bytes are not in it."""
    assert "schemaVersion" not in repr(Manifest.parse(document()))
