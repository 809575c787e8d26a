"""What an identity of Google's must be allowed to do, by purpose: permissions, and roles with them.

    >>> permissions([GooglePurpose.PULL])
    ('artifactregistry.repositories.downloadArtifacts',)
    >>> roles([GooglePurpose.PULL, GooglePurpose.DISCOVER])
    ('roles/artifactregistry.reader',)
    >>> print(grant("roles/artifactregistry.reader", "user:ann@acme.example", GarTarget(
    ...     project="acme", location="europe-west1", repository="team")))
    gcloud artifacts repositories add-iam-policy-binding team --project=acme \
--location=europe-west1 --member=user:ann@acme.example --role=roles/artifactregistry.reader

What is in each role is by Google's reference of roles; which permissions are needed is by the
reference of each method, and by what our own requests were seen to take.
"""

from __future__ import annotations

import json
import shlex
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable


class GooglePurpose(StrEnum):
    """What an identity is for."""

    PULL = "copy from Artifact Registry, repositories known"
    DISCOVER = "list repositories, and more than ten thousand tags of one"
    PUSH = "copy to Artifact Registry"
    CREATE = "create missing repositories"
    PRUNE = "delete tags"


#: What each purpose takes, without ``artifactregistry.``.
PERMISSIONS: Final = {
    GooglePurpose.PULL: ("repositories.downloadArtifacts",),
    GooglePurpose.DISCOVER: ("packages.list", "repositories.list", "tags.list"),
    # A push asks first what is there. A tag that is new is made, one that moves is changed.
    GooglePurpose.PUSH: (
        "repositories.downloadArtifacts",
        "repositories.uploadArtifacts",
        "tags.create",
        "tags.update",
    ),
    GooglePurpose.CREATE: ("repositories.create",),
    GooglePurpose.PRUNE: ("repositories.downloadArtifacts", "tags.delete"),
}

_READER: Final = "roles/artifactregistry.reader"
_WRITER: Final = "roles/artifactregistry.writer"
_CREATOR: Final = "roles/artifactregistry.admin"
_CLEANER: Final = "roles/artifactregistry.repoAdmin"
#: From the least to the most: what each of Google's roles is enough for.
ROLES: Final = (
    (_READER, frozenset({GooglePurpose.PULL, GooglePurpose.DISCOVER})),
    (_WRITER, frozenset({GooglePurpose.PULL, GooglePurpose.DISCOVER, GooglePurpose.PUSH})),
    (_CLEANER, frozenset(GooglePurpose) - {GooglePurpose.CREATE}),
    (_CREATOR, frozenset(GooglePurpose)),
)
#: For who pushes to a ``gcr.io`` host whose repository is made by the first push.
CREATE_ON_PUSH_ROLE: Final = "roles/artifactregistry.createOnPushWriter"
#: For who acts for a service account, on that account.
LEND_ROLE: Final = "roles/iam.serviceAccountTokenCreator"
#: For who is a service account by a federation or as a pod of GKE, on that account.
BECOME_ROLE: Final = "roles/iam.workloadIdentityUser"


@attrs.frozen(kw_only=True)
class GarTarget:
    """Where something is allowed.

    Attributes:
        project: The project.
        location: The location; needed with a repository.
        repository: The repository, or nothing for the whole project.
    """

    project: str
    location: str = ""
    repository: str = ""


def permissions(purposes: Iterable[GooglePurpose]) -> tuple[str, ...]:
    """Return the permissions that an identity needs, and none beyond them."""
    names = {name for purpose in purposes for name in PERMISSIONS[purpose]}
    return tuple(f"artifactregistry.{name}" for name in sorted(names))


def roles(purposes: Iterable[GooglePurpose]) -> tuple[str, ...]:
    """Return the least of Google's own roles that is enough; nothing for no purpose."""
    wanted = frozenset(purposes)
    enough = (role for role, good_for in ROLES if wanted and wanted <= good_for)
    return tuple(enough)[:1]


def custom_role(purposes: Iterable[GooglePurpose], *, title: str = "harborsync") -> dict[str, Any]:
    """Return a role of one's own with just these permissions, as ``gcloud iam roles create`` takes it."""
    return {
        "title": title,
        "stage": "GA",
        "includedPermissions": list(permissions(purposes)),
    }


def grant(role: str, member: str, target: GarTarget) -> str:
    """Return the command that gives a member a role.

    Args:
        role: The role.
        member: Who gets it, such as ``serviceAccount:NAME@PROJECT.iam.gserviceaccount.com``.
        target: Where.
    """
    if target.repository:
        words = [
            *("gcloud", "artifacts", "repositories", "add-iam-policy-binding", target.repository),
            f"--project={target.project}",
            f"--location={target.location}",
        ]
    else:
        words = ["gcloud", "projects", "add-iam-policy-binding", target.project]
    return shlex.join([*words, f"--member={member}", f"--role={role}"])


def pod_member(project: str, namespace: str, account: str) -> str:
    """Return the member that a pod's service account is, for :data:`BECOME_ROLE` (GKE).

    Args:
        project: The cluster's project.
        namespace: The pod's namespace.
        account: Its Kubernetes service account.
    """
    return f"serviceAccount:{project}.svc.id.goog[{namespace}/{account}]"


def job_member(pool: str, attribute: str, value: str) -> str:
    """Return the member that a job of a CI is, by an attribute of its token.

    Args:
        pool: ``projects/NUMBER/locations/global/workloadIdentityPools/NAME``.
        attribute: The attribute that the provider maps, such as ``repository``.
        value: Its value, such as ``acme/images``.
    """
    return f"principalSet://iam.googleapis.com/{pool}/attribute.{attribute}/{value}"


def job_credentials(provider: str, token_file: str) -> dict[str, Any]:
    """Return the credential file of a job of a CI; it holds no secret.

    Args:
        provider: ``projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/NAME``.
        token_file: Where the job's own token is.
    """
    return {
        "type": "external_account",
        "audience": f"//iam.googleapis.com/{provider}",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": token_file},
    }


def as_text(document: dict[str, Any]) -> str:
    """Return a document as Google's tools take it."""
    return json.dumps(document, indent=2)
