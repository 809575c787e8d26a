"""A look over what a Harbor does by itself: what cannot work, misleads or is dangerous.

    with Harbor.open("harbor://harbor.example") as harbor:
        print(lint(harbor))

Harbor takes in many policies that never do anything, or do something else (HARBOR §9). Each
check is a function of an :class:`~harborsync.harbor.inventory.Inventory`, which asks nobody.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from harborsync.clock import Clock, SystemClock
from harborsync.harbor import lint_policies, lint_surroundings
from harborsync.harbor.findings import Findings
from harborsync.harbor.inventory import Inventory, take_inventory

if TYPE_CHECKING:
    from harborsync.harbor.client import Harbor


def lint(harbor: Harbor, *, clock: Clock | None = None) -> Findings:
    """Return what is to be objected to at a Harbor; reads only.

    Args:
        harbor: The Harbor.
        clock: Tells which robots have expired.

    Raises:
        RegistryError: Registries or policies cannot be read.
    """
    return lint_inventory(take_inventory(harbor, now=(clock or SystemClock()).now()))


def lint_inventory(inventory: Inventory) -> Findings:
    """Return what is to be objected to in an inventory; asks nobody."""
    checks = (*lint_policies.CHECKS, *lint_surroundings.CHECKS)
    found = chain.from_iterable(check(inventory) for check in checks)
    return Findings(findings=tuple(found), unseen=inventory.unseen)
