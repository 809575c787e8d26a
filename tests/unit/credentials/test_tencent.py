"""Identities of Tencent Cloud: what can be one, how it travels, what options say."""

from __future__ import annotations

import pickle

import pytest

from harborsync.credentials.tencent import IDENTITY_OPTIONS, CamRole, TencentIdentity
from harborsync.errors import ConfigurationError, InvalidValue
from harborsync.secrets import Secret

ARN = "qcs::cam::uin/100000000001:roleName/mirror"


def test_a_role_is_asked_for_as_sts_wants_it() -> None:
    """Without an external id where there is none."""
    role = CamRole(arn=ARN, external_id="acme", session_name="nightly", duration=900)
    assert role.request == {
        "RoleArn": ARN,
        "RoleSessionName": "nightly",
        "DurationSeconds": 900,
        "ExternalId": "acme",
    }
    assert "ExternalId" not in CamRole(arn=ARN).request


@pytest.mark.parametrize(
    ("wish", "hint"),
    [
        ({"arn": "mirror"}, "qcs::cam"),
        ({"arn": ARN, "session_name": "a b"}, "2 to 128"),
        ({"arn": ARN, "duration": 43_201}, "12 hours"),
        ({"arn": ARN, "duration": 1}, "a minute"),
    ],
)
def test_a_role_that_sts_would_refuse_is_refused(wish: dict[str, object], hint: str) -> None:
    """With a word on how to write it."""
    with pytest.raises(InvalidValue) as caught:
        CamRole(**wish)  # type: ignore[arg-type]
    assert hint in str(caught.value.hint)


def test_options_say_who_asks() -> None:
    """Several roles, and details of the last one."""
    options = {
        "role_arn": f"{ARN},{ARN}2",
        "external_id": "acme",
        "role_duration": "30m",
        "role_session": "nightly",
    }
    first, last = TencentIdentity().with_options(options).roles
    assert (first.arn, first.external_id, first.duration) == (ARN, None, 7200)
    assert (last.arn, last.external_id, last.duration) == (f"{ARN}2", "acme", 1800)
    assert last.session_name == "nightly"


def test_options_replace_what_an_identity_begins_with() -> None:
    """A key gives way to a profile or a machine's role that an endpoint names; roles stay."""
    role = CamRole(arn=ARN)
    identity = TencentIdentity.of_key("AKID", Secret("x"), roles=[role])
    assert identity.with_options({}) == identity
    assert identity.with_options({"profile": "p"}) == TencentIdentity(profile="p", roles=(role,))
    assert identity.with_options({"cvm_role": "r"}) == TencentIdentity(cvm_role="r", roles=(role,))


def test_details_without_a_role_are_a_mistake() -> None:
    """They would be ignored otherwise."""
    with pytest.raises(InvalidValue) as caught:
        TencentIdentity().with_options({"external_id": "acme"})
    assert "role_arn" in str(caught.value.hint)


def test_an_identity_begins_with_one_thing() -> None:
    """Keys, a profile, or a machine."""
    with pytest.raises(ConfigurationError):
        TencentIdentity(profile="p", cvm_role="r")
    with pytest.raises(ConfigurationError):
        TencentIdentity().with_options({"profile": "p", "cvm_role": "r"})


def test_an_identity_travels_without_keys_only() -> None:
    """Roles, profiles and machines' roles are names."""
    identity = TencentIdentity(profile="p", roles=[CamRole(arn=ARN)])
    assert pickle.loads(pickle.dumps(identity)) == identity
    with pytest.raises(ConfigurationError) as caught:
        pickle.dumps(TencentIdentity.of_key("AKID", Secret("hunter2")))
    assert "TENCENTCLOUD_SECRET_ID" in str(caught.value.hint)


def test_an_identity_hides_its_keys_and_answers_for_no_host() -> None:
    """Only a provider makes a login of it."""
    identity = TencentIdentity.of_key("AKID", Secret("hunter2"), Secret("t0ken"))
    assert "hunter2" not in repr(identity)
    identity.get("registry.example")
    assert identity.source is not None
    keys = identity.source()
    assert (keys.key_id, keys.token) == ("AKID", Secret("t0ken"))
    assert "t0ken" not in repr(keys)


def test_the_options_are_named() -> None:
    """So that an endpoint may have them."""
    assert {"profile", "cvm_role", "role_arn", "sts_api"} <= IDENTITY_OPTIONS
