"""What a registry can do: a small core that every store has, and abilities some have.

The core reads and writes content-addressed things. Everything a dozen products differ in is
an *ability*: an object with one or two methods, or None, in the registry's
:class:`Abilities`. No method ever raises NotImplementedError. A third party's registry is
held against the same contract by :class:`~harborsync.testing.contract.RegistryContract`.

All methods are safe to call from several threads at once, and raise
:class:`~harborsync.errors.RegistryError`, :class:`~harborsync.errors.TransportError`,
:class:`~harborsync.errors.CredentialsError` or :class:`~harborsync.errors.IntegrityError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from harborsync.artifact import Artifact, Hints, Label
    from harborsync.content import Descriptor, Manifest
    from harborsync.events import BlobOutcome
    from harborsync.reference import Digest, Tag


class BlobOpener(Protocol):
    """Opens a blob's bytes; may be called again, so that a copy can go on after a cut."""

    def __call__(self, offset: int = 0, /) -> AbstractContextManager[Iterator[bytes]]:
        """Open the content from ``offset``; the blocks that come have any length but 0."""
        ...


class Cataloguing(Protocol):
    """Can list its repositories."""

    def list_repositories(self) -> Iterator[str]:
        """Yield full repository names, in no order, each once."""
        ...


class Describing(Protocol):
    """Can tell more about many artifacts at once than a HEAD each would."""

    def describe(self, artifacts: Iterable[Artifact], facts: frozenset[str]) -> Iterator[Artifact]:
        """Yield the artifacts with the wanted facts filled in, in the order given.

        What cannot be had comes back as UNAVAILABLE; a tag that is gone is left out. What a
        manifest tells may be left open, and is read there then.
        """
        ...


class Mounting(Protocol):
    """Can make a blob of one repository appear in another without moving bytes.

    ``put_blob`` does it when given ``mount_from``.
    """

    def may_mount(self, repository: str, from_repository: str) -> bool:
        """Tell whether trying is worth a request."""
        ...

    def origins(self, repository: str, blob: Descriptor) -> tuple[str, ...]:
        """Return other repositories that have a blob, as far as the registry tells; often none.

        Asked for long blobs only, of which nobody knows where they are.
        """
        ...


class Referring(Protocol):
    """Knows which manifests name another as their subject."""

    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...] | None:
        """Return the referrers' descriptors, or None if this repository has no such API.

        With None, the caller reads the fallback tag itself (OCI-6.1, 6.3).
        """
        ...


class CreatingRepositories(Protocol):
    """Has repositories that must be made before they can be written to."""

    def ensure_repository(self, repository: str) -> bool:
        """Make the repository if it is lacking; tell whether it was made now."""
        ...


class DeletingTags(Protocol):
    """Can take a tag away and leave other tags of the same digest alone."""

    def delete_tag(self, repository: str, tag: Tag) -> None:
        """Take the tag away; fine if it is not there."""
        ...


class Labelling(Protocol):
    """Keeps labels beside artifacts, and tells them in its listings (:attr:`Artifact.labels`)."""

    def get_labels(self, repository: str, digest: Digest) -> frozenset[str]:
        """Return the names of an artifact's labels, empty if it is not there; reads only.

        Asked only where no listing told them.
        """
        ...

    def find_labels(self, repository: str, names: frozenset[str]) -> tuple[Label, ...]:
        """Return the labels of these names that artifacts of a repository may bear; reads only.

        One for each name that is known, sorted by name; of two with one name, the repository's
        own before the global one.
        """
        ...

    def change_labels(
        self, repository: str, digest: Digest, *, attach: Sequence[Label], detach: frozenset[str]
    ) -> None:
        """Attach labels to an artifact and take others off; the rest of them stay.

        A label is found by its name alone; one that is lacking is made as it is given, for the
        whole registry if it is global and the login may do that, else beside the repository.
        What is attached or off already is fine.

        Raises:
            NotFound: The artifact is not there.
        """
        ...


class DescribingRepositories(Protocol):
    """Keeps a text about each repository; texts go in and come out as people write them."""

    def list_descriptions(self) -> Iterator[tuple[str, str]]:
        """Yield each repository with its text, in no more requests than its catalog takes."""
        ...

    def get_descriptions(self, repositories: frozenset[str]) -> dict[str, str]:
        """Return the texts about repositories, in as few requests as that takes; reads only.

        The text is empty where there is none; a repository that is not there is left out.
        """
        ...

    def set_description(self, repository: str, text: str) -> None:
        """Replace the text.

        Raises:
            NotFound: The repository is not there.
        """
        ...


class Surveying(Protocol):
    """Can list the tags of many repositories by fewer requests than one each."""

    def survey(self, repositories: Sequence[str]) -> Iterator[tuple[str, tuple[Artifact, ...]]]:
        """Yield each repository with all its tags, each once, in no order; reads only.

        What is the cheapest way is chosen here. A repository that is not there has no tags.
        """
        ...


class Narrowing(Protocol):
    """Can list only those tags of a repository that may be wanted."""

    def list_matching(self, repository: str, hints: Hints) -> Iterator[Artifact]:
        """Yield at least every tag that fulfils the hints, perhaps others too; reads only."""
        ...

    def pays(self, repositories: Sequence[str]) -> bool:
        """Tell whether two narrowed lists of each are fewer requests than all of their tags.

        The second one is for tags that hang on a digest.
        """
        ...


class Tagging(Protocol):
    """Can give what it has a further tag without being sent the manifest again."""

    def add_tag(self, repository: str, digest: Digest, tag: Tag) -> bool:
        """Make a tag that is not there yet; False where the manifest must be sent instead.

        Raises:
            TagImmutable: A rule there forbids the tag.
        """
        ...


class CopyingWithin(Protocol):
    """Can copy between its own repositories without being sent a byte."""

    def copy_within(self, from_repository: str, digest: Digest, repository: str) -> bool:
        """Copy an artifact, what is said about it, and every tag it has, moving others' tags.

        So it is asked for only where all of these tags are wanted there.

        Returns:
            Whether that was done; False where the bytes must go the usual way.
        """
        ...


class Probing(Protocol):
    """Can be looked at more closely than a copy does, for a check."""

    def served_from(self, repository: str, blob: Descriptor) -> str:
        """Return the origin that a blob's bytes come from, such as a storage's; reads only."""
        ...

    def try_upload(self, repository: str) -> None:
        """Open an upload and cancel it; no content is written.

        Raises:
            RegistryError: The registry does not take one.
        """
        ...


@attrs.frozen(kw_only=True)
class Room:
    """How much more something takes.

    Attributes:
        whose: What the limit is set for, as people call it: ``project team``. Repositories
            with equal texts share one limit.
        left: Bytes that are left.
    """

    whose: str
    left: int


class Quotas(Protocol):
    """Takes no more than so many bytes."""

    def room(self, repository: str) -> Room | None:
        """Return the room that is left for a repository, or None if no limit is known."""
        ...


@attrs.frozen(kw_only=True)
class Abilities:
    """What an instance of a registry can do beyond the core; None is "not this one"."""

    catalog: Cataloguing | None = None
    describe: Describing | None = None
    mounts: Mounting | None = None
    referrers: Referring | None = None
    creates: CreatingRepositories | None = None
    deletes_tags: DeletingTags | None = None
    labels: Labelling | None = None
    descriptions: DescribingRepositories | None = None
    surveys: Surveying | None = None
    lists_narrowed: Narrowing | None = None
    tags: Tagging | None = None
    copies: CopyingWithin | None = None
    room: Quotas | None = None
    probes: Probing | None = None


@attrs.frozen(kw_only=True)
class Quirks:
    """How a product differs from the specification, and its limits.

    The defaults are what the distribution specification promises and every product seen does.
    A provider that sets one says in a comment where the value comes from.

    Attributes:
        max_manifest_bytes: The largest manifest the registry takes (OCI-3.11).
        max_name_length: The longest repository name it takes.
        max_name_depth: The most path components of a name, or None.
        min_name_depth: The fewest path components of a name.
        max_layer_bytes: The largest blob it takes, or None.
        upload: ``put`` sends a blob as one PUT (OCI-4.7), ``chunked`` in pieces.
        chunk_bytes: Length of a piece, where pieces are sent.
        min_chunk_bytes: The shortest piece allowed but for the last one.
        max_chunks: The most pieces a blob may come in, or None.
        mount_tells_presence: ``POST …?mount=D&from=R`` into the repository R itself answers 201
            if the blob is there and opens a session if not, which saves a HEAD. A registry that
            is found to do otherwise is asked by HEAD from then on.
        digest_header_trusted: Docker-Content-Digest is what the bytes hash to.
        manifests_by_digest_first: Untagged manifests are taken; false where a push needs a tag.
        sparse_indexes: An index is taken although children of it are lacking (OCI-3.21).
        takes_sha512: Content may be named by sha512 digests.
        resumes_uploads: A session whose request broke off goes on where it stopped.
        page_size: The most entries asked of a listing at once.
        max_description: The longest text about a repository it keeps, in characters, or None;
            longer ones are cut.
    """

    max_manifest_bytes: int = 4 * 2**20
    max_name_length: int = 255
    max_name_depth: int | None = None
    min_name_depth: int = 1
    max_layer_bytes: int | None = None
    upload: Literal["put", "chunked"] = "put"
    chunk_bytes: int = 32 * 2**20
    min_chunk_bytes: int = 0
    max_chunks: int | None = None
    mount_tells_presence: bool = False
    digest_header_trusted: bool = True
    manifests_by_digest_first: bool = True
    sparse_indexes: bool = False
    takes_sha512: bool = True
    resumes_uploads: bool = True
    page_size: int = 1000
    max_description: int | None = None


@attrs.frozen(kw_only=True)
class BlobPut:
    """What became of a blob.

    Attributes:
        outcome: How it came to be there.
        bytes_sent: Bytes sent for it, those of repeated tries included.
        attempts: Tries it took; 1 if the first one did it, 0 if none was needed.
    """

    outcome: BlobOutcome
    bytes_sent: int = 0
    attempts: int = 0


class Registry(Protocol):
    """A place that stores artifacts.

    Attributes:
        name: How people call it: a host, a path.
        identity: Equal for two registries between whose repositories blobs can be mounted.
        abilities: What it can do beyond the core.
        quirks: How it differs from the specification.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - documented in the class
    @property
    def identity(self) -> str: ...  # noqa: D102
    @property
    def abilities(self) -> Abilities: ...  # noqa: D102
    @property
    def quirks(self) -> Quirks: ...  # noqa: D102

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        """Yield every tag of a repository with the facts its listing tells; reads only.

        A repository that is not there has no tags. Digest tags (``sha256-<hex>…``) come with
        the rest where the registry lists them.
        """
        ...

    def resolve(self, repository: str, reference: Tag | Digest) -> Descriptor | None:
        """Return what a tag or digest points to, or None if it is not there; reads only.

        The digest is the one of the bytes: an answer without one is completed by reading them
        (OCI-3.9).
        """
        ...

    def get_manifest(self, repository: str, reference: Tag | Digest) -> Manifest:
        """Return a manifest, checked against the digest if asked for by one; reads only.

        Raises:
            NotFound: It is not there.
            InvalidManifest: It is no manifest we take.
            DigestMismatch: The bytes are not those asked for.
        """
        ...

    def open_blob(
        self, repository: str, blob: Descriptor, offset: int = 0
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Open a blob's bytes from ``offset``; reads only.

        The stream goes on by itself after a cut, and never yields more than the blob's size.
        Nothing is checked but the length: whoever reads to the end hashes (OCI-4.30).

        Raises:
            NotFound: The blob is not there, at opening.
            SizeMismatch: The registry has another length, at opening or at the end.
        """
        ...

    def has_blob(self, repository: str, blob: Descriptor) -> bool:
        """Tell whether a blob of this digest and size is there; reads only (OCI-4.1)."""
        ...

    def put_blob(
        self,
        repository: str,
        blob: Descriptor,
        content: BlobOpener,
        *,
        mount_from: Sequence[str] = (),
        absent: bool = False,
    ) -> BlobPut:
        """Make sure that a blob is there, by the cheapest way.

        Args:
            repository: Where it goes.
            blob: Its digest and size; the content is committed under this digest only.
            content: Opens the bytes; called at most when they must be sent.
            mount_from: Repositories of this registry that hold it, best first.
            absent: The caller knows that it is not there, so nobody asks again.

        Raises:
            DigestMismatch: The content is not what ``blob`` says; nothing is stored.
            SizeMismatch: The content is longer or shorter; nothing is stored.
        """
        ...

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        """Write a manifest, under its digest or under a tag, byte for byte.

        Returns:
            Whether the registry has indexed the manifest's ``subject`` (OCI-6.8); False where
            it has none.

        Raises:
            ContentMissing: The registry wants something the manifest names first.
            TagImmutable: The tag may not be moved.
            DigestMismatch: The registry stored something else.
        """
        ...

    def close(self) -> None:
        """Give back connections and files; may be called again."""
        ...
