"""The distribution registry over real servers: Debian's docker-registry 2.8.2 and distribution 3."""

from __future__ import annotations

import subprocess
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import pytest

from harborsync.credentials import default_credentials, explain
from harborsync.errors import ConnectionLost, DigestMismatch, HarborsyncError, NoCredentials
from harborsync.events import BlobOutcome
from harborsync.gate import open_registry
from harborsync.http.session import open_transport
from harborsync.provider import OpenContext
from harborsync.reference import Tag
from harborsync.registries.distribution import DistributionRegistry
from harborsync.registry import Quirks
from harborsync.testing.content import Blob, random_blob, random_image
from harborsync.testing.contract import RegistryContract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harborsync.registry import Registry

pytestmark = pytest.mark.real

MIB = 2**20
R = "team/app"
# "hunter2" in the form the server takes, as cheap as it can be.
BCRYPT = "$2b$04$23YH2r9ceEh0GX5rgb4uT.4W36MFmC6Zt/JrjhRfMaRK.IqqBx6Hm"
SERVERS = ["docker_registry", "distribution3"]


@contextmanager
def _opened(real: Any, *, without: tuple[str, ...] = (), **more: Any) -> Iterator[Registry]:
    context = OpenContext()
    registry = DistributionRegistry(
        real.host,
        open_transport(real.endpoint, context),
        context,
        abilities=lambda offered: attrs.evolve(offered, **dict.fromkeys(without)),
        **more,
    )
    with closing(registry):
        yield registry


class Real(RegistryContract):
    """The whole contract over a real server.

    Attributes:
        server: The fixture that starts it.
        without: Abilities it is known not to have.
    """

    __test__ = False
    server: ClassVar[str]
    without: ClassVar[tuple[str, ...]] = ()

    @pytest.fixture
    def registry(self, request: pytest.FixtureRequest) -> Iterator[Registry]:
        """Return one that speaks to an empty server."""
        real = request.getfixturevalue(self.server)()
        quirks = Quirks(takes_sha512=False)  # they store it under sha256 (OCI-4.19)
        with _opened(real, without=self.without, quirks=quirks) as registry:
            yield registry


class TestDockerRegistry(Real):
    """Debian's docker-registry 2.8.2, which deletes no tags (OCI-5.8)."""

    __test__ = True
    server = "docker_registry"
    without = ("deletes_tags",)


class TestDistribution3(Real):
    """Distribution 3."""

    __test__ = True
    server = "distribution3"


@pytest.fixture(params=SERVERS)
def real(request: pytest.FixtureRequest) -> Any:
    """A running server of each kind."""
    return request.getfixturevalue(request.param)()


def test_a_blob_takes_three_requests_and_a_known_one_takes_one(real: Any) -> None:
    """HEAD, POST, PUT; then HEAD."""
    blob = random_blob(1, size=3 * MIB)
    with _opened(real) as registry:
        assert registry.put_blob(R, blob.descriptor, blob.open).attempts == 1
        assert registry.put_blob(R, blob.descriptor, blob.open).outcome is BlobOutcome.PRESENT
    assert [line.method for line in real.requests()] == ["HEAD", "POST", "PUT", "HEAD"]


def test_a_mount_moves_no_bytes(real: Any) -> None:
    """From one repository to another (OCI-4.3)."""
    blob = random_blob(2, size=3 * MIB)
    with _opened(real) as registry:
        registry.put_blob(R, blob.descriptor, blob.open)
        put = registry.put_blob("team/other", blob.descriptor, blob.open, mount_from=[R])
        assert put.outcome is BlobOutcome.MOUNTED
        wrong = registry.put_blob("team/third", blob.descriptor, blob.open, mount_from=["no/such"])
        assert wrong.outcome is BlobOutcome.UPLOADED


def test_pieces_arrive(real: Any) -> None:
    """Chunked uploads through the latest Location (OCI-4.12, 4.13)."""
    blob = random_blob(3, size=3 * MIB + 5)
    with _opened(real, quirks=Quirks(upload="chunked", chunk_bytes=MIB)) as registry:
        registry.put_blob(R, blob.descriptor, blob.open)
        with registry.open_blob(R, blob.descriptor, 7) as blocks:
            assert b"".join(blocks) == blob.content[7:]


@pytest.mark.parametrize("size", [1000, 3 * MIB])
def test_damaged_content_is_not_stored(real: Any, size: int) -> None:
    """Nothing is committed, and both tries' sessions are taken away where the server lets us.

    The content is read twice, in case only the way was bad (OCI-4.20). After a body that broke off these servers do not know their own Location any more
    (OCI-4.16): they answer 404 or 416 then, and forget the session in their own time.
    """
    blob = random_blob(4, size=size)
    damaged = attrs.evolve(blob, content=blob.content[:-1] + b"?")
    with _opened(real) as registry:
        with pytest.raises(DigestMismatch):
            registry.put_blob(R, blob.descriptor, damaged.open)
        assert not registry.has_blob(R, blob.descriptor)
    deleted = [line.status for line in real.requests() if line.method == "DELETE"]
    assert len(deleted) == 2
    assert set(deleted) <= ({204} if size < MIB else {204, 404, 416})


@attrs.define
class Failing:
    """A source that breaks once, in the middle."""

    blob: Blob
    at: int
    opened: list[int] = attrs.field(factory=list)

    @contextmanager
    def __call__(self, offset: int = 0, /) -> Iterator[Iterator[bytes]]:
        """Open from an offset."""
        self.opened.append(offset)
        yield self._blocks(offset, breaks=len(self.opened) == 1)

    def _blocks(self, offset: int, *, breaks: bool) -> Iterator[bytes]:
        for start in range(offset, len(self.blob.content), MIB):
            if breaks and start >= self.at:
                msg = "the source went away"
                raise ConnectionLost(msg)
            yield self.blob.content[start : start + MIB]


@pytest.mark.parametrize("quirks", [Quirks(), Quirks(upload="chunked", chunk_bytes=2 * MIB)])
def test_an_upload_whose_source_broke_is_completed_by_the_next_try(
    real: Any, quirks: Quirks
) -> None:
    """Its session is gone on with, or given up for a new one; either way it ends well."""
    blob = random_blob(5, size=8 * MIB)
    source = Failing(blob, at=5 * MIB)
    with _opened(real, quirks=quirks) as registry:
        with pytest.raises(ConnectionLost, match="the source went away"):
            registry.put_blob(R, blob.descriptor, source)
        put = registry.put_blob(R, blob.descriptor, source)
        assert put.outcome is BlobOutcome.UPLOADED
        with registry.open_blob(R, blob.descriptor) as blocks:
            assert b"".join(blocks) == blob.content


def test_referrers_are_not_offered(real: Any) -> None:
    """Both answer 404 in plain text (OCI-6.8)."""
    image = random_image(6)
    with _opened(real) as registry:
        digest = image.push_to(registry, R, "v1")
        assert registry.abilities.referrers is not None
        assert registry.abilities.referrers.list_referrers(R, digest) is None


def test_docker_registry_deletes_no_tag_and_keeps_its_digest(docker_registry: Any) -> None:
    """The ability goes away, the manifest stays (OCI-5.8)."""
    real = docker_registry()
    with _opened(real) as registry:
        digest = random_image(7).push_to(registry, R, "v1")
        deletes = registry.abilities.deletes_tags
        assert deletes is not None
        with pytest.raises(HarborsyncError, match="without deleting what it points to"):
            deletes.delete_tag(R, Tag("v1"))
        assert registry.abilities.deletes_tags is None
        assert registry.resolve(R, digest) is not None


def test_what_skopeo_wrote_is_read_and_the_other_way_round(
    real: Any, program: Any, tmp_path: Path
) -> None:
    """Digests are the same on both ways."""
    skopeo, image = program("skopeo"), random_image(8)
    address = f"docker://{real.host}/{R}"
    with _opened(real) as registry:
        digest = image.push_to(registry, R, "ours")
        copy = ["copy", "--insecure-policy", "--preserve-digests"]
        plain = ["--src-tls-verify=false", "--dest-tls-verify=false"]
        subprocess.run(
            [skopeo, *copy, *plain, f"{address}:ours", f"{address}-copy:theirs"], check=True
        )
        assert registry.get_manifest(f"{R}-copy", Tag("theirs")).digest == digest


def test_after_skopeo_login_it_just_works(
    docker_registry: Any, program: Any, tmp_path: Path
) -> None:
    """The file that a login leaves behind is found and used (OCI-2.24)."""
    skopeo, passwords = program("skopeo"), tmp_path / "htpasswd"
    passwords.write_text(f"robot:{BCRYPT}\n")
    real = docker_registry(more=f"auth:\n  htpasswd: {{realm: basic, path: {passwords}}}\n")
    home = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run(
        [skopeo, "login", "--tls-verify=false", "-u", "robot", "--password-stdin", real.host],
        input=b"hunter2",
        check=True,
        env=home,
    )
    logins = default_credentials(environ=home)
    assert explain(logins, real.host).startswith(
        f"{real.host}: basic login of robot from auth file"
    )
    with closing(open_registry(real.endpoint, OpenContext(credentials=logins))) as registry:
        digest = random_image(9).push_to(registry, R, "v1")
        assert registry.resolve(R, digest) is not None
    with (
        closing(open_registry(real.endpoint, OpenContext())) as registry,
        pytest.raises(NoCredentials),
    ):
        registry.resolve(R, digest)


@pytest.mark.parametrize("name", SERVERS)
def test_a_tag_that_is_what_its_neighbour_was_is_told_by_304(name: str, request: Any) -> None:
    """The server need not read the manifest; one that moved meanwhile is told in full."""
    server = request.getfixturevalue(name)()
    image, other = random_image(31), random_image(32)
    with _opened(server) as registry:
        for tag in ("v1", "v2", "v3"):
            image.push_to(registry, R, tag)
        other.push_to(registry, R, "v3")
        before = len(server.requests())
        found = [registry.resolve(R, Tag(tag)) for tag in ("v1", "v2", "v3", "v1")]
    assert found == [image.descriptor, image.descriptor, other.descriptor, image.descriptor]
    assert [each.status for each in server.requests()[before:]] == [200, 304, 200, 200]


@pytest.mark.parametrize("name", SERVERS)
def test_a_manifest_that_was_lost_is_lacking_though_its_tag_is_there(
    name: str, request: Any
) -> None:
    """That the tag still points to it would be told by 304, so that is not asked."""
    server = request.getfixturevalue(name)()
    kept, lost = random_image(33), random_image(34)
    with _opened(server) as registry:
        kept.push_to(registry, R, "v1")
        for tag in ("v2", "v3"):
            lost.push_to(registry, R, tag)
        (data,) = (server.root / "store").rglob(f"blobs/sha256/*/{lost.digest.encoded}/data")
        data.unlink()
        found = [registry.resolve(R, Tag(tag)) for tag in ("v1", "v2", "v3")]
    assert found == [kept.descriptor, None, None]
