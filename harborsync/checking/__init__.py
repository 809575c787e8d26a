"""Looks at a registry before anything is copied: who we are there, what we may do, what is wrong.

    >>> from harborsync import check
    >>> from harborsync.testing import LoopbackRegistry
    >>> with LoopbackRegistry() as server:
    ...     found = check(server.endpoint, repository="team/app")
    >>> found.ok
    True

Nothing is written. ``probe="write"`` opens one upload and cancels it, since no registry tells
otherwise whether it takes one. What fails becomes a finding with a remedy, never an exception.
"""

from __future__ import annotations

from harborsync.checking.looking import check
from harborsync.checking.policies import policy_for
from harborsync.checking.values import Check, Policy, Reach

__all__ = ["Check", "Policy", "Reach", "check", "policy_for"]
