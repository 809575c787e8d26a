"""What each product adds: who we are by its own word, its permissions, its policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync import ReplicationRule, check
from harborsync.checking import policy_for
from harborsync.checking.vendors import checks_of
from harborsync.endpoint import Endpoint
from harborsync.gate import find_provider
from harborsync.insight import Can, Deed, Direction, Finding, Identity, Insight, Right, Severity
from harborsync.provider import Checks, OpenContext, Provider
from harborsync.retry import RetryPolicy
from harborsync.testing import LoopbackEcr, LoopbackEcrPublic, LoopbackHarbor
from harborsync.testing.cloud_aliyun import LoopbackAcr
from harborsync.testing.cloud_aliyun_personal import LoopbackAcrPersonal
from harborsync.testing.cloud_google import LoopbackGar
from harborsync.testing.cloud_tencent import LoopbackTcr
from harborsync.testing.cloud_tencent_personal import LoopbackTcrPersonal

if TYPE_CHECKING:
    from harborsync import Check


def right(found: Check, deed: Deed) -> Right:
    """Return one right."""
    return next(each for each in found.rights if each.deed is deed)


# --- Harbor --------------------------------------------------------------------------------------


def test_harbor_tells_a_user_and_an_administrator(log_in: Any) -> None:
    """By its own word, not by the login's."""
    with LoopbackHarbor() as harbor:
        harbor.add_project("team")
        harbor.push_image("team/app", "1.0")
        context = log_in(harbor.host, "admin", "Harbor12345")
        found = check(Endpoint.parse(f"harbor+http://{harbor.host}/team"), context, probe="write")
    assert found.ok
    assert found.identity is not None
    assert (found.identity.kind, found.identity.name) == ("administrator", "admin")
    assert right(found, Deed.PUSH).can is Can.YES


def test_a_robot_that_may_only_pull_is_told_so(log_in: Any) -> None:
    """Its token says so, without a try; the permission bears Harbor's name."""
    access = ["repository:pull", "repository:list", "artifact:list", "tag:list"]
    with LoopbackHarbor(redirects=True) as harbor:
        harbor.add_project("team")
        harbor.push_image("team/app", "1.0")
        robot = harbor.add_robot("sync", project="team", access=access)
        context = log_in(harbor.host, robot.name, robot.secret)
        found = check(f"harbor+http://{harbor.host}/team", context)
    assert found.ok
    assert found.identity is not None
    assert found.identity.kind == "robot"
    assert right(found, Deed.PULL).can is Can.YES
    assert right(found, Deed.PUSH).can is Can.NO
    assert "repository:push" in right(found, Deed.PUSH).permission
    assert "storage" in {reach.purpose for reach in found.hosts}


def test_a_wrong_login_is_shown_to_harbor_only_once(log_in: Any) -> None:
    """Each further one would lock the user out for longer."""
    with LoopbackHarbor() as harbor:
        harbor.add_project("team")
        context = log_in(harbor.host, "admin", "Wrong0Wrong")
        found = check(f"harbor+http://{harbor.host}/team", context)
        shown = [line for line in harbor.requests if "authorization" in line.headers]
    assert len(shown) == 1
    assert not found.ok
    assert {each.why for each in found.rights} == {"the login is refused"}


def test_a_login_that_the_endpoint_names_is_looked_at(log_in: Any) -> None:
    """It is the one that copies would use."""
    with LoopbackHarbor() as harbor:
        harbor.add_project("team")
        harbor.push_image("team/app", "1.0")
        context = log_in("mirror", "admin", "Harbor12345")
        found = check(f"harbor+http://{harbor.host}/team?credentials=mirror", context)
        lacking = check(f"harbor+http://{harbor.host}/team?credentials=other", context)
    assert found.ok
    assert found.identity is not None
    assert found.identity.name == "admin"
    assert "no login named 'other'" in lacking.findings[0].what


def test_a_harbor_without_the_project_or_in_read_only_mode_says_so(log_in: Any) -> None:
    """Both are warnings: what is there can still be read."""
    with LoopbackHarbor() as harbor:
        harbor.state.settings["read_only"] = True
        context = log_in(harbor.host, "admin", "Harbor12345")
        found = check(f"harbor+http://{harbor.host}/nowhere", context)
    warnings = [each.what for each in found.findings if each.severity is Severity.WARNING]
    assert any("read-only" in what for what in warnings)
    assert any("nowhere" in what for what in warnings)


def test_nobody_is_nobody_at_harbor() -> None:
    """A public project is read without a login."""
    with LoopbackHarbor() as harbor:
        harbor.add_project("open", public=True)
        harbor.push_image("open/app", "1.0")
        found = check(f"harbor+http://{harbor.host}/open", OpenContext(), repository="open/app")
    assert found.identity is None
    assert right(found, Deed.PULL).can is Can.YES


def test_the_policy_for_harbor_is_a_robot() -> None:
    """As its API takes it, for the project of the endpoint."""
    (push,) = policy_for("harbor://h.example/team", Direction.PUSH)
    robot = json.loads(push.text)
    (permission,) = robot["permissions"]
    assert permission["namespace"] == "team"
    assert {"resource": "repository", "action": "push"} in permission["access"]


# --- Amazon --------------------------------------------------------------------------------------


def _asking(cloud: Any) -> OpenContext:
    return OpenContext(credentials=cloud.identity, retry=RetryPolicy(attempts=1))


def test_amazon_tells_who_is_asking() -> None:
    """By STS, with the account; APIs and registry are on the list."""
    with LoopbackEcr() as ecr:
        ecr.create_repository("team/app")
        found = check(ecr.endpoint, _asking(ecr), probe="write")
        assert not any(secret in str(found) + found.to_json() for secret in ecr.secrets)
    assert found.ok
    assert found.identity is not None
    assert found.identity.name.startswith("arn:aws:iam::123456789012:user/")
    assert found.identity.kind == "user"
    assert right(found, Deed.LIST).can is Can.YES
    assert right(found, Deed.PUSH).can is Can.YES
    assert {reach.purpose for reach in found.hosts} == {"registry", "API"}


def test_an_action_that_is_lacking_is_named() -> None:
    """As IAM calls it."""
    with LoopbackEcr(denied=["ecr:DescribeImages"]) as ecr:
        ecr.create_repository("team/app")
        found = check(ecr.endpoint, _asking(ecr), repository="team/app")
    assert "ecr:DescribeImages" in found.findings[0].what
    assert found.findings[0].remedy


def test_another_account_is_a_warning() -> None:
    """Then the repositories' own policies must let us in."""
    with LoopbackEcr() as ecr:
        options = {**ecr.endpoint.options, "account_id": "999999999999"}
        elsewhere = attrs.evolve(ecr.endpoint, option_items=options)
        found = check(elsewhere, _asking(ecr))
    assert any("999999999999" in each.what and "role_arn" in each.remedy for each in found.findings)


def test_a_missing_repository_of_amazon_is_no_refusal() -> None:
    """It may be made."""
    with LoopbackEcr() as ecr:
        found = check(ecr.endpoint, _asking(ecr), repository="no/such")
    assert right(found, Deed.LIST).can is Can.UNKNOWN


def test_everybody_may_pull_from_the_public_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No identity is a note; one is told."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with LoopbackEcrPublic() as public:
        anonymous = check(public.endpoint, OpenContext(), repository="acme/app")
        known = check(public.endpoint, _asking(public), repository="acme/app")
    assert anonymous.identity is None
    assert known.provider == "ecr-public"


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_the_policy_for_amazon_is_of_iam(region: str, partition: str) -> None:
    """For the repositories below the prefix, in the right partition."""
    endpoint = Endpoint.parse(f"ecr://123456789012/{region}/team")
    (push,) = policy_for(endpoint, "push")
    (pull,) = policy_for(endpoint, "pull")
    resource = json.loads(push.text)["Statement"][1]["Resource"]
    assert resource == f"arn:{partition}:ecr:{region}:123456789012:repository/team/*"
    assert "ecr:PutImage" in push.text
    assert "ecr:PutImage" not in pull.text


# --- the other clouds ----------------------------------------------------------------------------

CLOUDS = [LoopbackAcr, LoopbackAcrPersonal, LoopbackTcr, LoopbackGar]


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.__name__)
def test_a_cloud_tells_as_whom_it_sells_us_a_login(cloud: Any) -> None:
    """With its end; no secret is shown, and every permission bears the vendor's name."""
    with cloud() as server:
        found = check(server.endpoint, _asking(server))
        assert not any(secret in str(found) + found.to_json() for secret in server.secrets)
    assert found.identity is not None
    assert found.identity.name
    assert found.identity.expires_at is not None
    assert "API" in {part for reach in found.hosts for part in reach.purpose.split(", ")}
    assert not any("repository:REPOSITORY" in each.permission for each in found.rights)


def test_the_personal_edition_of_tencent_sells_no_logins() -> None:
    """Its password is fixed, and there is none here."""
    with LoopbackTcrPersonal() as server:
        found = check(server.endpoint, _asking(server))
    assert not any("defect" in each.remedy for each in found.findings)


@pytest.mark.parametrize(
    ("endpoint", "reads", "writes"),
    [
        ("acme-registry.cn-beijing.cr.aliyuncs.com/apps", "cr:PullRepository", "cr:PushRepository"),
        ("registry.cn-beijing.aliyuncs.com/apps", "cr:PullRepository", "cr:PushRepository"),
        ("acme.tencentcloudcr.com/apps", "tcr:PullRepository", "tcr:PushRepository"),
        (
            "ccr.ccs.tencentyun.com/apps",
            "tcr:PullRepositoryPersonal",
            "tcr:PushRepositoryPersonal",
        ),
        (
            "europe-west1-docker.pkg.dev/acme/apps",
            "downloadArtifacts",
            "artifactregistry.repositories.uploadArtifacts",
        ),
        ("public.ecr.aws/acme", "ecr-public:GetAuthorizationToken", "ecr-public:PutImage"),
    ],
)
def test_every_cloud_has_policies_for_both_directions(
    endpoint: str, reads: str, writes: str
) -> None:
    """What writes is in one of them only."""
    (pull,), (push,) = policy_for(endpoint, "pull"), policy_for(endpoint, "push")
    assert reads in pull.text
    assert writes in push.text
    assert writes not in pull.text


@pytest.mark.parametrize(
    ("endpoint", "hosts"),
    [
        (
            "ecr://123456789012/cn-north-1",
            (
                "https://api.ecr.cn-north-1.amazonaws.com.cn",
                "https://sts.cn-north-1.amazonaws.com.cn",
            ),
        ),
        (
            "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
            ("https://ecr-fips.us-east-1.amazonaws.com", "https://sts.us-east-1.amazonaws.com"),
        ),
        (
            "123456789012.dkr-ecr.eu-west-1.on.aws",
            ("https://ecr.eu-west-1.api.aws", "https://sts.eu-west-1.amazonaws.com"),
        ),
        ("public.ecr.aws/acme", ("https://api.ecr-public.us-east-1.amazonaws.com",)),
        ("registry.cn-beijing.aliyuncs.com", ("https://cr.cn-beijing.aliyuncs.com",)),
        ("acme.tencentcloudcr.com", ("https://tcr.tencentcloudapi.com",)),
        ("europe-west1-docker.pkg.dev/acme", ("https://artifactregistry.googleapis.com",)),
    ],
)
def test_the_apis_beside_a_registry_are_known(endpoint: str, hosts: tuple[str, ...]) -> None:
    """They are for the list of a firewall."""
    place = Endpoint.parse(endpoint)
    assert checks_of(find_provider(place)).apis(place) == hosts


# --- rules and plug-ins --------------------------------------------------------------------------


def test_a_rule_has_a_policy_for_each_of_its_ends() -> None:
    """Its source is pulled from, its destinations are pushed to."""
    rule = ReplicationRule(
        name="nightly",
        source="harbor://h.example/team",
        destinations=["registry://a.example/x", "registry://b.example/y"],
        where="everything",
    )
    assert [str(each.endpoint) for each in policy_for(rule, "pull")] == ["harbor://h.example/team"]
    assert [each.text for each in policy_for(rule, "push")] == [
        "repository:x/*:pull,push",
        "repository:y/*:pull,push",
    ]


def test_a_plug_in_brings_checks_of_its_own() -> None:
    """They win over what is known here; a product without has the tokens' scopes."""

    def open_none(endpoint: Endpoint, context: OpenContext) -> Any:
        raise AssertionError

    told = Insight(
        identity=Identity(name="me"),
        findings=(Finding(severity=Severity.NOTE, what="hello"),),
    )
    checks = Checks(look=lambda endpoint, context, repository: told)
    place = Endpoint.parse("harbor://h.example")
    assert checks_of(Provider(name="harbor", open=open_none, checks=checks)) is checks
    plain = checks_of(Provider(name="own", open=open_none))
    assert plain.look(place, OpenContext(), "") == Insight()
    assert plain.apis(place) == ()
    assert plain.policy(place, Direction.PULL) == ""
