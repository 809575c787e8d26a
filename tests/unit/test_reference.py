"""Names of things: what is one, what is none, and how it is written."""

from __future__ import annotations

import hashlib

import pytest

from harborsync.errors import InvalidReference
from harborsync.reference import (
    ArtifactRef,
    Digest,
    Reference,
    Tag,
    check_host,
    check_repository,
)

HEX = "a" * 64
SHA256 = f"sha256:{HEX}"


@pytest.mark.parametrize(
    "text", [SHA256, "sha512:" + "0f" * 64, "blake3:AbC_-=", "multi+part.name:x"]
)
def test_a_digest_is_written_as_it_was_read(text: str) -> None:
    """Registered algorithms and any other grammatical one are read (OCI-1.5)."""
    assert str(Digest.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        f":{HEX}",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}a",
        f"sha256:{'A' * 64}",
        f"sha256:{'g' * 64}",
        f"SHA256:{HEX}",
        f"sha512:{HEX}",
        f"{SHA256}\n",
        f" {SHA256}",
        "sha256:" + "\u0661" * 64,
    ],
)
def test_what_is_no_digest_is_refused(text: str) -> None:
    """Length, case and alphabet of the known algorithms are checked, the ends of the text, too."""
    with pytest.raises(InvalidReference, match="is no digest"):
        Digest.parse(text)


def test_a_digest_of_content_matches_it_and_no_other() -> None:
    """The digest is the content's hash in the algorithm asked for."""
    assert str(Digest.of(b"x")) == f"sha256:{hashlib.sha256(b'x').hexdigest()}"
    assert Digest.of(b"x", "sha512").matches(b"x")
    assert not Digest.of(b"x").matches(b"y")


def test_an_unknown_algorithm_cannot_be_verified() -> None:
    """It parses, and says that content cannot be checked by it."""
    digest = Digest.parse("blake3:abc")
    assert not digest.verifiable
    with pytest.raises(InvalidReference, match="cannot be verified by 'blake3'"):
        digest.hasher()


def test_referrers_hang_on_a_shortened_digest() -> None:
    """The fallback tag holds at most 64 characters of the hash (OCI-6.3)."""
    assert Digest.parse(SHA256).tag_prefix == f"sha256-{HEX}"
    assert Digest.parse("sha512:" + "0f" * 64).tag_prefix == "sha512-" + "0f" * 32


@pytest.mark.parametrize("text", ["v1", "_", "A.b-c_9", "x" * 128])
def test_a_tag_is_a_text(text: str) -> None:
    """A tag compares, hashes and prints like its text."""
    assert Tag(text) == text
    assert f"{Tag(text)}" == text


@pytest.mark.parametrize("text", ["", ".v1", "-v1", "a/b", "x" * 129, "v1\n", "é", "a b"])
def test_what_is_no_tag_is_refused(text: str) -> None:
    """The grammar is that of the distribution specification (OCI-1.4)."""
    with pytest.raises(InvalidReference, match="is no tag"):
        Tag(text)


@pytest.mark.parametrize(
    ("tag", "prefix"),
    [
        (f"sha256-{HEX}", f"sha256-{HEX}"),
        (f"sha256-{HEX}.sig", f"sha256-{HEX}"),
        (f"sha512-{HEX}", f"sha512-{HEX}"),
        (f"sha256-{HEX}a", None),
        (f"x-sha256-{HEX}", None),
        ("v1", None),
    ],
)
def test_a_digest_tag_names_the_subject_it_hangs_on(tag: str, prefix: str | None) -> None:
    """Signatures and fallback indexes are told from users' tags (OCI-6.4)."""
    assert Tag(tag).subject_prefix == prefix


@pytest.mark.parametrize("name", ["a", "library/nginx", "a/b/c/d", "a.b_c__d-e---f/0", "a" * 255])
def test_a_repository_name_is_returned(name: str) -> None:
    """Components are joined by single dots, one or two underscores, any number of dashes."""
    assert check_repository(name) == name


@pytest.mark.parametrize(
    "name", ["", "/", "a/", "/a", "a//b", "a..b", "a___b", "-a", "a-", "a:b", "a" * 256, HEX, "a\n"]
)
def test_what_is_no_repository_name_is_refused(name: str) -> None:
    """A bare 64-digit hex name is refused as well: it reads like a digest (OCI-1.7)."""
    with pytest.raises(InvalidReference, match="is no repository name"):
        check_repository(name)


def test_an_upper_case_name_is_answered_with_a_suggestion() -> None:
    """Most wrong names are wrong by their case only."""
    with pytest.raises(InvalidReference, match="did you mean 'team/app'"):
        check_repository("Team/App")


@pytest.mark.parametrize(
    "host", ["localhost", "r.example", "r.example:5000", "10.0.0.1:1", "[::1]", "[fe80::1]:65535"]
)
def test_a_host_is_returned(host: str) -> None:
    """Names, addresses of both kinds, with or without a port."""
    assert check_host(host) == host


@pytest.mark.parametrize(
    "host", ["", "-r", "r-", "r:", "r:0", "r:65536", "r:port", "::1", "[::1", "a/b", "u@r", "r\n"]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    """Ports are 1 to 65535, IPv6 addresses stand in brackets, nobody logs in here."""
    with pytest.raises(InvalidReference, match="is no registry host"):
        check_host(host)


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag", "digest"),
    [
        ("r.example/a", "r.example", "a", None, None),
        ("r.example:5000/a/b:v1", "r.example:5000", "a/b", "v1", None),
        (f"localhost/a@{SHA256}", "localhost", "a", None, SHA256),
        (f"[::1]:5000/a:v1@{SHA256}", "[::1]:5000", "a", "v1", SHA256),
    ],
)
def test_a_reference_is_read_part_by_part(
    text: str, host: str, repository: str, tag: str | None, digest: str | None
) -> None:
    """Host, repository, tag and digest are found, and nothing is filled in."""
    found = Reference.parse(text)
    assert (found.host, found.repository, found.tag) == (host, repository, tag)
    assert (str(found.digest) if found.digest else None) == digest
    assert str(found) == text


@pytest.mark.parametrize("text", ["nginx", "library/nginx", "nginx:v1", ""])
def test_a_strict_reference_needs_a_host(text: str) -> None:
    """Nothing is guessed, and the message names the way to have it guessed."""
    with pytest.raises(InvalidReference, match=r"parse_familiar"):
        Reference.parse(text)


@pytest.mark.parametrize(
    "text",
    ["r.example/", "r.example/a:", "r.example/a@", "r.example/a@v1", "r.example/A", "r.e//a"],
)
def test_a_broken_reference_is_refused(text: str) -> None:
    """Each part is checked by its own grammar."""
    with pytest.raises(InvalidReference):
        Reference.parse(text)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("team/app:v1", "docker.io/team/app:v1"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/team/app", "docker.io/team/app:latest"),
        ("registry-1.docker.io/nginx:1", "docker.io/library/nginx:1"),
        ("localhost/app", "localhost/app:latest"),
        ("r.example/app", "r.example/app:latest"),
        (f"nginx@{SHA256}", f"docker.io/library/nginx@{SHA256}"),
    ],
)
def test_a_familiar_reference_is_completed(typed: str, meant: str) -> None:
    """Docker's habits: the Hub, ``library/`` and ``latest`` are filled in (OCI-1.3)."""
    assert str(Reference.parse_familiar(typed)) == meant


def test_a_reference_without_its_host_is_an_artifact_ref() -> None:
    """What remains is the name inside the registry."""
    reference = Reference.parse(f"r.example/a:v1@{SHA256}")
    assert reference.artifact == ArtifactRef("a", Tag("v1"), Digest.parse(SHA256))


def test_the_digest_decides_what_is_asked_for() -> None:
    """With a tag and a digest the digest is asked for (OCI-1.6)."""
    assert ArtifactRef.parse(f"a:v1@{SHA256}").reference == Digest.parse(SHA256)
    assert ArtifactRef.parse("a:v1").reference == "v1"


def test_a_bare_repository_cannot_be_asked_for() -> None:
    """It names no artifact, and the message says what to add."""
    with pytest.raises(InvalidReference, match="names a repository"):
        _ = ArtifactRef.parse("a/b").reference


def test_long_texts_are_cut_in_messages() -> None:
    """A message does not repeat megabytes of somebody's mistake."""
    with pytest.raises(InvalidReference) as caught:
        Digest.parse("x" * 10_000)
    assert len(str(caught.value)) < 500
