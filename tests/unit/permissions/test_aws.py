"""The policies allow what is needed, and nothing beyond it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harborsync.permissions.aws import (
    ACTIONS,
    AwsPurpose,
    EcrRepositories,
    as_text,
    pod_identity_trust_policy,
    policy,
    public_policy,
    repository_policy,
    trust_policy,
    web_identity_trust_policy,
)

REGISTRY = EcrRepositories(account="123456789012", region="eu-west-1", repositories="team/*")


def _actions(document: dict[str, Any]) -> set[str]:
    return {action for statement in document["Statement"] for action in statement["Action"]}


def test_logging_in_is_allowed_everywhere_and_the_rest_on_the_repositories() -> None:
    """AWS knows no resource for a login."""
    login, images = policy([AwsPurpose.PULL], REGISTRY)["Statement"]
    assert login["Action"] == ["ecr:GetAuthorizationToken"]
    assert login["Resource"] == "*"
    assert images["Resource"] == "arn:aws:ecr:eu-west-1:123456789012:repository/team/*"


@pytest.mark.parametrize("purpose", AwsPurpose)
def test_each_purpose_adds_its_actions(purpose: AwsPurpose) -> None:
    """Never a star among them."""
    allowed = _actions(policy([purpose], REGISTRY))
    assert allowed == {"ecr:GetAuthorizationToken", *(f"ecr:{each}" for each in ACTIONS[purpose])}
    assert not any("*" in action for action in allowed)


def test_who_pulls_may_not_write() -> None:
    """Nor list, nor delete."""
    allowed = _actions(policy([AwsPurpose.PULL], REGISTRY))
    assert not any(
        word in action for action in allowed for word in ("Put", "Upload", "Create", "Delete")
    )


def test_other_partitions_have_other_names() -> None:
    """China, for one."""
    registry = EcrRepositories(account="1", region="cn-north-1", partition="aws-cn")
    assert registry.arn == "arn:aws-cn:ecr:cn-north-1:1:repository/*"


def test_a_repository_lets_other_accounts_in() -> None:
    """But to make repositories, which is of the account."""
    document = repository_policy([AwsPurpose.PUSH, AwsPurpose.CREATE], ["arn:b", "arn:a"])
    (statement,) = document["Statement"]
    assert statement["Principal"] == {"AWS": ["arn:a", "arn:b"]}
    assert "Resource" not in statement
    assert "ecr:PutImage" in statement["Action"]
    assert "ecr:CreateRepository" not in statement["Action"]


def test_a_role_trusts_whom_it_is_told_to() -> None:
    """With an external id, a service account of a cluster, a pod."""
    (plain,) = trust_policy("arn:who")["Statement"]
    assert "Condition" not in plain
    (bound,) = trust_policy("arn:who", external_id="acme")["Statement"]
    assert bound["Condition"] == {"StringEquals": {"sts:ExternalId": "acme"}}
    assert _actions(trust_policy("arn:who")) == {"sts:AssumeRole"}
    assert "sts:TagSession" in _actions(trust_policy("arn:who", tagged=True))
    issuer = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
    (web,) = web_identity_trust_policy(
        f"arn:aws:iam::1:oidc-provider/{issuer}", "system:serviceaccount:mirror:harborsync"
    )["Statement"]
    assert web["Condition"]["StringEquals"] == {
        f"{issuer}:aud": "sts.amazonaws.com",
        f"{issuer}:sub": "system:serviceaccount:mirror:harborsync",
    }
    assert "sts:TagSession" in _actions(pod_identity_trust_policy())


def test_who_pushes_to_ecr_public_may_say_so_to_sts() -> None:
    """Its login takes an action of STS."""
    assert "sts:GetServiceBearerToken" in _actions(public_policy(push=False))
    assert "ecr-public:PutImage" not in _actions(public_policy(push=False))
    assert "ecr-public:PutImage" in _actions(public_policy(push=True))


def test_a_policy_is_json() -> None:
    """As IAM takes it."""
    document = policy([AwsPurpose.PULL], REGISTRY)
    assert json.loads(as_text(document)) == document
