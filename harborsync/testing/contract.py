"""The contract of a registry as a test suite: subclass it, hand in a registry, run pytest.

::

    from harborsync.testing.contract import RegistryContract

    class TestMyRegistry(RegistryContract):
        @pytest.fixture
        def registry(self):
            return MyRegistry(...)  # empty, and writable

Everything that :mod:`harborsync.registry` promises over a store is asked for: bytes come back
as they went in, nothing is stored that is not what its digest says, an ability that is there
works. What differs by product is read from the registry's own ``quirks`` and ``abilities``.
Class attributes name the repositories used, for a registry that does not take any name.
"""
# ruff: noqa: S101 - asserts are what this module is made of

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar

import attrs
import pytest

from harborsync.artifact import NOT_FETCHED, Artifact, Hints, Label
from harborsync.content import Manifest
from harborsync.errors import (
    ConnectionLost,
    ContentMissing,
    DigestMismatch,
    HarborsyncError,
    IntegrityError,
    NotFound,
    SizeMismatch,
)
from harborsync.events import BlobOutcome
from harborsync.reference import Digest, Tag
from harborsync.testing.content import (
    UNHEARD_OF,
    Blob,
    Sample,
    odd_artifact,
    random_artifact,
    random_blob,
    random_image,
    random_index,
    random_referrer,
    random_signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harborsync.content import Descriptor
    from harborsync.registry import Registry

_T = TypeVar("_T")

#: Long enough to be read in more than one block everywhere.
_LONG: Final = 3 * 2**20 + 7
_ABSENT: Final = Digest.of(b"nobody has stored this")


class RegistryContract:
    """What every registry must do; one test is one promise.

    Attributes:
        repository: The repository most tests write to.
        other_repository: One beside it.
        deep_repository: One with many components; below ``repository`` if it can be.
        threads: How many threads work at once where several do.
    """

    repository: ClassVar[str] = "contract/app"
    other_repository: ClassVar[str] = "contract/elsewhere"
    deep_repository: ClassVar[str] = "contract/app/a/b-c/d_e/f__g/h.i/j"
    threads: ClassVar[int] = 8

    @pytest.fixture
    def registry(self) -> Registry:
        """Return an empty registry that can be written to; every subclass brings its own."""
        msg = "a subclass of RegistryContract must define the fixture 'registry'"
        raise NotImplementedError(msg)

    @pytest.fixture
    def store(self, registry: Registry) -> Iterator[Registry]:
        """Make the repositories where that is needed, and close the registry at the end."""
        self.prepare(registry)
        yield registry
        registry.close()

    def prepare(self, registry: Registry) -> None:
        """Make the repositories the tests write to, where a registry wants that."""
        if registry.abilities.creates is not None:
            for name in (self.repository, self.other_repository, self.deep_repository):
                registry.abilities.creates.ensure_repository(name)

    # --- blobs: reading -----------------------------------------------------------------

    @pytest.mark.parametrize("size", [0, 1, 1000, _LONG])
    def test_a_blob_comes_back_byte_for_byte(self, store: Registry, size: int) -> None:
        """Whatever its length, nothing is added and nothing lost."""
        blob = random_blob(1, size=size)
        self._put(store, blob)
        assert _read(store, self.repository, blob.descriptor) == blob.content

    def test_no_block_of_a_blob_is_empty(self, store: Registry) -> None:
        """An empty block would look like the end to some readers."""
        blob = random_blob(2, size=_LONG)
        self._put(store, blob)
        with store.open_blob(self.repository, blob.descriptor) as blocks:
            assert all(blocks)

    @pytest.mark.parametrize("offset", [1, 500, 999, 1000])
    def test_a_blob_is_read_from_an_offset(self, store: Registry, offset: int) -> None:
        """What comes is the rest, from that byte on."""
        blob = random_blob(3)
        self._put(store, blob)
        assert _read(store, self.repository, blob.descriptor, offset) == blob.content[offset:]

    def test_an_absent_blob_cannot_be_opened(self, store: Registry) -> None:
        """It is said at opening, not in the middle of reading."""
        blob = random_blob(4)
        with pytest.raises(NotFound), store.open_blob(self.repository, blob.descriptor):
            pass

    def test_an_absent_blob_is_absent(self, store: Registry) -> None:
        """Nothing is said to be there that is not."""
        assert not store.has_blob(self.repository, random_blob(4).descriptor)

    def test_a_blob_of_another_size_is_absent(self, store: Registry) -> None:
        """A digest alone does not make a blob present (OCI-4.1)."""
        blob = random_blob(5)
        self._put(store, blob)
        assert store.has_blob(self.repository, blob.descriptor)
        assert not store.has_blob(self.repository, _with_size(blob, 1001).descriptor)

    @pytest.mark.parametrize("size", [999, 1001])
    def test_a_wrong_size_is_told_when_reading(self, store: Registry, size: int) -> None:
        """Never are more bytes handed out than asked for, nor fewer without a word."""
        blob = random_blob(6)
        self._put(store, blob)
        with pytest.raises(SizeMismatch):
            _read(store, self.repository, _with_size(blob, size).descriptor)

    # --- blobs: writing -----------------------------------------------------------------

    def test_writing_a_blob_tells_what_was_sent(self, store: Registry) -> None:
        """The first one is uploaded, with all its bytes."""
        blob = random_blob(7)
        put = store.put_blob(self.repository, blob.descriptor, blob.open, absent=True)
        assert (put.outcome, put.bytes_sent) == (BlobOutcome.UPLOADED, 1000)
        assert put.attempts >= 1

    def test_a_blob_that_is_there_is_not_sent_again(self, store: Registry) -> None:
        """Nobody opens the content for it."""
        blob = random_blob(8)
        self._put(store, blob)
        opener = _Opener(blob.content)
        put = store.put_blob(self.repository, blob.descriptor, opener)
        assert (put.outcome, put.bytes_sent) == (BlobOutcome.PRESENT, 0)
        assert opener.opened == 0

    def test_saying_that_a_blob_is_absent_does_no_harm(self, store: Registry) -> None:
        """A caller who is wrong about it wastes time and nothing else."""
        blob = random_blob(9)
        self._put(store, blob)
        store.put_blob(self.repository, blob.descriptor, blob.open, absent=True)
        assert _read(store, self.repository, blob.descriptor) == blob.content

    def test_a_blob_may_be_named_by_sha512(self, store: Registry) -> None:
        """It is found under the name it was given."""
        if not store.quirks.takes_sha512:
            pytest.skip("this registry takes no sha512")
        blob = random_blob(10, algorithm="sha512")
        self._put(store, blob)
        assert store.has_blob(self.repository, blob.descriptor)
        assert _read(store, self.repository, blob.descriptor) == blob.content

    def test_bytes_that_are_not_those_named_are_refused(self, store: Registry) -> None:
        """Nothing is stored, neither under the name nor under another (OCI-4.30)."""
        self._refuses(store, random_blob(11), random_blob(12).content, DigestMismatch)

    def test_a_byte_that_flipped_at_the_end_is_noticed(self, store: Registry) -> None:
        """The hash covers everything to the last byte."""
        blob = random_blob(13, size=_LONG)
        flipped = blob.content[:-1] + bytes([blob.content[-1] ^ 1])
        self._refuses(store, blob, flipped, DigestMismatch)

    def test_content_that_is_too_short_is_refused(self, store: Registry) -> None:
        """Nothing is stored."""
        blob = random_blob(14)
        self._refuses(store, blob, blob.content[:-1], SizeMismatch)

    def test_content_that_is_too_long_is_refused(self, store: Registry) -> None:
        """Nothing is stored."""
        blob = random_blob(15)
        self._refuses(store, blob, blob.content + b"x", SizeMismatch)

    def test_a_source_that_always_breaks_leaves_nothing_behind(self, store: Registry) -> None:
        """The blob is absent afterwards, and can be written by the next try."""
        blob = random_blob(16)
        with pytest.raises(HarborsyncError):
            store.put_blob(self.repository, blob.descriptor, _Opener(blob.content, breaks=99))
        assert not store.has_blob(self.repository, blob.descriptor)
        self._put(store, blob)
        assert _read(store, self.repository, blob.descriptor) == blob.content

    def test_content_is_opened_again_after_a_cut(self, store: Registry) -> None:
        """If the registry tries again by itself, what it stores is whole."""
        blob, opener = random_blob(17), _Opener(random_blob(17).content, breaks=1)
        try:
            store.put_blob(self.repository, blob.descriptor, opener)
        except ConnectionLost:
            store.put_blob(self.repository, blob.descriptor, opener)
        assert _read(store, self.repository, blob.descriptor) == blob.content

    def test_a_blob_comes_from_another_repository(self, store: Registry) -> None:
        """With the name of one that has it, the blob is there afterwards, mounted or sent."""
        blob, opener = random_blob(18), _Opener(random_blob(18).content)
        self._put(store, blob)
        put = store.put_blob(
            self.other_repository, blob.descriptor, opener, mount_from=[self.repository]
        )
        assert _read(store, self.other_repository, blob.descriptor) == blob.content
        assert (put.outcome is BlobOutcome.UPLOADED) == (opener.opened > 0)
        if store.abilities.mounts is None:
            assert put.outcome is not BlobOutcome.MOUNTED

    def test_a_repository_that_lacks_the_blob_is_no_help(self, store: Registry) -> None:
        """A mount that cannot be is no error: the bytes are sent."""
        blob = random_blob(19)
        put = store.put_blob(
            self.other_repository, blob.descriptor, blob.open, mount_from=[self.repository]
        )
        assert put.outcome is BlobOutcome.UPLOADED
        assert _read(store, self.other_repository, blob.descriptor) == blob.content

    # --- manifests ----------------------------------------------------------------------

    def test_a_manifest_comes_back_byte_for_byte(self, store: Registry) -> None:
        """By its tag and by its digest, with the type it was written with (OCI-3.5)."""
        image = random_image(20)
        image.push_to(store, self.repository, "v1")
        for reference in (Tag("v1"), image.digest):
            found = store.get_manifest(self.repository, reference)
            assert (found.raw, found.media_type) == (image.manifest.raw, image.manifest.media_type)
            assert found.digest == image.digest

    def test_odd_spelling_of_a_manifest_is_kept(self, store: Registry) -> None:
        """Nobody reads the document and writes it anew."""
        odd = _oddly_written(random_image(21))
        odd.push_to(store, self.repository, "v1")
        assert store.get_manifest(self.repository, Tag("v1")).raw == odd.manifest.raw

    def test_what_a_tag_points_to_is_told(self, store: Registry) -> None:
        """Digest, type and size are those of the bytes."""
        image = random_image(22, docker=True)
        image.push_to(store, self.repository, "v1")
        for reference in (Tag("v1"), image.digest):
            found = store.resolve(self.repository, reference)
            assert found is not None
            assert found.digest == image.digest
            assert found.media_type == image.descriptor.media_type
            assert found.size == image.descriptor.size

    def test_tags_beside_each_other_are_told_apart(self, store: Registry) -> None:
        """Those that share a manifest and those that do not, in whatever order they are asked."""
        shared, other = random_image(48), random_image(49)
        for tag, image in {"v1": shared, "v2": shared, "v3": other, "v4": shared}.items():
            image.push_to(store, self.repository, tag)
        for asked in ("v1", "v2", "v3", "v4", "v3", "v2"):
            found = store.resolve(self.repository, Tag(asked))
            image = other if asked == "v3" else shared
            assert found is not None
            assert (found.digest, found.size) == (image.digest, image.descriptor.size)
        other.push_to(store, self.repository, "v2")
        assert _digest(store.resolve(self.repository, Tag("v2"))) == other.digest
        assert _digest(store.resolve(self.repository, Tag("v1"))) == shared.digest

    def test_what_is_absent_is_none(self, store: Registry) -> None:
        """A tag, a digest or a repository that is not there is no error to ask for."""
        random_image(23).push_to(store, self.repository, "v1")
        assert store.resolve(self.repository, Tag("v2")) is None
        assert store.resolve(self.repository, _ABSENT) is None
        assert store.resolve(self.other_repository, Tag("v1")) is None

    def test_an_absent_manifest_cannot_be_had(self, store: Registry) -> None:
        """Neither by tag nor by digest."""
        for reference in (Tag("v1"), _ABSENT):
            with pytest.raises(NotFound):
                store.get_manifest(self.repository, reference)

    def test_a_tag_moves(self, store: Registry) -> None:
        """It points to what was written last, and the former is still found by its digest."""
        old, new = random_image(24), random_image(25)
        old.push_to(store, self.repository, "v1")
        new.push_to(store, self.repository, "v1")
        assert _digest(store.resolve(self.repository, Tag("v1"))) == new.digest
        assert store.get_manifest(self.repository, old.digest) == old.manifest
        assert _tags(store.list_artifacts(self.repository)) == ["v1"]

    def test_writing_twice_is_writing_once(self, store: Registry) -> None:
        """The second time nothing changes."""
        image = random_image(26)
        for _ in range(2):
            image.push_to(store, self.repository, "v1")
        assert _tags(store.list_artifacts(self.repository)) == ["v1"]
        assert store.get_manifest(self.repository, Tag("v1")) == image.manifest

    def test_a_manifest_is_written_by_digest_first(self, store: Registry) -> None:
        """It is there without a tag, and gets one without being sent anew."""
        if not store.quirks.manifests_by_digest_first:
            pytest.skip("this registry takes no manifest without a tag")
        image = random_image(27)
        image.push_to(store, self.repository)
        assert store.get_manifest(self.repository, image.digest) == image.manifest
        assert _tags(store.list_artifacts(self.repository)) == []
        store.put_manifest(self.repository, image.manifest, tag=Tag("v1"))
        assert _tags(store.list_artifacts(self.repository)) == ["v1"]

    def test_nothing_is_tagged_whose_blobs_are_lacking(self, store: Registry) -> None:
        """A registry that refuses such a manifest writes nothing of it, and takes it later."""
        image = random_image(28)
        self._put(store, *image.blobs[1:])
        missing = _missing_for(store, self.repository, image.manifest)
        if missing is not None:
            assert set(missing) <= {str(image.blobs[0].descriptor.digest)}
            assert store.resolve(self.repository, Tag("v1")) is None
            assert _tags(store.list_artifacts(self.repository)) == []
        image.push_to(store, self.repository, "v1")
        assert _digest(store.resolve(self.repository, Tag("v1"))) == image.digest

    def test_a_sparse_index_is_taken_or_refused_as_the_quirks_say(self, store: Registry) -> None:
        """One child is lacking (OCI-3.21)."""
        index = random_index(29)
        sparse = attrs.evolve(index, manifests=index.manifests[1:])
        if store.quirks.sparse_indexes:
            sparse.push_to(store, self.repository, "v1")
            assert store.get_manifest(self.repository, Tag("v1")) == index.manifest
            return
        with pytest.raises(ContentMissing) as refusal:
            sparse.push_to(store, self.repository, "v1")
        assert set(refusal.value.digests) <= {str(index.manifests[0].digest)}
        assert store.resolve(self.repository, Tag("v1")) is None

    @pytest.mark.parametrize("kind", ["image", "index", "nested", "attested", "chart", "odd"])
    def test_every_kind_of_artifact_goes_in_and_out(self, store: Registry, kind: str) -> None:
        """Images, indexes in indexes, attestations, charts, and what nobody has heard of."""
        sample = _KINDS[kind]()
        sample.push_to(store, self.repository, "v1")
        for manifest in sample.manifests:
            assert store.get_manifest(self.repository, manifest.digest) == manifest
        for blob in sample.blobs:
            assert _read(store, self.repository, blob.descriptor) == blob.content

    def test_a_signature_is_found_under_its_digest_tag(self, store: Registry) -> None:
        """Cosign's tags are tags like others (OCI-6.4)."""
        image = random_image(30)
        image.push_to(store, self.repository, "v1")
        signature = random_signature(31, image.digest)
        signature.push_to(store, self.repository)
        assert signature.tag is not None
        assert _digest(store.resolve(self.repository, signature.tag)) == signature.digest

    # --- listing ------------------------------------------------------------------------

    def test_an_empty_repository_has_no_tags(self, store: Registry) -> None:
        """Nor has one that is not there."""
        assert list(store.list_artifacts(self.repository)) == []

    def test_every_tag_is_listed_once(self, store: Registry) -> None:
        """Also where many point to one digest; digests, where told, are right."""
        first, second = random_image(32, layers=1), random_image(33, layers=1)
        wanted = {f"t{n}": (first, second)[n % 2].digest for n in range(30)}
        for name, digest in wanted.items():
            (first if digest == first.digest else second).push_to(store, self.repository, name)
        listed = list(store.list_artifacts(self.repository))
        assert _tags(listed) == sorted(wanted)
        for artifact in listed:
            assert artifact.repository == self.repository
            assert not artifact.digest or artifact.digest == wanted[str(artifact.tag)]

    def test_repositories_do_not_mix(self, store: Registry) -> None:
        """One whose name begins like another's is another."""
        names = (self.repository, self.other_repository, self.deep_repository)
        for number, name in enumerate(names):
            random_image(40 + number, layers=1).push_to(store, name, f"v{number}")
        for number, name in enumerate(names):
            assert _tags(store.list_artifacts(name)) == [f"v{number}"]
            found = _digest(store.resolve(name, Tag(f"v{number}")))
            assert found == random_image(40 + number, layers=1).digest

    # --- abilities ----------------------------------------------------------------------

    def test_referrers_are_listed_with_all_that_is_said_of_them(self, store: Registry) -> None:
        """Type and annotations travel with them, also before their subject is there (OCI-6.9)."""
        image = random_image(50)
        sbom = random_referrer(51, image.descriptor, annotations={"note": "first"})
        _push_untagged(store, self.repository, sbom)
        image.push_to(store, self.repository, "v1")
        api = store.abilities.referrers
        listed = api.list_referrers(self.repository, image.digest) if api is not None else None
        if listed is None:
            pytest.skip("this registry lists no referrers")
        assert [entry.digest for entry in listed] == [sbom.digest]
        assert listed[0].artifact_type == sbom.manifest.artifact_type
        assert listed[0].annotations == {"note": "first"}
        assert listed[0].media_type == sbom.manifest.media_type

    def test_what_has_no_referrers_has_none(self, store: Registry) -> None:
        """An empty list is an answer; a manifest without a subject is nobody's referrer."""
        image = random_image(52)
        indexed = _push_untagged(store, self.repository, image)
        assert indexed is False
        if store.abilities.referrers is not None:
            listed = store.abilities.referrers.list_referrers(self.repository, image.digest)
            assert not listed

    def test_an_indexed_subject_is_really_indexed(self, store: Registry) -> None:
        """Who is told so writes no fallback tag, so it must be true (OCI-6.8)."""
        image = random_image(53)
        image.push_to(store, self.repository, "v1")
        sbom = random_referrer(54, image.descriptor)
        if not _push_untagged(store, self.repository, sbom):
            return
        api = store.abilities.referrers
        listed = api.list_referrers(self.repository, image.digest) if api is not None else None
        assert listed is not None
        assert sbom.digest in {entry.digest for entry in listed}

    def test_repositories_are_listed_once(self, store: Registry) -> None:
        """Every one that was written to is among them."""
        if store.abilities.catalog is None:
            pytest.skip("this registry lists no repositories")
        for name in (self.repository, self.other_repository):
            for tag in ("v1", "v2"):
                random_image(55, layers=1).push_to(store, name, tag)
        listed = list(store.abilities.catalog.list_repositories())
        assert {self.repository, self.other_repository} <= set(listed)
        assert len(listed) == len(set(listed))

    def test_taking_a_tag_away_leaves_the_others(self, store: Registry) -> None:
        """Other tags of the digest stay, and so does the digest (OCI-5.8)."""
        if store.abilities.deletes_tags is None:
            pytest.skip("this registry takes no tag away")
        image = random_image(56)
        for tag in ("v1", "v2"):
            image.push_to(store, self.repository, tag)
        for _ in range(2):
            store.abilities.deletes_tags.delete_tag(self.repository, Tag("v1"))
        assert store.resolve(self.repository, Tag("v1")) is None
        assert _digest(store.resolve(self.repository, Tag("v2"))) == image.digest
        assert _tags(store.list_artifacts(self.repository)) == ["v2"]

    def test_labels_are_attached_and_taken_off(self, store: Registry) -> None:
        """What is not named stays; what is so already is fine; the listing tells the same."""
        if store.abilities.labels is None:
            pytest.skip("this registry keeps no labels")
        api, digest = store.abilities.labels, random_image(57).digest
        random_image(57).push_to(store, self.repository, "v1")
        assert api.get_labels(self.repository, digest) == frozenset()
        for attach, detach, then in (("ab", "", "ab"), ("c", "a", "bc"), ("", "abc", "")):
            labels = [Label(name=name, color="#48960C") for name in attach]
            gone = frozenset(detach)
            for _ in range(2):
                api.change_labels(self.repository, digest, attach=labels, detach=gone)
            assert api.get_labels(self.repository, digest) == frozenset(then)
            (listed,) = store.list_artifacts(self.repository)
            assert listed.labels in {NOT_FETCHED, frozenset(then)}

    @pytest.mark.parametrize("is_global", [False, True])
    def test_a_label_that_is_lacking_is_made(self, store: Registry, *, is_global: bool) -> None:
        """With its colour and what it means; one that is there keeps its own."""
        if store.abilities.labels is None:
            pytest.skip("this registry keeps no labels")
        api, digest = store.abilities.labels, random_image(59).digest
        random_image(59).push_to(store, self.repository, "v1")
        name = f"contract \N{ROCKET} & <{is_global}>"
        made = Label(name=name, color="#0065AB", description='"ready"', is_global=is_global)
        assert api.find_labels(self.repository, frozenset({name, "unheard of"})) == ()
        for label in (made, attrs.evolve(made, color="#C92100")):
            api.change_labels(self.repository, digest, attach=[label], detach=frozenset())
            (found,) = api.find_labels(self.repository, frozenset({name, "unheard of"}))
            assert attrs.evolve(found, is_global=is_global) == made

    def test_only_what_is_there_gets_labels(self, store: Registry) -> None:
        """A label on nothing is refused; nothing has no labels."""
        if store.abilities.labels is None:
            pytest.skip("this registry keeps no labels")
        api, labels = store.abilities.labels, [Label(name="lost")]
        random_image(59).push_to(store, self.repository, "v1")
        assert api.get_labels(self.repository, _ABSENT) == frozenset()
        with pytest.raises(NotFound):
            api.change_labels(self.repository, _ABSENT, attach=labels, detach=frozenset())

    @pytest.mark.parametrize("text", ["What it is.", 'R&D <b>"it\'s"</b> &amp; \N{ROCKET}', ""])
    def test_a_repository_keeps_its_description(self, store: Registry, text: str) -> None:
        """The text comes back as it was given, alone and in the list; before it is empty."""
        if store.abilities.descriptions is None:
            pytest.skip("this registry keeps no descriptions")
        api, both = store.abilities.descriptions, {self.repository, self.other_repository}
        for name in both:
            random_image(58).push_to(store, name, "v1")
        asked = frozenset({*both, f"{self.other_repository}-absent"})
        assert api.get_descriptions(asked) == dict.fromkeys(both, "")
        for _ in range(2):
            api.set_description(self.repository, text)
        assert api.get_descriptions(asked) == {self.repository: text, self.other_repository: ""}
        assert api.get_descriptions(frozenset({self.repository})) == {self.repository: text}
        assert (self.repository, text) in list(api.list_descriptions())

    def test_what_is_not_there_has_no_description(self, store: Registry) -> None:
        """Nor can it be given one."""
        if store.abilities.descriptions is None:
            pytest.skip("this registry keeps no descriptions")
        absent = f"{self.other_repository}-absent"
        with pytest.raises(NotFound):
            store.abilities.descriptions.set_description(absent, "lost")

    def test_a_repository_is_made_once(self, store: Registry) -> None:
        """The second time it is there already, or what it is to be made in."""
        if store.abilities.creates is None:
            pytest.skip("this registry makes repositories by itself")
        name = f"{self.other_repository}-made"
        store.abilities.creates.ensure_repository(name)
        assert not store.abilities.creates.ensure_repository(name)

    def test_descriptions_of_artifacts_come_in_order(self, store: Registry) -> None:
        """What was asked for is told or is not to be had; a tag that is gone is left out."""
        if store.abilities.describe is None:
            pytest.skip("this registry tells no more about many at once")
        for number in range(3):
            random_image(60 + number).push_to(store, self.repository, f"v{number}")
        listed = list(store.list_artifacts(self.repository))
        gone = Artifact(repository=self.repository, tag=Tag("gone"))
        told = list(store.abilities.describe.describe([gone, *listed], frozenset({"size"})))
        assert [artifact.tag for artifact in told] == [artifact.tag for artifact in listed]
        assert all(artifact.size is not NOT_FETCHED for artifact in told)

    def test_a_survey_tells_what_lists_tell(self, store: Registry) -> None:
        """Of every repository asked for, once; one that is not there has no tags."""
        if store.abilities.surveys is None:
            pytest.skip("this registry lists one repository at a time")
        random_image(63).push_to(store, self.repository, "v1")
        random_image(64).push_to(store, self.other_repository, "v2")
        absent = f"{self.other_repository}-absent"
        names = (self.repository, self.other_repository, absent)
        surveyed = list(store.abilities.surveys.survey(names))
        assert sorted(name for name, _ in surveyed) == sorted(names)
        told = {name: set(artifacts) for name, artifacts in surveyed}
        assert told == {name: set(store.list_artifacts(name)) for name in names}

    def test_a_narrowed_list_lacks_nothing_that_fits(self, store: Registry) -> None:
        """It may hold more; an absent repository has no tags here either."""
        if store.abilities.lists_narrowed is None:
            pytest.skip("this registry narrows no lists")
        for number, tag in enumerate(("v1.0", "v1.1", "latest")):
            random_image(65 + number).push_to(store, self.repository, tag)
        listed = list(store.list_artifacts(self.repository))
        for hints in (Hints(tag="v1.0"), Hints(tag_contains="v1."), Hints(labels=frozenset("x"))):
            found = set(store.abilities.lists_narrowed.list_matching(self.repository, hints))
            assert {each for each in listed if hints.fits(each)} <= found <= set(listed)
        absent = f"{self.other_repository}-absent"
        assert not list(store.abilities.lists_narrowed.list_matching(absent, Hints(tag="v1.0")))

    def test_a_tag_that_is_added_leads_to_the_digest(self, store: Registry) -> None:
        """Or nothing was done, and the manifest must be sent; what is not there gets no tag."""
        if store.abilities.tags is None:
            pytest.skip("this registry adds tags by a push only")
        image, add = random_image(68), store.abilities.tags.add_tag
        image.push_to(store, self.repository, "v1")
        is_added = add(self.repository, image.digest, Tag("v2"))
        found = store.resolve(self.repository, Tag("v2"))
        assert _digest(found) == (image.digest if is_added else None)
        assert not add(self.repository, _ABSENT, Tag("v3"))

    def test_a_copy_within_arrives_whole(self, store: Registry) -> None:
        """Or nothing was done; with every tag that the original has."""
        if store.abilities.copies is None:
            pytest.skip("this registry copies nothing by itself")
        image, copies = random_image(69), store.abilities.copies
        image.push_to(store, self.repository, "v1")
        if copies.copy_within(self.repository, image.digest, self.other_repository):
            found = store.get_manifest(self.other_repository, Tag("v1"))
            assert found == image.manifest
            for blob in image.blobs:
                assert store.has_blob(self.other_repository, blob.descriptor)

    def test_room_is_told_for_any_repository(self, store: Registry) -> None:
        """It is never negative; whose it is has a name."""
        if store.abilities.room is None:
            pytest.skip("this registry has no quotas")
        for name in (self.repository, f"{self.other_repository}-absent"):
            room = store.abilities.room.room(name)
            assert room is None or (room.left >= 0 and room.whose)

    # --- many at once, and the end ------------------------------------------------------

    def test_many_may_write_one_blob_at_once(self, store: Registry) -> None:
        """All of them succeed, and the blob is whole."""
        blob = random_blob(70, size=300_000)
        outcomes = self._at_once(
            lambda _: store.put_blob(self.repository, blob.descriptor, blob.open).outcome
        )
        assert set(outcomes) <= {BlobOutcome.UPLOADED, BlobOutcome.PRESENT}
        assert _read(store, self.repository, blob.descriptor) == blob.content

    def test_many_may_read_one_blob_at_once(self, store: Registry) -> None:
        """Each reads all of it, from its own beginning."""
        blob = random_blob(71, size=300_000)
        self._put(store, blob)
        found = self._at_once(lambda _: _read(store, self.repository, blob.descriptor))
        assert set(found) == {blob.content}

    def test_many_may_write_tags_at_once(self, store: Registry) -> None:
        """None is lost."""
        image = random_image(72, layers=1)
        image.push_to(store, self.repository, "parallel")
        self._at_once(
            lambda n: store.put_manifest(self.repository, image.manifest, tag=Tag(f"parallel-{n}"))
        )
        wanted = ["parallel", *(f"parallel-{n}" for n in range(self.threads))]
        assert _tags(store.list_artifacts(self.repository)) == sorted(wanted)

    def test_a_registry_has_a_name_and_one_identity(self, store: Registry) -> None:
        """Both are texts that people and ledgers can hold on to."""
        assert store.name
        assert store.identity == store.identity != ""

    def test_closing_may_be_done_twice(self, store: Registry) -> None:
        """The second time nothing happens."""
        random_image(80, layers=1).push_to(store, self.repository, "v1")
        store.close()
        store.close()

    # --- steps of the tests -------------------------------------------------------------

    def _put(self, store: Registry, *blobs: Blob) -> None:
        for blob in blobs:
            store.put_blob(self.repository, blob.descriptor, blob.open)

    def _refuses(
        self, store: Registry, blob: Blob, content: bytes, why: type[IntegrityError]
    ) -> None:
        with pytest.raises(why):
            store.put_blob(self.repository, blob.descriptor, _Opener(content))
        assert not store.has_blob(self.repository, blob.descriptor)
        stored = Blob.of(content, UNHEARD_OF)
        assert not store.has_blob(self.repository, stored.descriptor)

    def _at_once(self, work: Callable[[int], _T]) -> list[_T]:
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(work, range(self.threads)))


class _Opener:
    """Opens some bytes in small blocks; counts how often, and breaks off as often as told."""

    def __init__(self, content: bytes, *, breaks: int = 0) -> None:
        self.opened = 0
        self._content = content
        self._breaks = breaks

    @contextmanager
    def __call__(self, offset: int = 0, /) -> Iterator[Iterator[bytes]]:
        self.opened += 1
        yield self._blocks(offset)

    def _blocks(self, offset: int) -> Iterator[bytes]:
        yield from (self._content[n : n + 64 * 1024] for n in range(offset, self._half, 64 * 1024))
        if self._breaks:
            self._breaks -= 1
            msg = "the source broke off"
            raise ConnectionLost(msg)
        yield self._content[max(self._half, offset) :]

    @property
    def _half(self) -> int:
        return (len(self._content) // 2) // (64 * 1024) * (64 * 1024)


_KINDS: Final[dict[str, Callable[[], Sample]]] = {
    "image": lambda: random_image(90, docker=True),
    "index": lambda: random_index(91, docker=True),
    "nested": lambda: random_index(92, nested=2),
    "attested": lambda: random_index(93, attestations=True),
    "chart": lambda: random_artifact(94),
    "odd": lambda: odd_artifact(95),
}


def _read(store: Registry, repository: str, blob: Descriptor, offset: int = 0) -> bytes:
    with store.open_blob(repository, blob, offset) as blocks:
        return b"".join(blocks)


def _missing_for(store: Registry, repository: str, manifest: Manifest) -> tuple[str, ...] | None:
    """Write a manifest under the tag ``v1``; return what is missing for it if it is refused."""
    try:
        store.put_manifest(repository, manifest, tag=Tag("v1"))
    except ContentMissing as error:
        return error.digests
    return None


def _with_size(blob: Blob, size: int) -> Blob:
    return attrs.evolve(blob, descriptor=attrs.evolve(blob.descriptor, size=size))


def _digest(found: Descriptor | None) -> Digest | None:
    return None if found is None else found.digest


def _tags(artifacts: Iterable[Artifact]) -> list[str]:
    return sorted(str(artifact.tag) for artifact in artifacts if artifact.tag is not None)


def _push_untagged(store: Registry, repository: str, sample: Sample) -> bool:
    """Write a sample without a tag, or under one where that must be."""
    tag = None if store.quirks.manifests_by_digest_first else Tag("untagged")
    for blob in sample.blobs:
        store.put_blob(repository, blob.descriptor, blob.open)
    return store.put_manifest(repository, sample.manifest, tag=tag)


def _oddly_written(image: Sample) -> Sample:
    """Return the image with a manifest that no serialiser would write this way."""
    document = {**image.manifest.document, "x-unknown": {"b": 1, "a": [1, 2.5, None]}}
    raw = b"\n " + json.dumps(document, indent=7).encode() + b"\n\n"
    return attrs.evolve(image, manifests=(Manifest.parse(raw),))
