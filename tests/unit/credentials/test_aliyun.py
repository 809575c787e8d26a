"""Who asks Alibaba Cloud, as a value: keys, a machine's role, and roles on top of it."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from harborsync.credentials.aliyun import AliyunIdentity, RamRole
from harborsync.credentials.base import Chain
from harborsync.credentials.cloud import handed_over
from harborsync.errors import ConfigurationError, InvalidValue
from harborsync.secrets import Secret

READER = "acs:ram::1234567890123456:role/reader"
WRITER = "acs:ram::1234567890123456:role/writer"


def test_an_access_key_is_handed_over_and_hidden() -> None:
    """Its secret and token show in nothing."""
    identity = AliyunIdentity.of_key("LTAI", Secret("s3cr3t"), Secret("t0ken"))
    assert identity.source is not None
    keys = identity.source()
    assert (keys.key_id, keys.secret.reveal()) == ("LTAI", "s3cr3t")
    assert keys.token is not None
    assert keys.token.reveal() == "t0ken"
    assert "s3cr3t" not in f"{identity!r}{keys!r}"
    assert "t0ken" not in f"{identity!r}{keys!r}"


def test_an_identity_answers_for_no_host() -> None:
    """It is found among the credentials by the provider alone."""
    identity = AliyunIdentity()
    assert Chain([identity]).get("registry.cn-hangzhou.aliyuncs.com") is None
    assert handed_over(Chain([identity]), AliyunIdentity) is identity


def test_keys_are_kept_from_other_processes() -> None:
    """What holds no secret travels."""
    plain = AliyunIdentity(ecs_role="mirror", roles=[RamRole(arn=READER, external_id="x")])
    assert pickle.loads(pickle.dumps(plain)) == plain
    with pytest.raises(ConfigurationError, match="another process"):
        pickle.dumps(AliyunIdentity.of_key("LTAI", Secret("s")))


def test_keys_and_a_machines_role_do_not_go_together() -> None:
    """An identity begins with one of them."""
    with pytest.raises(ConfigurationError, match="not with both"):
        AliyunIdentity(source=AliyunIdentity.of_key("a", Secret("b")).source, ecs_role="x")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"arn": "arn:aws:iam::1:role/x"}, "no role"),
        ({"arn": READER, "session_name": "a b"}, "cannot name a session"),
        ({"arn": READER, "duration": 899}, "899 seconds"),
        ({"arn": READER, "duration": 43_201}, "43201 seconds"),
    ],
)
def test_what_sts_would_refuse_is_refused_at_once(wrong: dict[str, Any], message: str) -> None:
    """Before anything is asked."""
    with pytest.raises(InvalidValue, match=message):
        RamRole(**wrong)


def test_options_name_roles_and_the_machines() -> None:
    """Details are those of the last role; a machine's role takes the place of keys."""
    mine = AliyunIdentity.of_key("LTAI", Secret("s"))
    told = mine.with_options(
        {
            "ecs_role": "node",
            "role_arn": f"{READER},{WRITER}",
            "external_id": "acme",
            "role_session": "nightly",
            "role_duration": "15m",
        }
    )
    assert told == AliyunIdentity(
        ecs_role="node",
        roles=[
            RamRole(arn=READER),
            RamRole(arn=WRITER, external_id="acme", session_name="nightly", duration=900),
        ],
    )
    assert mine.with_options({}) == mine


def test_details_of_no_role_are_refused() -> None:
    """They would be missed in silence."""
    with pytest.raises(InvalidValue, match="not which"):
        AliyunIdentity().with_options({"external_id": "acme"})


def test_a_roles_request_is_what_sts_wants() -> None:
    """By the names of AssumeRole's parameters."""
    assert RamRole(arn=READER).request == {
        "RoleArn": READER,
        "RoleSessionName": "harborsync",
        "DurationSeconds": 3600,
        "ExternalId": None,
    }
