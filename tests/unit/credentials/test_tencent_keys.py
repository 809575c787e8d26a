"""Keys for Tencent Cloud: of variables, profiles, pods and machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.credentials.tencent_keys import (
    CvmKeys,
    OidcKeys,
    from_environment,
    from_profile,
    session_of,
)
from harborsync.errors import ConfigurationError, CredentialsError, NoCredentials
from harborsync.http.metadata import MetadataTransport
from harborsync.secrets import Secret
from harborsync.testing.scripted import Said, ScriptedServer

if TYPE_CHECKING:
    from pathlib import Path

    from harborsync.testing.scripted import Heard

SESSION = {"TmpSecretId": "AKIDtmp", "TmpSecretKey": "k", "Token": "t"}


# --- variables -----------------------------------------------------------------------------------


def test_variables_hold_a_key_and_perhaps_a_token() -> None:
    """The token is one that the SDK would not read."""
    environ = {"TENCENTCLOUD_SECRET_ID": "AKID", "TENCENTCLOUD_SECRET_KEY": "k"}
    plain = from_environment(environ)
    assert plain is not None
    assert (plain.key_id, plain.secret, plain.token) == ("AKID", Secret("k"), None)
    session = from_environment({**environ, "TENCENTCLOUD_TOKEN": "t"})
    assert session is not None
    assert session.token == Secret("t")
    assert from_environment({}) is None


@pytest.mark.parametrize("name", ["TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"])
def test_half_a_key_in_variables_is_a_mistake(name: str) -> None:
    """Which would else be told as a missing identity."""
    with pytest.raises(ConfigurationError, match=name):
        from_environment({name: "x"})


# --- profiles ------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home with profiles."""
    file = tmp_path / ".tencentcloud" / "credentials"
    file.parent.mkdir()
    file.write_text(
        "[default]\nsecret_id = AKIDdefault\nsecret_key = k%1\n"
        '[ci]\nsecret_id = "AKIDci"\nsecret_key = "k2"\ntoken = t\n[half]\nsecret_id = AKIDhalf\n'
    )
    return tmp_path


def test_a_profile_is_a_section_of_a_file(home: Path) -> None:
    """The default one unless another is named; quotes are the SDK's own example."""
    environ = {"HOME": str(home)}
    default, ci = from_profile(environ), from_profile(environ, "ci")
    assert default is not None
    assert ci is not None
    assert (default.key_id, default.secret, default.token) == ("AKIDdefault", Secret("k%1"), None)
    assert (ci.key_id, ci.secret, ci.token) == ("AKIDci", Secret("k2"), Secret("t"))
    assert "profile ci" in ci.origin


def test_a_shared_file_is_read_where_a_home_has_none(home: Path, tmp_path: Path) -> None:
    """As the SDK does."""
    shared = home / ".tencentcloud" / "credentials"
    found = from_profile({"HOME": str(tmp_path / "none")}, shared=shared)
    assert found is not None
    assert found.key_id == "AKIDdefault"


def test_no_profile_is_fine_unless_it_is_asked_for(home: Path, tmp_path: Path) -> None:
    """A name that is wrong must not fall through to somebody else."""
    nowhere = {"HOME": str(tmp_path / "none")}
    assert from_profile(nowhere, shared=tmp_path / "none") is None
    for environ in (nowhere, {"HOME": str(home)}):
        with pytest.raises(ConfigurationError, match="no profile 'nobody'"):
            from_profile(environ, "nobody", shared=tmp_path / "none")


def test_a_profile_with_half_a_key_is_a_mistake(home: Path) -> None:
    """It says which file and profile."""
    with pytest.raises(ConfigurationError, match="the profile half in"):
        from_profile({"HOME": str(home)}, "half")


def test_a_file_that_is_no_profiles_is_told_without_quoting_it(tmp_path: Path) -> None:
    """A line of it may be a secret."""
    file = tmp_path / ".tencentcloud" / "credentials"
    file.parent.mkdir()
    file.write_text("hunter2\n")
    with pytest.raises(ConfigurationError) as caught:
        from_profile({"HOME": str(tmp_path)})
    assert "hunter2" not in f"{caught.value}{caught.value.__cause__}{caught.value.__context__}"


def test_a_home_need_not_be_in_the_environment(tmp_path: Path) -> None:
    """The operating system knows it, too."""
    # What stands there is not ours to know; only that it is read without a complaint.
    found = from_profile({}, shared=tmp_path / "none")
    assert found is None or found.key_id


# --- pods ----------------------------------------------------------------------------------------


class _Sts:
    """Answers like STS, and remembers."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, str, dict[str, Any]]] = []

    def __call__(
        self, what: str, action: str, fields: dict[str, Any], region: str
    ) -> dict[str, Any]:
        """Return the answer."""
        self.asked.append((what, action, region, fields))
        return self.answer


def _pod(token: Path) -> dict[str, str]:
    return {
        "TKE_REGION": "ap-tokyo",
        "TKE_PROVIDER_ID": "cls-1",
        "TKE_ROLE_ARN": "qcs::cam::uin/1:roleName/pod",
        "TKE_WEB_IDENTITY_TOKEN_FILE": str(token),
    }


def test_a_pod_becomes_its_role(tmp_path: Path) -> None:
    """The token is read each time, since it is rotated."""
    token = tmp_path / "token"
    token.write_text("one\n")
    sts = _Sts({"Credentials": SESSION, "ExpiredTime": 1_900_000_000})
    find = OidcKeys.of(_pod(token), sts)
    assert find is not None
    keys = find()
    token.write_text("two\n")
    find()
    assert (keys.key_id, keys.token) == ("AKIDtmp", Secret("t"))
    assert keys.expires_at is not None
    assert [fields["WebIdentityToken"] for *_, fields in sts.asked] == ["one", "two"]
    assert {(action, region) for _, action, region, _ in sts.asked} == {
        ("AssumeRoleWithWebIdentity", "ap-tokyo")
    }


def test_no_pod_is_fine_and_half_a_pod_is_a_mistake(tmp_path: Path) -> None:
    """The region alone is for other programs."""
    assert OidcKeys.of({"TKE_REGION": "ap-tokyo"}, _Sts({})) is None
    half = _pod(tmp_path)
    del half["TKE_ROLE_ARN"]
    with pytest.raises(ConfigurationError, match="TKE_ROLE_ARN"):
        OidcKeys.of(half, _Sts({}))


def test_a_pod_without_its_token_is_told(tmp_path: Path) -> None:
    """By the path."""
    find = OidcKeys.of(_pod(tmp_path / "none"), _Sts({}))
    assert find is not None
    with pytest.raises(CredentialsError, match="none"):
        find()


@pytest.mark.parametrize(
    ("credentials", "ends"),
    [(None, 1), ({}, 1), (SESSION, None), (SESSION, "soon"), (SESSION, 10**20)],
)
def test_what_is_no_session_is_told(credentials: Any, ends: Any) -> None:
    """Something else may have answered."""
    with pytest.raises(CredentialsError, match="are no credentials"):
        session_of(credentials, ends, "STS")


# --- machines ------------------------------------------------------------------------------------

PATH = "/latest/meta-data/cam/security-credentials/"


def _metadata(server: ScriptedServer) -> MetadataTransport:
    return MetadataTransport("127.0.0.1", server.port, timeout=60)


def test_a_machine_gives_the_keys_of_its_role() -> None:
    """Its name is asked for, unless it is known."""

    def answer(heard: Heard) -> Said:
        if heard.target == PATH:
            return Said(body=b"reader\n")
        role = heard.target.removeprefix(PATH)
        said = {**SESSION, "TmpSecretId": f"AKID-{role}", "ExpiredTime": 1_900_000_000}
        return Said(body=json.dumps(said).encode())

    with ScriptedServer(answer) as server:
        assert CvmKeys(metadata=_metadata(server))().key_id == "AKID-reader"
        assert CvmKeys(metadata=_metadata(server), role="a b")().key_id == "AKID-a%20b"
        assert [heard.target for heard in server.heard] == [PATH, f"{PATH}reader", f"{PATH}a%20b"]


def test_a_machine_without_a_role_is_told() -> None:
    """And so is one that lacks the role that is named."""
    with ScriptedServer(lambda heard: Said(status=404)) as server:
        with pytest.raises(NoCredentials, match="does not have a role"):
            CvmKeys(metadata=_metadata(server))()
        with pytest.raises(NoCredentials, match="does not have the role 'x'"):
            CvmKeys(metadata=_metadata(server), role="x")()


def test_a_machine_that_says_something_else_is_told() -> None:
    """Some answer every address with a page."""
    with ScriptedServer(lambda heard: Said(body=b"<html>")) as server:
        keys = CvmKeys(metadata=_metadata(server), role="x")
        with pytest.raises(CredentialsError, match="are no credentials"):
            keys()


def test_no_machine_of_tencents_has_no_keys(closed_port: int) -> None:
    """The message says all that was looked for, and how to be somebody."""
    with pytest.raises(NoCredentials) as caught:
        CvmKeys(metadata=MetadataTransport("127.0.0.1", closed_port))()
    assert "no variables, no profile, no token of a pod, and no role of a machine" in str(
        caught.value
    )
    assert "TENCENTCLOUD_SECRET_ID" in str(caught.value.hint)
