"""What Amazon tells of us: who is asking by STS, and whether tags may be listed by ECR's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harborsync.checking.policies import below
from harborsync.credentials.aws import AwsApi, AwsIdentity, AwsPlace, place_options
from harborsync.credentials.cloud import handed_over
from harborsync.errors import Denied, HarborsyncError, NotFound
from harborsync.insight import Can, Deed, Direction, Finding, Identity, Insight, Right, Severity
from harborsync.permissions.aws import (
    ACTIONS,
    AwsPurpose,
    EcrRepositories,
    as_text,
    policy,
    public_policy,
)
from harborsync.provider import Checks
from harborsync.registries.amazon import CALLS_PER_SECOND, open_api
from harborsync.registries.ecr import EcrPlace
from harborsync.registries.ecr_public import REGION as PUBLIC_REGION

if TYPE_CHECKING:
    from harborsync.endpoint import Endpoint
    from harborsync.provider import OpenContext


def _actions(*purposes: AwsPurpose) -> str:
    names = dict.fromkeys(name for purpose in purposes for name in ACTIONS[purpose])
    return ", ".join(f"ecr:{name}" for name in names)


_PERMISSIONS: Final = {
    Deed.LIST: _actions(AwsPurpose.DISCOVER),
    Deed.PULL: _actions(AwsPurpose.PULL),
    Deed.PUSH: _actions(AwsPurpose.PUSH),
    Deed.CREATE: _actions(AwsPurpose.CREATE),
    Deed.DELETE: _actions(AwsPurpose.PRUNE),
    Deed.MOUNT: _actions(AwsPurpose.PUSH),
    Deed.REFERRERS: "ecr:BatchGetImage",
}


def _look(endpoint: Endpoint, context: OpenContext, repository: str) -> Insight:
    place = EcrPlace.of(endpoint)
    identity = _identity(endpoint, context, place.region)
    api = open_api(
        "ecr",
        endpoint,
        context,
        region=place.region,
        fips=place.fips,
        dual_stack=place.dual_stack,
    )
    findings = [*_other_account(identity, place)]
    rights: tuple[Right, ...] = ()
    if repository:
        what = f"list the images of {repository}"
        try:
            api.call(
                what,
                "describe_images",
                registryId=place.account,
                repositoryName=repository,
                maxResults=1,
            )
        except NotFound:
            pass
        except Denied as error:
            findings.append(Finding.of(error, Severity.WARNING))
        else:
            rights = (Right(deed=Deed.LIST, can=Can.YES, why="DescribeImages was asked"),)
    return Insight(identity=identity, rights=rights, findings=tuple(findings))


def _look_at_public(endpoint: Endpoint, context: OpenContext, repository: str) -> Insight:  # noqa: ARG001 - the signature of Checks.look
    try:
        return Insight(identity=_identity(endpoint, context, PUBLIC_REGION))
    except HarborsyncError as error:
        # Everybody may pull.
        return Insight(findings=(Finding.of(error, Severity.NOTE),))


def _identity(endpoint: Endpoint, context: OpenContext, region: str) -> Identity:
    options = place_options(endpoint)
    url = options["sts_url"]
    place = AwsPlace(region=region, url=url, sts_url=url, proxy=options["proxy"])
    given = handed_over(context.credentials, AwsIdentity) or AwsIdentity()
    asking = given.with_options(endpoint.options)
    sts = AwsApi("sts", asking, place, context, per_second=CALLS_PER_SECOND)
    told = sts.call("ask STS who we are", "get_caller_identity")
    arn = str(told["Arn"])
    kind = arn.rpartition(":")[2].partition("/")[0]
    details = (("account", str(told["Account"])),)
    return Identity(name=arn, kind=kind, origin="AWS (STS)", details=details)


def _other_account(identity: Identity, place: EcrPlace) -> tuple[Finding, ...]:
    account = dict(identity.details)["account"]
    if account == place.account:
        return ()
    what = f"we are of the account {account}, and the registry is of {place.account}"
    remedy = "let the repositories' own policies name us, or assume a role there: ?role_arn=ARN"
    return (Finding(severity=Severity.WARNING, what=what, remedy=remedy),)


def _apis(endpoint: Endpoint) -> tuple[str, ...]:
    place, options = EcrPlace.of(endpoint), endpoint.options
    domain = _domain(place)
    ecr = options.get("api", f"https://{_ecr_host(place, domain)}")
    return (ecr, options.get("sts_api", f"https://sts.{place.region}.{domain}"))


def _domain(place: EcrPlace) -> str:
    """Return the domain of a region's APIs: that of the registry, but for those with IPv6."""
    domain = place.host.partition(f".{place.region}.")[2]
    if domain.startswith("amazonaws") or domain.endswith("gov"):
        return domain
    return "amazonaws.com.cn" if place.region.startswith("cn-") else "amazonaws.com"


def _ecr_host(place: EcrPlace, domain: str) -> str:
    """Return the host of ECR's API, by botocore's table of endpoints."""
    service = "ecr-fips" if place.fips else "ecr"
    if place.dual_stack:
        suffix = "api.amazonwebservices.com.cn" if domain.endswith(".cn") else "api.aws"
        return f"{service}.{place.region}.{suffix}"
    return f"{'' if place.fips else 'api.'}{service}.{place.region}.{domain}"


def _public_apis(endpoint: Endpoint) -> tuple[str, ...]:
    return (endpoint.options.get("api", f"https://api.ecr-public.{PUBLIC_REGION}.amazonaws.com"),)


def _policy(endpoint: Endpoint, direction: Direction) -> str:
    place = EcrPlace.of(endpoint)
    purposes = [AwsPurpose.DISCOVER, AwsPurpose.PULL]
    if direction is Direction.PUSH:
        purposes = [AwsPurpose.DISCOVER, AwsPurpose.PUSH, AwsPurpose.CREATE]
    partition = "aws-cn" if place.region.startswith("cn-") else "aws"
    registry = EcrRepositories(
        account=place.account,
        region=place.region,
        repositories=below(place.prefix),
        partition="aws-us-gov" if place.region.startswith("us-gov-") else partition,
    )
    return as_text(policy(purposes, registry))


def _policy_of_public(endpoint: Endpoint, direction: Direction) -> str:  # noqa: ARG001 - the signature of Checks.policy
    return as_text(public_policy(push=direction is Direction.PUSH))


ECR: Final = Checks(permissions=_PERMISSIONS, look=_look, apis=_apis, policy=_policy)
ECR_PUBLIC: Final = Checks(
    permissions={
        deed: names.replace("ecr:", "ecr-public:") for deed, names in _PERMISSIONS.items()
    },
    look=_look_at_public,
    apis=_public_apis,
    policy=_policy_of_public,
)
