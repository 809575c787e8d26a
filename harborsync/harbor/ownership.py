"""What at a Harbor is ours to change: what bears our mark at the end of its description.

>>> marked("nightly copies", owner="team-a")
'nightly copies [harborsync team-a]'
>>> owner_of("nightly copies [harborsync team-a]")
'team-a'
>>> unmarked("nightly copies [harborsync team-a]")
'nightly copies'
"""

from __future__ import annotations

import re
from typing import Final

from harborsync.errors import InvalidValue

_OWNER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_MARK: Final = re.compile(rf"\s*\[harborsync ({_OWNER.pattern})\]\s*$", re.ASCII)


def check_owner(owner: str) -> str:
    """Return the name of an owner.

    Raises:
        InvalidValue: It cannot stand in a mark.
    """
    if not _OWNER.fullmatch(owner):
        msg = f"{owner[:100]!r} is no name for an owner"
        raise InvalidValue(msg, hint="use up to 64 letters, digits, '_', '.' and '-'")
    return owner


def marked(description: str, *, owner: str) -> str:
    """Return a description with the mark of an owner, in place of any other."""
    return f"{unmarked(description)} [harborsync {owner}]".strip()


def owner_of(description: str) -> str | None:
    """Return whose mark a description bears, or None."""
    found = _MARK.search(description)
    return found[1] if found else None


def unmarked(description: str) -> str:
    """Return a description without a mark."""
    return _MARK.sub("", description)
