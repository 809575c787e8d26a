"""The policies for Tencent Cloud allow what is needed, and nothing beyond it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harborsync.permissions.tencent import (
    ACTIONS,
    LOGIN,
    PERSONAL_ACTIONS,
    TcrRepositories,
    TencentPurpose,
    as_text,
    oidc_trust_policy,
    personal_policy,
    policy,
    role_trust_policy,
)

TEAM = TcrRepositories(
    account="100000000001", region="ap-singapore", instance="tcr-a1b2c3d4", namespace="team"
)


def _actions(document: dict[str, Any]) -> set[str]:
    return {action for statement in document["statement"] for action in statement["action"]}


def test_each_action_is_allowed_where_it_belongs() -> None:
    """The instance is found among all; a login is of one; namespaces have a name of their own."""
    find, log_in, images = policy(iter([TencentPurpose.PULL]), TEAM)["statement"]
    assert find["action"] == ["tcr:DescribeInstances"]
    assert find["resource"] == ["qcs::tcr::uin/100000000001:instance/*"]
    place = "qcs::tcr:ap-singapore:uin/100000000001"
    assert log_in["resource"] == [f"{place}:instance/tcr-a1b2c3d4"]
    assert images["resource"] == [
        f"{place}:repository/tcr-a1b2c3d4/team",
        f"{place}:repository/tcr-a1b2c3d4/team/*",
    ]


@pytest.mark.parametrize("purpose", TencentPurpose)
def test_each_purpose_adds_its_actions(purpose: TencentPurpose) -> None:
    """Never a star among them."""
    allowed = _actions(policy([purpose], TEAM))
    assert allowed == {f"tcr:{each}" for each in (*LOGIN, *ACTIONS[purpose])}
    personal = _actions(personal_policy([purpose]))
    assert personal == {f"tcr:{each}" for each in PERSONAL_ACTIONS[purpose]}
    assert not any("*" in action for action in allowed | personal)


def test_who_pulls_may_not_write() -> None:
    """Nor list, nor delete."""
    allowed = _actions(policy([TencentPurpose.PULL], TEAM))
    assert not any(word in each for each in allowed for word in ("Push", "CreateRep", "Delete"))


def test_the_personal_edition_has_no_instance() -> None:
    """Its repositories stand for themselves."""
    (images,) = personal_policy([TencentPurpose.PULL], namespace="mine")["statement"]
    assert images["resource"] == ["qcs::tcr:::repo/mine", "qcs::tcr:::repo/mine/*"]


def test_a_role_trusts_an_account_or_a_pod() -> None:
    """A pod by the issuer, the audience and the subject of its token."""
    (account,) = role_trust_policy("100000000001")["statement"]
    assert account["principal"] == {"qcs": ["qcs::cam::uin/100000000001:root"]}
    subject = "system:serviceaccount:mirror:harborsync"
    (pod,) = oidc_trust_policy("100000000001", "cls-1", "https://oidc.example", subject)[
        "statement"
    ]
    assert pod["principal"] == {"federated": "qcs::cam::uin/100000000001:oidc-provider/cls-1"}
    assert pod["condition"]["string_equal"] == {
        "oidc:aud": ["sts.cloud.tencent.com"],
        "oidc:iss": ["https://oidc.example"],
        "oidc:sub": [subject],
    }


def test_a_policy_is_json() -> None:
    """To paste into CAM."""
    document = policy([TencentPurpose.PUSH], TEAM)
    assert json.loads(as_text(document)) == document
