"""The contract suite finds what is wrong: registries broken on purpose, and who catches each."""
# ruff: noqa: D102 - each class says how the one method it overrides is wrong

from __future__ import annotations

import html
import itertools
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.artifact import UNAVAILABLE
from harborsync.content import Manifest
from harborsync.errors import NotFound, SizeMismatch
from harborsync.events import BlobOutcome
from harborsync.reference import Digest, Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.registry import Abilities, BlobPut, Room
from harborsync.testing.bulk import BulkRegistry
from harborsync.testing.contract import RegistryContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from harborsync.artifact import Artifact, Hints, Label
    from harborsync.content import Descriptor
    from harborsync.registry import BlobOpener


def _all_of(content: BlobOpener) -> bytes:
    with content() as blocks:
        return b"".join(blocks)


class TakesAnyDigest(MemoryRegistry):
    """Stores what comes under the name it comes with."""

    def put_blob(self, repository: str, blob: Descriptor, content: BlobOpener, **_: Any) -> BlobPut:
        if self.has_blob(repository, blob):
            return BlobPut(outcome=BlobOutcome.PRESENT)
        self._writable(repository).blobs[blob.digest] = _all_of(content)
        return BlobPut(outcome=BlobOutcome.UPLOADED, bytes_sent=blob.size, attempts=1)


class NamesByItself(MemoryRegistry):
    """Stores what comes under the name it hashes to."""

    def put_blob(self, repository: str, blob: Descriptor, content: BlobOpener, **_: Any) -> BlobPut:
        found = _all_of(content)
        digest = Digest.of(found, blob.digest.algorithm)
        self._writable(repository).blobs[digest] = found
        return BlobPut(outcome=BlobOutcome.UPLOADED, bytes_sent=blob.size, attempts=1)


class AlwaysSends(MemoryRegistry):
    """Opens the content even if it has it."""

    def put_blob(
        self, repository: str, blob: Descriptor, content: BlobOpener, **kw: Any
    ) -> BlobPut:
        return super().put_blob(repository, blob, content, absent=True)


class WritesAnew(MemoryRegistry):
    """Reads a manifest and stores what its own serialiser makes of it."""

    def get_manifest(self, repository: str, reference: Tag | Digest) -> Manifest:
        found = super().get_manifest(repository, reference)
        return Manifest.parse(json.dumps(found.document).encode(), found.media_type)


class TagsFirst(MemoryRegistry):
    """Moves the tag, then looks whether the content is there."""

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        held = self._writable(repository)
        if tag is not None:
            held.manifests[manifest.digest] = manifest
            self._move_tag(repository, held, tag, manifest.digest)
        return super().put_manifest(repository, manifest, tag=tag)


class IgnoresOffsets(MemoryRegistry):
    """Sends a blob from its beginning, whatever was asked."""

    @contextmanager
    def open_blob(
        self, repository: str, blob: Descriptor, offset: int = 0
    ) -> Iterator[Iterator[bytes]]:
        with super().open_blob(repository, blob) as blocks:
            yield blocks


class Truncates(MemoryRegistry):
    """Loses the last byte of a long blob."""

    @contextmanager
    def open_blob(
        self, repository: str, blob: Descriptor, offset: int = 0
    ) -> Iterator[Iterator[bytes]]:
        with super().open_blob(repository, blob, offset) as blocks:
            content = b"".join(blocks)
            yield iter((content[:-1] if blob.size > 2**20 else content,))


class AbsentIsEmpty(MemoryRegistry):
    """Opens a blob that is not there as if it had no bytes."""

    @contextmanager
    def open_blob(
        self, repository: str, blob: Descriptor, offset: int = 0
    ) -> Iterator[Iterator[bytes]]:
        if not self.has_blob(repository, blob):
            yield iter(())
            return
        with super().open_blob(repository, blob, offset) as blocks:
            yield blocks


class RaisesWhenAbsent(MemoryRegistry):
    """Takes a question for an order."""

    def resolve(self, repository: str, reference: Tag | Digest) -> Descriptor | None:
        return super().get_manifest(repository, reference).descriptor


class MountLies(MemoryRegistry):
    """Says that it mounted what it never looked for."""

    def put_blob(
        self, repository: str, blob: Descriptor, content: BlobOpener, **kw: Any
    ) -> BlobPut:
        if kw.get("mount_from"):
            return BlobPut(outcome=BlobOutcome.MOUNTED, attempts=1)
        return super().put_blob(repository, blob, content, **kw)


class IgnoresSizes(MemoryRegistry):
    """Looks at digests alone."""

    def _holds(self, repository: str, blob: Descriptor) -> bool:
        return blob.digest in self._peek(repository).blobs


class ListsOnePage(MemoryRegistry):
    """Forgets to ask for the second page of tags."""

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        return itertools.islice(super().list_artifacts(repository), 20)


class ListsTwice(MemoryRegistry):
    """Gets the first page again at the end."""

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        listed = list(super().list_artifacts(repository))
        return iter(listed + listed[:1])


class DropsAnnotations(MemoryRegistry):
    """Lists referrers without what is said about them."""

    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...]:
        found = super().list_referrers(repository, subject)
        return tuple(attrs.evolve(entry, annotation_items=()) for entry in found)


class PretendsToIndex(MemoryRegistry):
    """Sends OCI-Subject and lists nothing."""

    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...]:
        return ()


class LosesUpdates(MemoryRegistry):
    """Reads all tags, waits for the others, and writes all tags with one more."""

    def __init__(self) -> None:
        super().__init__()
        self._meeting = threading.Barrier(RegistryContract.threads)

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        if tag is None or not tag.startswith("parallel-"):
            return super().put_manifest(repository, manifest, tag=tag)
        before = dict(self._peek(repository).tags)
        self._meeting.wait()
        self._peek(repository).pushed_at[tag] = self._clock.now()
        self._peek(repository).tags = {**before, tag: manifest.digest}
        return False


class DeletesByDigest(MemoryRegistry):
    """Takes the digest away, and every tag with it."""

    def delete_tag(self, repository: str, tag: Tag) -> None:
        held = self._peek(repository)
        gone = held.tags.get(tag)
        held.tags = {name: digest for name, digest in held.tags.items() if digest != gone}


class AddsLabels(MemoryRegistry):
    """Never takes a label away."""

    def change_labels(
        self, repository: str, digest: Digest, *, attach: Sequence[Label], detach: frozenset[str]
    ) -> None:
        super().change_labels(repository, digest, attach=attach, detach=frozenset())


class ReplacesLabels(MemoryRegistry):
    """Takes away what nobody spoke of."""

    def change_labels(
        self, repository: str, digest: Digest, *, attach: Sequence[Label], detach: frozenset[str]
    ) -> None:
        rest = self.get_labels(repository, digest)
        super().change_labels(repository, digest, attach=attach, detach=detach | rest)


class PaintsAnew(MemoryRegistry):
    """Gives a label that is there another colour."""

    def change_labels(
        self, repository: str, digest: Digest, *, attach: Sequence[Label], detach: frozenset[str]
    ) -> None:
        super().change_labels(repository, digest, attach=attach, detach=detach)
        for label in attach:
            self.make_label(repository, label)


class LabelsNothing(MemoryRegistry):
    """Says that all went well where there is no artifact."""

    def change_labels(
        self, repository: str, digest: Digest, *, attach: Sequence[Label], detach: frozenset[str]
    ) -> None:
        if self.resolve(repository, digest) is not None:
            super().change_labels(repository, digest, attach=attach, detach=detach)


class EscapesTexts(MemoryRegistry):
    """Stores descriptions for browsers, and hands them out so."""

    def set_description(self, repository: str, text: str) -> None:
        super().set_description(repository, html.escape(text))


class DescribesNothingThere(MemoryRegistry):
    """Makes a repository by describing it."""

    def set_description(self, repository: str, text: str) -> None:
        self.ensure_repository(repository)
        super().set_description(repository, text)


class Describes(MemoryRegistry):
    """Sound, and can tell more: only that the size is not to be had."""

    @property
    def abilities(self) -> Abilities:
        return attrs.evolve(super().abilities, describe=self)

    def describe(self, artifacts: Iterable[Artifact], facts: frozenset[str]) -> Iterator[Artifact]:
        for artifact in artifacts:
            if self.resolve(artifact.repository, artifact.reference) is not None:
                yield attrs.evolve(artifact, size=UNAVAILABLE)


class DescribesBackwards(Describes):
    """Tells it in another order than it was asked."""

    def describe(self, artifacts: Iterable[Artifact], facts: frozenset[str]) -> Iterator[Artifact]:
        return reversed(list(super().describe(artifacts, facts)))


class DescribesNothing(Describes):
    """Gives back what it was given."""

    def describe(self, artifacts: Iterable[Artifact], facts: frozenset[str]) -> Iterator[Artifact]:
        return iter(artifacts)


class ClosesOnce(MemoryRegistry):
    """Does not expect to be closed twice."""

    def close(self) -> None:
        if "close" in self.operations:
            msg = "this is closed"
            raise SizeMismatch(msg)
        super().close()


class WantsWholeIndexes(MemoryRegistry):
    """Says by its quirks that it does not, and takes any index."""

    def _check_complete(self, *_: object) -> None:
        pass


class ShortNames(MemoryRegistry):
    """Knows repositories by their first two components."""

    def _peek(self, repository: str) -> Any:
        return super()._peek("/".join(repository.split("/")[:2]))

    def _writable(self, repository: str) -> Any:
        return super()._writable("/".join(repository.split("/")[:2]))


class KeepsTheFirst(MemoryRegistry):
    """Leaves a tag where it is, without a word."""

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        if tag is not None and self.resolve(repository, tag) is not None:
            tag = None
        return super().put_manifest(repository, manifest, tag=tag)


class HidesUntagged(MemoryRegistry):
    """Finds by digest only what has a tag."""

    def get_manifest(self, repository: str, reference: Tag | Digest) -> Manifest:
        if reference not in {*self._peek(repository).tags, *self._peek(repository).tags.values()}:
            msg = "there is no such tag"
            raise NotFound(msg)
        return super().get_manifest(repository, reference)


class SurveysWithoutTheEmpty(BulkRegistry):
    """Keeps quiet about repositories that are not there."""

    def survey(self, repositories: Sequence[str]) -> Iterator[tuple[str, tuple[Artifact, ...]]]:
        return ((name, listed) for name, listed in super().survey(repositories) if listed)


class NarrowsTooFar(BulkRegistry):
    """Leaves out a tag that fits."""

    def list_matching(self, repository: str, hints: Hints) -> Iterator[Artifact]:
        return (each for each in super().list_matching(repository, hints) if each.tag != "v1.1")


class SaysThatItTags(BulkRegistry):
    """Makes no tag, and says that it did."""

    def add_tag(self, repository: str, digest: Digest, tag: Tag) -> bool:
        return True


class CopiesNoTags(BulkRegistry):
    """Leaves the tags behind."""

    def copy_within(self, from_repository: str, digest: Digest, repository: str) -> bool:
        done = super().copy_within(from_repository, digest, repository)
        self._peek(repository).tags.clear()
        return done


class OwesRoom(BulkRegistry):
    """Tells by how much a quota is exceeded."""

    @property
    def abilities(self) -> Abilities:
        return attrs.evolve(super().abilities, room=self)

    def room(self, repository: str) -> Room | None:
        return Room(whose="project contract", left=-1)


_CAUGHT_BY: dict[type[MemoryRegistry], set[str]] = {
    TakesAnyDigest: {
        "bytes_that_are_not_those_named_are_refused",
        "a_byte_that_flipped_at_the_end_is_noticed",
        "content_that_is_too_short_is_refused",
        "content_that_is_too_long_is_refused",
    },
    NamesByItself: {
        "bytes_that_are_not_those_named_are_refused",
        "content_that_is_too_long_is_refused",
        "a_blob_that_is_there_is_not_sent_again",
    },
    AlwaysSends: {"a_blob_that_is_there_is_not_sent_again"},
    WritesAnew: {
        "a_manifest_comes_back_byte_for_byte",
        "odd_spelling_of_a_manifest_is_kept",
        "every_kind_of_artifact_goes_in_and_out",
    },
    TagsFirst: {
        "nothing_is_tagged_whose_blobs_are_lacking",
        "a_sparse_index_is_taken_or_refused_as_the_quirks_say",
    },
    IgnoresOffsets: {"a_blob_is_read_from_an_offset"},
    Truncates: {"a_blob_comes_back_byte_for_byte"},
    AbsentIsEmpty: {"an_absent_blob_cannot_be_opened", "a_wrong_size_is_told_when_reading"},
    RaisesWhenAbsent: {"what_is_absent_is_none"},
    MountLies: {
        "a_blob_comes_from_another_repository",
        "a_repository_that_lacks_the_blob_is_no_help",
    },
    IgnoresSizes: {"a_blob_of_another_size_is_absent"},
    ListsOnePage: {"every_tag_is_listed_once"},
    ListsTwice: {"every_tag_is_listed_once", "a_tag_moves"},
    DropsAnnotations: {"referrers_are_listed_with_all_that_is_said_of_them"},
    PretendsToIndex: {
        "referrers_are_listed_with_all_that_is_said_of_them",
        "an_indexed_subject_is_really_indexed",
    },
    LosesUpdates: {"many_may_write_tags_at_once"},
    DeletesByDigest: {"taking_a_tag_away_leaves_the_others"},
    AddsLabels: {"labels_are_attached_and_taken_off"},
    ReplacesLabels: {"labels_are_attached_and_taken_off"},
    PaintsAnew: {"a_label_that_is_lacking_is_made"},
    LabelsNothing: {"only_what_is_there_gets_labels"},
    EscapesTexts: {"a_repository_keeps_its_description"},
    DescribesNothingThere: {"what_is_not_there_has_no_description"},
    DescribesBackwards: {"descriptions_of_artifacts_come_in_order"},
    DescribesNothing: {"descriptions_of_artifacts_come_in_order"},
    ClosesOnce: {"closing_may_be_done_twice"},
    WantsWholeIndexes: {"a_sparse_index_is_taken_or_refused_as_the_quirks_say"},
    ShortNames: {"repositories_do_not_mix"},
    KeepsTheFirst: {"a_tag_moves"},
    SurveysWithoutTheEmpty: {"a_survey_tells_what_lists_tell"},
    NarrowsTooFar: {"a_narrowed_list_lacks_nothing_that_fits"},
    SaysThatItTags: {"a_tag_that_is_added_leads_to_the_digest"},
    CopiesNoTags: {"a_copy_within_arrives_whole"},
    OwesRoom: {"room_is_told_for_any_repository"},
    HidesUntagged: {
        "a_manifest_is_written_by_digest_first",
        "every_kind_of_artifact_goes_in_and_out",
    },
}


def _cases(test: Any) -> list[dict[str, Any]]:
    """Return the arguments a test of the suite is called with."""
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "parametrize":
            return [{mark.args[0]: value} for value in mark.args[1]]
    return [{}]


def _failing(make: Callable[[], MemoryRegistry]) -> set[str]:
    """Run the whole suite over fresh registries; return what fails, without the ``test_``."""
    suite, failed = RegistryContract(), set()
    for name in filter(lambda name: name.startswith("test_"), dir(suite)):
        test = getattr(suite, name)
        for arguments in _cases(test):
            try:
                test(store=make(), **arguments)
            except pytest.skip.Exception:
                continue
            except (Exception, pytest.fail.Exception):  # noqa: BLE001 - any failure is one
                failed.add(name.removeprefix("test_"))
    return failed


@pytest.mark.parametrize("sound", [MemoryRegistry, Describes, BulkRegistry])
def test_a_sound_registry_fails_nothing(sound: type[MemoryRegistry]) -> None:
    """What the broken ones are made from is whole."""
    assert _failing(sound) == set()


@pytest.mark.parametrize("broken", _CAUGHT_BY, ids=lambda broken: broken.__name__)
def test_a_broken_registry_is_caught(broken: type[MemoryRegistry]) -> None:
    """By the tests that are about just this, and never by none."""
    assert _CAUGHT_BY[broken] <= _failing(broken)


def test_the_suite_wants_a_registry() -> None:
    """A subclass that forgets the fixture is told so."""
    fixture: Any = RegistryContract.registry
    with pytest.raises(NotImplementedError, match="fixture 'registry'"):
        fixture._get_wrapped_function()(RegistryContract())
