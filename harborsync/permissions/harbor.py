"""What a robot of Harbor must be allowed to do, by purpose, and what it can be allowed at all.

    >>> for access in needed(Purpose.PULL):
    ...     print(access)
    repository:pull

The purposes are those of HARBOR §11; what can be granted is what Harbor 2.15.2 answers to
``GET /permissions``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable


class Kind(StrEnum):
    """Where a permission holds."""

    PROJECT = "project"
    SYSTEM = "system"


@attrs.frozen(order=True)
class Access:
    """One thing that may be done.

    Attributes:
        resource: What it is done to, such as ``artifact``.
        action: What is done, such as ``list``.
    """

    resource: str
    action: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``artifact:list``."""
        resource, _, action = text.partition(":")
        return cls(resource, action)

    def __str__(self) -> str:
        """Return it as Harbor writes it."""
        return f"{self.resource}:{self.action}"


class Purpose(StrEnum):
    """What a robot is for."""

    PULL = "copy from Harbor, tags known"
    DISCOVER = "find repositories, tags, labels and signatures"
    PUSH = "copy to Harbor"
    METADATA = "write descriptions and labels"
    TAGS = "make tags without pushing"
    PRUNE = "delete artifacts and tags"
    SERVER_SIDE_COPY = "copy within one Harbor"
    IMMUTABILITY = "read which tags are immutable"
    QUOTA = "read how much room is left"
    WEBHOOKS = "manage webhooks"
    PREHEAT = "manage and run preheat policies"
    AUDIT = "read the log of a project"
    CREATE_PROJECT = "create missing projects"
    CATALOG = "list every repository by the catalog"
    REPLICATION = "manage far registries and replication policies, and run them"
    PREHEAT_INSTANCES = "manage preheat instances"
    AUDIT_ALL = "read the audit log"


def _accesses(*texts: str) -> tuple[Access, ...]:
    """Read ``resource:action,action`` texts."""
    pairs = (text.partition(":") for text in texts)
    return tuple(
        Access(resource, action) for resource, _, actions in pairs for action in actions.split(",")
    )


_ALL: Final = "create,read,update,delete,list"

#: What each purpose takes inside the project it is for.
IN_PROJECT: Final = {
    Purpose.PULL: _accesses("repository:pull"),
    Purpose.DISCOVER: _accesses(
        "repository:list,read", "artifact:list,read", "tag:list", "accessory:list", "label:list"
    ),
    # A push asks first what is there, which is a pull.
    Purpose.PUSH: _accesses("repository:pull,push"),
    Purpose.METADATA: _accesses(
        "repository:update", "label:create,list", "artifact-label:create,delete"
    ),
    Purpose.TAGS: _accesses("tag:create,delete"),
    Purpose.PRUNE: _accesses("artifact:delete", "tag:delete"),
    Purpose.SERVER_SIDE_COPY: _accesses("artifact:create,read"),
    Purpose.IMMUTABILITY: _accesses("immutable-tag:list"),
    # The summary of a project wants both (GetProjectSummary of Harbor).
    Purpose.QUOTA: _accesses("project:read", "quota:read"),
    Purpose.WEBHOOKS: _accesses(f"notification-policy:{_ALL}"),
    Purpose.PREHEAT: _accesses(f"preheat-policy:{_ALL}"),
    Purpose.AUDIT: _accesses("log:list"),
}

#: What each purpose takes of the system as a whole.
IN_SYSTEM: Final = {
    Purpose.CREATE_PROJECT: _accesses("project:create"),
    Purpose.CATALOG: _accesses("catalog:read"),
    Purpose.REPLICATION: _accesses(
        f"registry:{_ALL}",
        f"replication-policy:{_ALL}",
        "replication:create,read,list",
        "replication-adapter:list",
    ),
    Purpose.PREHEAT_INSTANCES: _accesses(f"preheat-instance:{_ALL}"),
    Purpose.AUDIT_ALL: _accesses("audit-log:list"),
}

#: What can be granted to a robot at all (Harbor 2.15.2).
GRANTABLE: Final = {
    Kind.PROJECT: frozenset(
        _accesses(
            "accessory:list",
            "artifact-addition:read",
            "artifact-label:create,delete",
            "artifact:create,delete,list,read",
            "export-cve:create,read",
            "immutable-tag:create,delete,list,update",
            f"label:{_ALL}",
            "log:list",
            f"member:{_ALL}",
            f"metadata:{_ALL}",
            f"notification-policy:{_ALL}",
            f"preheat-policy:{_ALL}",
            "project:delete,read,update",
            "quota:read",
            "repository:delete,list,pull,push,read,update",
            "robot:create,delete,list,read",
            "sbom:create,read,stop",
            "scan:create,read,stop",
            "scanner:create,read",
            f"tag-retention:{_ALL}",
            "tag:create,delete,list",
        )
    ),
    Kind.SYSTEM: frozenset(
        _accesses(
            "audit-log:list",
            "catalog:read",
            "garbage-collection:create,list,read,stop,update",
            "jobservice-monitor:list,stop",
            "label:create,delete,read,update",
            "ldap-user:create,list",
            f"preheat-instance:{_ALL}",
            "project:create,list",
            "purge-audit:create,list,read,stop,update",
            "quota:list,read,update",
            f"registry:{_ALL}",
            "replication-adapter:list",
            f"replication-policy:{_ALL}",
            "replication:create,list,read",
            "robot:create,delete,list,read",
            "scan-all:create,read,stop,update",
            f"scanner:{_ALL}",
            "security-hub:list,read",
            "system-volumes:read",
            f"user-group:{_ALL}",
            f"user:{_ALL}",
        )
    ),
}


def needed(*purposes: Purpose, kind: Kind = Kind.PROJECT) -> tuple[Access, ...]:
    """Return what some purposes take together, each access once.

    Args:
        purposes: What for.
        kind: Whether inside a project, or of the system.
    """
    table = IN_PROJECT if kind is Kind.PROJECT else IN_SYSTEM
    return _distinct(access for purpose in purposes for access in table.get(purpose, ()))


def _distinct(accesses: Iterable[Access]) -> tuple[Access, ...]:
    return tuple(dict.fromkeys(accesses))
