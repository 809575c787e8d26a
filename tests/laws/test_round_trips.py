"""What is printed is read back as an equal value; what is not meant is refused as one of ours."""

from __future__ import annotations

import json
import pickle
from datetime import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harborsync.content import Descriptor, Manifest, Platform
from harborsync.endpoint import Endpoint
from harborsync.errors import HarborsyncError, InvalidValue
from harborsync.limiter import Schedule, Window
from harborsync.reference import ArtifactRef, Digest, Reference, Tag
from harborsync.units import Bandwidth, ByteSize, Duration

if TYPE_CHECKING:
    from collections.abc import Callable

components = st.from_regex(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*", fullmatch=True).filter(
    lambda text: len(text) < 60
)
repositories = st.lists(components, min_size=1, max_size=4).map("/".join)
hosts = st.builds(
    lambda name, port: f"{name}.example" + (f":{port}" if port else ""),
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True),
    st.none() | st.integers(1, 65535),
)
digests = st.builds(Digest.of, st.binary(max_size=8), st.sampled_from(["sha256", "sha512"]))
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True).map(Tag)
# A kernel's word for arm64 is read from a registry, but refused where people write a platform.
words = st.text(st.characters(categories=["Ll", "Nd"]), min_size=1, max_size=8).filter(
    lambda text: text != "aarch64"
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
platforms = st.builds(
    Platform,
    os=words,
    architecture=words,
    variant=words | st.just(""),
    os_version=st.from_regex(r"([0-9]{1,5}(\.[0-9]{1,5}){0,3})?", fullmatch=True),
)
artifact_refs = st.builds(ArtifactRef, repositories, st.none() | tags, st.none() | digests)
references = st.builds(Reference, hosts, repositories, st.none() | tags, st.none() | digests)
# An address that holds a login is refused.
names = texts.filter(lambda text: text not in {"password", "passwd", "secret", "token"})
options = st.dictionaries(names, texts, max_size=3)
bandwidths = st.builds(Bandwidth, st.integers(1, 10**15))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Make up a schedule: some times of day, and a window or none from each to the next."""
    moments = sorted(draw(st.sets(st.integers(0, 1439), max_size=6)))
    ends = [time(*divmod(minute, 60)) for minute in (*moments[1:], *moments[:1])]
    begins = [time(*divmod(minute, 60)) for minute in moments]
    windows = tuple(
        Window(limit=draw(bandwidths), begin=begin, end=end)
        for begin, end in zip(begins, ends, strict=True)
        if begin != end and draw(st.booleans())
    )
    return Schedule(
        windows=windows,
        otherwise=draw(bandwidths if not windows else st.none() | bandwidths),
        zone=draw(st.sampled_from(["UTC", "Europe/Berlin", "Etc/GMT+1", "Asia/Kolkata"])),
    )


endpoints = st.builds(
    Endpoint,
    provider=st.sampled_from(["registry", "harbor", "ecr", "auto"]),
    address=st.builds("{}/{}".format, hosts, repositories) | hosts,
    plain_http=st.booleans(),
    option_items=options,
) | st.builds(
    Endpoint,
    provider=st.sampled_from(["oci", "oci-archive", "docker-archive"]),
    address=texts.map("./{}x".format).filter(lambda p: p.isprintable() and "?" not in p),
    option_items=options,
)
descriptors = st.builds(
    Descriptor,
    media_type=texts,
    digest=digests,
    size=st.integers(0, 2**63 - 1),
    platform=st.none() | platforms,
    annotation_items=st.dictionaries(texts, texts, max_size=3),
    artifact_type=texts,
    urls=st.lists(texts, max_size=2).map(tuple),
)


@pytest.mark.parametrize(
    ("values", "parse"),
    [
        pytest.param(digests, Digest.parse, id="Digest"),
        pytest.param(tags, Tag, id="Tag"),
        pytest.param(artifact_refs, ArtifactRef.parse, id="ArtifactRef"),
        pytest.param(references, Reference.parse, id="Reference"),
        pytest.param(platforms, Platform.parse, id="Platform"),
        pytest.param(endpoints, Endpoint.parse, id="Endpoint"),
        pytest.param(st.builds(ByteSize, st.integers(0, 10**18)), ByteSize.parse, id="ByteSize"),
        pytest.param(bandwidths, Bandwidth.parse, id="Bandwidth"),
        pytest.param(schedules(), Schedule.parse, id="Schedule"),
        pytest.param(st.builds(Duration, st.integers(0, 10**15)), Duration.parse, id="Duration"),
    ],
)
@given(data=st.data())
def test_a_value_is_read_back_from_its_text(
    values: st.SearchStrategy[Any], parse: Callable[[str], Any], data: st.DataObject
) -> None:
    """``parse(str(x)) == x``, and the text is canonical: it is printed again."""
    value = data.draw(values)
    assert parse(str(value)) == value
    assert str(parse(str(value))) == str(value)
    assert pickle.loads(pickle.dumps(value)) == value


@pytest.mark.parametrize(
    "parse",
    [
        Digest.parse,
        Tag,
        ArtifactRef.parse,
        Reference.parse,
        Reference.parse_familiar,
        Platform.parse,
        Endpoint.parse,
        ByteSize.parse,
        Bandwidth.parse,
        Duration.parse,
        Schedule.parse,
    ],
    ids=lambda parse: getattr(parse, "__qualname__", ""),
)
@given(text=st.text(max_size=40) | st.from_regex(r"[a-z0-9:/@.+?=_-]{1,40}"))
def test_any_text_is_read_or_refused_by_one_of_ours(parse: Callable[[str], Any], text: str) -> None:
    """No parser lets an exception of another kind out, and what it reads it can print."""
    try:
        value = parse(text)
    except HarborsyncError:
        return
    assert parse(str(value)) == value


@given(
    provider=st.sampled_from(["registry", "auto", "oci", "http", "x"]),
    address=st.text(st.sampled_from("ab/:@? .#%\x00é"), max_size=8),
    plain_http=st.booleans(),
    option_items=options,
)
def test_an_endpoint_that_can_be_made_can_be_written(
    provider: str, address: str, option_items: dict[str, str], *, plain_http: bool
) -> None:
    """The constructor refuses what its text would not bring back."""
    try:
        endpoint = Endpoint(
            provider=provider, address=address, plain_http=plain_http, option_items=option_items
        )
    except InvalidValue:
        return
    assert Endpoint.parse(str(endpoint)) == endpoint


@given(descriptor=descriptors)
def test_a_descriptor_is_read_back_from_its_json(descriptor: Descriptor) -> None:
    """``from_json(to_json(d)) == d``."""
    assert Descriptor.from_json(descriptor.to_json()) == descriptor


@given(content=st.binary(max_size=40))
def test_embedded_content_is_read_back_from_json(content: bytes) -> None:
    """A descriptor that carries its content keeps it."""
    descriptor = Descriptor.of(content, "text/x", data=content)
    assert Descriptor.from_json(descriptor.to_json()) == descriptor


@given(
    raw=st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | texts,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["manifests", "layers", "config", "mediaType", "schemaVersion"])
                | texts,
                inner,
                max_size=4,
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_are_a_manifest_or_refused_by_one_of_ours(raw: bytes) -> None:
    """Whatever a server sends, looking at all of it raises nothing foreign."""
    try:
        manifest = Manifest.parse(raw)
        _ = (manifest.blobs, manifest.entries, manifest.subject, manifest.annotations)
        _ = (manifest.artifact_type, manifest.as_referrer(), manifest.manifests)
    except HarborsyncError:
        return
    assert manifest.raw == raw
