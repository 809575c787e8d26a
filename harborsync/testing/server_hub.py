"""What every part of the embedded registry's API needs: its storage, switches, names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import attrs

from harborsync.errors import InvalidReference
from harborsync.reference import Digest, Tag, check_repository
from harborsync.testing.server_wire import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harborsync.clock import Clock
    from harborsync.testing.profiles import LoopbackQuirks
    from harborsync.testing.server_wire import Request
    from harborsync.testing.storage import Storage
    from harborsync.testing.tokens import Auth


class Guard(Protocol):
    """What a product checks beyond the specification."""

    def check_repository(self, request: Request, repository: str) -> None:
        """Let a request to a repository pass.

        Raises:
            Refusal: The repository is not there, or not for this.
        """
        ...

    def check_tags(self, repository: str, tags: Sequence[str], digest: Digest) -> None:
        """Let a manifest be stored under its digest and these tags.

        Raises:
            Refusal: A tag may not be moved.
        """
        ...


@attrs.frozen(kw_only=True)
class Hub:
    """The things the handlers share.

    Attributes:
        storage: What the registry holds.
        quirks: How it differs from the specification.
        clock: Its time.
        auth: Who may do what, or None for everybody everything.
        storage_origin: Scheme and host of its second address, for what is on another host.
        guard: Checks what the product checks beyond the specification, or None.
        tells: Returns what the product tells beside a list of tags, given the repository, or None.
        raced: Fallback tags whose first write was undone, by repository and tag.
    """

    storage: Storage
    quirks: LoopbackQuirks
    clock: Clock
    auth: Auth | None = None
    storage_origin: str = ""
    guard: Guard | None = None
    tells: Callable[[str], Mapping[str, Any]] | None = None
    raced: set[tuple[str, str]] = attrs.field(factory=set)


def repository_name(text: str) -> str:
    """Return a repository name.

    Raises:
        Refusal: It is none.
    """
    try:
        return check_repository(text)
    except InvalidReference as error:
        raise Refusal(400, "NAME_INVALID", "invalid repository name") from error


def digest_or_refuse(text: str | None) -> Digest:
    """Return a digest whose content can be checked.

    Raises:
        Refusal: It is none, or of an algorithm that is not known.
    """
    try:
        digest = Digest.parse(text or "")
    except InvalidReference as error:
        raise Refusal(400, "DIGEST_INVALID", "invalid digest format") from error
    if not digest.verifiable:
        raise Refusal(400, "DIGEST_INVALID", "unsupported digest algorithm")
    return digest


def tag_or_refuse(text: str) -> str:
    """Return a tag.

    Raises:
        Refusal: It is none.
    """
    try:
        return Tag(text)
    except InvalidReference as error:
        raise Refusal(400, "TAG_INVALID", "invalid tag") from error
