"""Ask who you are at a registry, and what you may do there, before anything is copied.

python 24_check_before_you_start.py [ENDPOINT]
"""

from __future__ import annotations

import sys

from harborsync import check
from harborsync.checking import policy_for
from harborsync.testing import LoopbackHarbor


def show(endpoint: str) -> bool:
    """Print what is found, and the least that a login must be allowed to push there."""
    found = check(endpoint)
    print(found)
    for policy in policy_for(endpoint, "push"):
        print(f"\nthe least to push:\n{policy.text}")
    return found.ok


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(0 if show(sys.argv[1]) else 1)
    with LoopbackHarbor(redirects=True) as harbor:
        harbor.add_project("open", public=True)
        harbor.push_image("open/app", "1.0")
        show(f"harbor+http://{harbor.host}/open")
