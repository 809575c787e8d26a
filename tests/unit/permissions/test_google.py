"""Roles and permissions of Google's are the least that a purpose takes."""

from __future__ import annotations

import json
import shlex

import pytest

from harborsync.permissions.google import (
    BECOME_ROLE,
    PERMISSIONS,
    ROLES,
    GarTarget,
    GooglePurpose,
    as_text,
    custom_role,
    grant,
    job_credentials,
    job_member,
    permissions,
    pod_member,
    roles,
)

POOL = "projects/1/locations/global/workloadIdentityPools/ci"


def test_every_purpose_has_permissions_and_a_role() -> None:
    """And the greatest role is enough for all."""
    assert PERMISSIONS.keys() == set(GooglePurpose)
    assert ROLES[-1][1] == set(GooglePurpose)


@pytest.mark.parametrize(
    ("purposes", "role"),
    [
        ([GooglePurpose.PULL], "reader"),
        ([GooglePurpose.DISCOVER], "reader"),
        ([GooglePurpose.PUSH, GooglePurpose.DISCOVER], "writer"),
        ([GooglePurpose.PUSH, GooglePurpose.PRUNE], "repoAdmin"),
        ([GooglePurpose.PULL, GooglePurpose.CREATE], "admin"),
    ],
)
def test_the_least_role_is_named(purposes: list[GooglePurpose], role: str) -> None:
    """Not a greater one."""
    assert roles(purposes) == (f"roles/artifactregistry.{role}",)


def test_no_purpose_takes_nothing() -> None:
    """Neither a role nor a permission."""
    assert roles([]) == ()
    assert permissions([]) == ()


def test_permissions_of_several_purposes_are_told_once() -> None:
    """In order, by their full names."""
    told = permissions([GooglePurpose.PULL, GooglePurpose.PUSH])
    assert told == (
        "artifactregistry.repositories.downloadArtifacts",
        "artifactregistry.repositories.uploadArtifacts",
        "artifactregistry.tags.create",
        "artifactregistry.tags.update",
    )
    role = custom_role([GooglePurpose.PULL], title="mirror")
    assert json.loads(as_text(role))["includedPermissions"] == [told[0]]


def test_a_role_is_granted_on_a_repository_or_a_project() -> None:
    """By a command to paste; a member with brackets stays one word."""
    member = pod_member("acme", "mirror", "harborsync")
    assert member == "serviceAccount:acme.svc.id.goog[mirror/harborsync]"
    words = shlex.split(grant(BECOME_ROLE, member, GarTarget(project="acme")))
    assert words[:4] == ["gcloud", "projects", "add-iam-policy-binding", "acme"]
    assert f"--member={member}" in words
    target = GarTarget(project="acme", location="us", repository="team")
    assert "repositories add-iam-policy-binding team" in grant("r", member, target)


def test_a_job_of_a_ci_needs_no_key() -> None:
    """What it is given to read tells where its own token is."""
    assert job_member(POOL, "repository", "acme/images").endswith(
        "/attribute.repository/acme/images"
    )
    fields = job_credentials(f"{POOL}/providers/github", "/run/token")
    assert fields["audience"] == f"//iam.googleapis.com/{POOL}/providers/github"
    assert fields["credential_source"] == {"file": "/run/token"}
