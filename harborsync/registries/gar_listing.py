"""Google's extension of ``tags/list``, which tells manifests and children beside the tags.

It is the form that google/go-containerregistry reads (pkg/v1/google/list.go): ``manifest`` maps
digests to ``tag``, ``mediaType`` and times in milliseconds, as texts or as numbers; ``child``
names what lies below.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote

import attrs

from harborsync.artifact import UNAVAILABLE, Artifact
from harborsync.errors import InvalidReference, RegistryError
from harborsync.reference import Digest, Tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harborsync.http.wire import Answer

#: So many images or tags a listing tells at the most; of more it tells some, and does not say so.
MOST: Final = 10_000
_LACKING: Final[dict[str, Any]] = {"labels": UNAVAILABLE, "immutable": UNAVAILABLE}


@attrs.define
class Listing:
    """What ``tags/list`` has told so far.

    Attributes:
        manifests: What is told of each digest.
        tags: All tags.
        children: What lies below.
    """

    manifests: dict[str, Mapping[str, Any]] = attrs.field(factory=dict)
    tags: set[str] = attrs.field(factory=set)
    children: set[str] = attrs.field(factory=set)

    def add(self, answer: Answer, what: str) -> Self:
        """Take a page in.

        Raises:
            RegistryError: It is no JSON object.
        """
        try:
            page = json.loads(answer.body)
        except (ValueError, RecursionError):
            page = None
        if not isinstance(page, dict):
            msg = f"cannot {what}: the answer is no JSON object"
            hint = "something that is no registry may have answered"
            raise RegistryError(msg, method="GET", status=answer.status, hint=hint)
        self.manifests.update(page.get("manifest") or {})
        self.tags.update(_texts(page.get("tags")))
        self.children.update(_texts(page.get("child")))
        return self

    @property
    def may_lack_some(self) -> bool:
        """Whether there may be more than it tells."""
        return max(len(self.manifests), len(self.tags)) >= MOST

    def artifacts(self, repository: str) -> Iterator[Artifact]:
        """Yield an artifact for each tag; one that no manifest bears comes without a digest."""
        told: set[str] = set()
        for text, row in self.manifests.items():
            facts = _facts(text, row)
            for name in _texts(row.get("tag")):
                tag = tag_of(name)
                told.add(name)
                if tag is not None:
                    yield Artifact(repository=repository, tag=tag, **facts, **_LACKING)
        for tag in filter(None, map(tag_of, sorted(self.tags - told))):
            yield Artifact(repository=repository, tag=tag, pushed_at=UNAVAILABLE, **_LACKING)


def artifact_of(repository: str, row: Mapping[str, Any]) -> Artifact | None:
    """Return the artifact of a tag as the API lists it; None for one that is none."""
    tag = tag_of(unquote(row["name"].rpartition("/")[2]))
    if tag is None:
        return None
    digest = Digest.parse(unquote(row["version"].rpartition("/")[2]))
    return Artifact(
        repository=repository, tag=tag, digest=digest, pushed_at=UNAVAILABLE, **_LACKING
    )


def tag_of(text: str) -> Tag | None:
    """Return a tag, or None."""
    try:
        return Tag(text)
    except InvalidReference:
        return None


def _facts(digest: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "digest": Digest.parse(digest),
        "media_type": row.get("mediaType") or UNAVAILABLE,
        "pushed_at": _time(row.get("timeUploadedMs")),
    }


def _time(milliseconds: Any) -> Any:
    try:
        return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
    except (OverflowError, TypeError, ValueError):
        return UNAVAILABLE


def _texts(found: Any) -> list[str]:
    entries = found if isinstance(found, list) else []
    return [entry for entry in entries if isinstance(entry, str) and entry]
