"""Upload sessions: where they go on, and how far they are."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

import attrs

from harborsync.registries.calls import whole_number

if TYPE_CHECKING:
    from harborsync.reference import Digest


@attrs.frozen(kw_only=True)
class Session:
    """An upload session at the server.

    Attributes:
        url: Where it goes on; may hold secrets.
        offset: How many bytes the server has.
        min_chunk: The shortest piece the server wants, or 0 (OCI-4.13).
    """

    url: str = attrs.field(repr=False)
    offset: int = 0
    min_chunk: int = 0

    def commit_url(self, digest: Digest) -> str:
        """Return the URL that commits under ``digest``; the server's part stays as it is (OCI-4.11)."""
        glue = "" if self.url.endswith(("?", "&")) else "&" if "?" in self.url else "?"
        return f"{self.url}{glue}digest={quote(str(digest), safe='')}"


def resolve_location(base: str, location: str) -> str:
    """Resolve a Location without touching a byte of its query (OCI-4.11)."""
    if location.startswith("/") and not location.startswith("//"):
        parts = urlsplit(base)
        return f"{parts.scheme}://{parts.netloc}{location}"
    target, mark, query = location.partition("?")
    return urljoin(base.partition("?")[0], target) + mark + query


def read_offset(span: str) -> int | None:
    """Read how many bytes a session's Range stands for, or None if it is nonsense (OCI-4.14).

    Servers say ``0-0`` for nothing and for one byte; it counts as nothing.
    """
    if not span:
        return 0
    last = whole_number(span.rpartition("-")[2])
    return last + 1 if last else last
