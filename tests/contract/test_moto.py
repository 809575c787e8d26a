"""A second opinion: another project's emulator of ECR takes our calls, as far as it goes.

It has no registry behind it, verifies no signature, and its digests are none of manifests, so
nothing but the form of requests and answers is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest

from harborsync.credentials.aws import AwsApi, AwsIdentity, AwsPlace, login_of
from harborsync.errors import NotFound, RegistryError
from harborsync.provider import OpenContext
from harborsync.registries.amazon import pages
from harborsync.registries.ecr import artifacts_of
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Iterator

moto = pytest.importorskip("moto", reason="moto is not installed")


@pytest.fixture
def api() -> Iterator[AwsApi]:
    """Return our way to its API."""
    with moto.mock_aws():
        session = boto3.Session(aws_access_key_id="AKIA", aws_secret_access_key="x")
        place = AwsPlace(region="eu-west-1")
        yield AwsApi("ecr", AwsIdentity(session=session), place, OpenContext(), per_second=1000.0)


def test_repositories_are_made_and_listed(api: AwsApi) -> None:
    """And a second time is told as we read it."""
    api.call("make it", "create_repository", repositoryName="team/app", registryId=None)
    with pytest.raises(RegistryError) as caught:
        api.call("make it", "create_repository", repositoryName="team/app")
    assert caught.value.codes == ("RepositoryAlreadyExistsException",)
    found = [
        each
        for page in pages(api, "list", "describe_repositories", "repositories")
        for each in page
    ]
    assert [each["repositoryName"] for each in found] == ["team/app"]


def test_images_are_described_as_we_read_them(api: AwsApi) -> None:
    """A tag, a digest, a type, a time."""
    api.call("make it", "create_repository", repositoryName="team/app")
    manifest = random_image(1).manifest
    api.call(
        "put it",
        "put_image",
        repositoryName="team/app",
        imageManifest=manifest.raw.decode(),
        imageTag="v1",
    )
    (page,) = pages(api, "list", "describe_images", "imageDetails", repositoryName="team/app")
    (artifact,) = artifacts_of("team/app", page[0])
    assert artifact.tag == "v1"
    assert artifact.pushed_at


def test_a_repository_that_is_lacking_is_told_so(api: AwsApi) -> None:
    """With our error for it."""
    with pytest.raises(NotFound, match="RepositoryNotFoundException"):
        list(pages(api, "list", "describe_images", "imageDetails", repositoryName="none"))


def test_a_login_is_read(api: AwsApi) -> None:
    """Even one that ended years ago, which it gives."""
    login = login_of(api.call("log in", "get_authorization_token"), "h")
    assert login.username == "AWS"
    assert login.expires_at is not None
