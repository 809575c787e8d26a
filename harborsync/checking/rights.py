"""What we may do, found out by doing it; of writing, an upload that is cancelled at the most."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final

from harborsync.checking.remedies import finding_of
from harborsync.errors import Cancelled, CredentialsError, Denied, HarborsyncError, NotFound
from harborsync.insight import Can, Deed, Right

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harborsync.artifact import Artifact
    from harborsync.content import Descriptor, Manifest
    from harborsync.insight import Finding
    from harborsync.provider import Checks
    from harborsync.registry import Registry

#: What the distribution API's tokens call each deed.
ACTIONS: Final = {
    Deed.LIST: "pull",
    Deed.PULL: "pull",
    Deed.PUSH: "pull,push",
    Deed.CREATE: "pull,push",
    Deed.DELETE: "delete",
    Deed.MOUNT: "pull,push",
    Deed.REFERRERS: "pull",
}
_WRITES: Final = "not tried, since it writes"
_NOTHING_THERE: Final = "there is nothing in it to try with"


class Trial:
    """Tries what may be done in one repository; one thread.

    Args:
        registry: The registry.
        repository: The repository; empty if none is known.
        checks: What the product calls its permissions.
        granted: Whether the token grants each scope, as far as it tells.
        write: Whether an upload may be opened.

    Attributes:
        findings: What went wrong on the way, beside what is not allowed.
        storage: The origin that blobs come from, if one was read.
    """

    def __init__(
        self,
        registry: Registry,
        repository: str,
        checks: Checks,
        granted: Mapping[str, bool | None],
        *,
        write: bool,
    ) -> None:
        self._registry = registry
        self._repository = repository
        self._checks = checks
        self._granted = granted
        self._write = write
        self._told: dict[Deed, tuple[Can, str]] = {}
        self.findings: list[Finding] = []
        self.storage: str | None = None

    def rights(self) -> tuple[Right, ...]:
        """Try everything, and return what we may do."""
        if self._repository:
            self._read()
            self._try_writing()
        return tuple(self._right(deed) for deed in Deed)

    # --- trying ----------------------------------------------------------------------------

    def _read(self) -> None:
        artifact = self._first_listed()
        if artifact is None or artifact.tag is None:
            return
        manifest: Manifest | None = None
        with self._trying(Deed.PULL, "a blob was read"):
            manifest = self._registry.get_manifest(self._repository, artifact.tag)
            self._open_one(manifest)
        if manifest is not None:
            self._look_for_referrers(manifest)

    def _first_listed(self) -> Artifact | None:
        found: list[Artifact] = []
        with self._trying(Deed.LIST, "tags were listed"):
            found += islice(self._registry.list_artifacts(self._repository), 1)
            if not found:
                self._told[Deed.LIST] = Can.UNKNOWN, "it has no tags, or is not there"
        return found[0] if found else None

    def _open_one(self, manifest: Manifest) -> None:
        blob = min(blobs_of(self._registry, self._repository, manifest), key=_size, default=None)
        probes = self._registry.abilities.probes
        if blob is None:
            return
        if probes is not None:
            self.storage = probes.served_from(self._repository, blob)
            return
        with self._registry.open_blob(self._repository, blob) as blocks:
            next(iter(blocks), b"")

    def _look_for_referrers(self, manifest: Manifest) -> None:
        ability = self._registry.abilities.referrers
        found = None
        with self._trying(Deed.REFERRERS, "its API was asked"):
            if ability is not None:
                found = ability.list_referrers(self._repository, manifest.digest)
            if found is None:
                why = "it has no API for them: signatures are found by tags"
                self._told[Deed.REFERRERS] = Can.NO, why

    def _try_writing(self) -> None:
        abilities = self._registry.abilities
        if abilities.mounts is None:
            self._told[Deed.MOUNT] = Can.NO, "the registry does not mount blobs"
        if self._write and abilities.probes is not None:
            with self._trying(Deed.PUSH, "an upload was opened and cancelled"):
                abilities.probes.try_upload(self._repository)
            if abilities.creates is None:
                can, _ = self._told[Deed.PUSH]
                self._told[Deed.CREATE] = can, "repositories are made by the first push"

    @contextmanager
    def _trying(self, deed: Deed, how: str) -> Iterator[None]:
        """Note what came of a deed; what is told in between stays."""
        try:
            yield
        except (Denied, CredentialsError) as error:
            self._told[deed] = Can.NO, error.message
            self.findings.append(finding_of(error))
        except Cancelled:
            raise
        except NotFound as error:
            self._told[deed] = Can.UNKNOWN, error.message
        except HarborsyncError as error:
            self._told[deed] = Can.UNKNOWN, error.message
            self.findings.append(finding_of(error))
        else:
            self._told.setdefault(deed, (Can.YES, how))

    # --- judging ---------------------------------------------------------------------------

    def _right(self, deed: Deed) -> Right:
        can, why = self._told.get(deed) or self._untried(deed)
        return Right(deed=deed, can=can, permission=self._permission(deed), why=why)

    def _untried(self, deed: Deed) -> tuple[Can, str]:
        """Judge by the token: that it withholds something is sure, that it grants it is not all."""
        if not self._repository:
            return Can.UNKNOWN, "no repository is known: name one"
        grants = self._granted.get(scope_of(self._repository, deed))
        if grants is False:
            return Can.NO, "the token does not grant it"
        reason = _WRITES if deed in _WRITING else _NOTHING_THERE
        return Can.UNKNOWN, f"the token grants it; {reason}" if grants else reason

    def _permission(self, deed: Deed) -> str:
        return _permission(self._checks, deed, self._repository)


_WRITING: Final = frozenset({Deed.PUSH, Deed.CREATE, Deed.DELETE, Deed.MOUNT})


def untried(checks: Checks, repository: str, why: str) -> tuple[Right, ...]:
    """Return rights that nothing is known of."""
    return tuple(
        Right(
            deed=deed,
            can=Can.UNKNOWN,
            permission=_permission(checks, deed, repository),
            why=why,
        )
        for deed in Deed
    )


def _permission(checks: Checks, deed: Deed, repository: str) -> str:
    name = checks.permissions.get(deed) or scope_of("{repository}", deed)
    return name.replace("{repository}", repository or "REPOSITORY")


def scope_of(repository: str, deed: Deed) -> str:
    """Return the scope of a token that a deed takes."""
    return f"repository:{repository}:{ACTIONS[deed]}"


def blobs_of(registry: Registry, repository: str, manifest: Manifest) -> tuple[Descriptor, ...]:
    """Return the blobs of an image, of an index those of its first image."""
    if manifest.is_index:
        first = next(iter(manifest.entries), None)
        if first is None:
            return ()
        return blobs_of(registry, repository, registry.get_manifest(repository, first.digest))
    return manifest.blobs


def with_told(rights: Iterable[Right], told: Iterable[Right]) -> tuple[Right, ...]:
    """Return rights with what the product's own interface knows better."""
    better = {right.deed: right for right in told if right.can is not Can.UNKNOWN}
    return tuple(better.get(right.deed, right) for right in rights)


def _size(blob: Descriptor) -> int:
    return blob.size
