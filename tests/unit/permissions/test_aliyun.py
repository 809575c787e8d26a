"""The policies allow what is needed, and nothing beyond it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harborsync.permissions.aliyun import (
    ACTIONS,
    OPERATIONS,
    AcrRepositories,
    AliyunPurpose,
    as_text,
    policy,
    rrsa_trust_policy,
    trust_policy,
)

APPS = AcrRepositories(instance="cri-1", repositories="apps/*", region="cn-hangzhou", account="1")


def _actions(document: dict[str, Any]) -> set[str]:
    return {action for statement in document["Statement"] for action in statement["Action"]}


def test_logging_in_is_allowed_everywhere_and_the_rest_on_the_repositories() -> None:
    """RAM knows no resource for a login."""
    login, images = policy([AliyunPurpose.PULL], APPS)["Statement"]
    assert login == {"Effect": "Allow", "Action": ["cr:GetAuthorizationToken"], "Resource": "*"}
    assert images["Resource"] == "acs:cr:cn-hangzhou:1:repository/cri-1/apps/*"


@pytest.mark.parametrize("purpose", AliyunPurpose)
def test_each_purpose_adds_its_actions(purpose: AliyunPurpose) -> None:
    """Never a star among them."""
    allowed = _actions(policy([purpose], APPS))
    assert allowed == {"cr:GetAuthorizationToken", *(f"cr:{each}" for each in ACTIONS[purpose])}
    assert not any("*" in action for action in allowed)


def test_who_pulls_may_not_write() -> None:
    """Nor list, nor delete."""
    allowed = _actions(policy([AliyunPurpose.PULL], APPS))
    assert allowed == {"cr:GetAuthorizationToken", "cr:PullRepository"}


def test_the_personal_edition_has_no_instance() -> None:
    """Its repositories are named by namespace and name alone."""
    assert AcrRepositories(repositories="apps/web").arn == "acs:cr:*:*:repository/apps/web"


def test_every_operation_takes_an_action_of_some_purpose() -> None:
    """Whatever the API's own names are."""
    allowed = {action for actions in ACTIONS.values() for action in actions}
    assert set(OPERATIONS.values()) - {"GetAuthorizationToken"} <= allowed


def test_a_role_trusts_whom_it_is_told_to() -> None:
    """With an external id, where one is wanted."""
    (statement,) = trust_policy("acs:ram::1:user/ann", external_id="acme")["Statement"]
    assert statement["Principal"] == {"RAM": ["acs:ram::1:user/ann"]}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "acme"}}
    (plain,) = trust_policy("acs:ram::1:root")["Statement"]
    assert "Condition" not in plain


def test_a_pods_role_trusts_one_service_account() -> None:
    """Of one cluster, and for STS only."""
    document = rrsa_trust_policy(
        "acs:ram::1:oidc-provider/ack", "https://issuer", namespace="ops", service_account="mirror"
    )
    (statement,) = document["Statement"]
    assert statement["Condition"]["StringEquals"] == {
        "oidc:aud": "sts.aliyuncs.com",
        "oidc:iss": "https://issuer",
        "oidc:sub": "system:serviceaccount:ops:mirror",
    }


def test_a_policy_is_text_for_the_console() -> None:
    """JSON of RAM's version."""
    assert json.loads(as_text(policy([AliyunPurpose.PUSH], APPS)))["Version"] == "1"
