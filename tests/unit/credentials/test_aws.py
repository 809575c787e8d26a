"""Who asks Amazon: the SDK's chain, a profile, a session, and roles on top of it."""

from __future__ import annotations

import base64
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import attrs
import boto3
import pytest

from harborsync.credentials.aws import (
    AwsApi,
    AwsIdentity,
    AwsPlace,
    AwsRole,
    login_of,
    place_options,
)
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    ConfigurationError,
    CredentialsError,
    CredentialsRefused,
    Denied,
    InvalidValue,
    NoCredentials,
    RateLimited,
)
from harborsync.limits import HostLimits
from harborsync.provider import OpenContext
from harborsync.retry import RetryPolicy
from harborsync.testing.clock import FakeClock
from harborsync.testing.cloud_aws import ACCOUNT, KEY_ID, LoopbackEcr
from harborsync.testing.cloud_sts import LoopbackRole
from harborsync.testing.scripted import Heard, Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER = f"arn:aws:iam::{ACCOUNT}:user/{KEY_ID}"
READER = f"arn:aws:iam::{ACCOUNT}:role/reader"
WRITER = "arn:aws:iam::210987654321:role/teams/writer"


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still."""
    return FakeClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def ecr(clock: FakeClock) -> Iterator[LoopbackEcr]:
    """Return an emulator in the time of the test."""
    with LoopbackEcr(clock=clock) as server:
        yield server


def _api(
    ecr: LoopbackEcr, identity: AwsIdentity, *, clock: FakeClock | None = None, **more: Any
) -> AwsApi:
    place = AwsPlace(region=ecr.region, url=ecr.api_url, sts_url=ecr.api_url)
    context = OpenContext(clock=clock or FakeClock(), retry=RetryPolicy(attempts=3), **more)
    return AwsApi("ecr", identity, place, context, per_second=1000.0)


def _who(ecr: LoopbackEcr, identity: AwsIdentity, **more: Any) -> str:
    """Return who the emulator takes an identity for."""
    ecr.clear_log()
    _api(ecr, identity, **more).call("look", "describe_repositories")
    return ecr.calls[-1].who


# --- where an identity comes from ----------------------------------------------------------------


def test_without_a_word_it_is_what_the_sdk_finds(
    ecr: LoopbackEcr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables are the first that it looks at."""
    for name, value in ecr.environment.items():
        monkeypatch.setenv(name, value)
    assert _who(ecr, AwsIdentity()) == USER


def test_a_profile_is_read_from_its_files(ecr: LoopbackEcr, bare_environment: Path) -> None:
    """Whatever else the profile does, such as SSO or a process, is the SDK's affair."""
    held = ecr.environment
    folder = bare_environment / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(
        "[mirror]\n"
        f"aws_access_key_id = {held['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {held['AWS_SECRET_ACCESS_KEY']}\n"
    )
    assert _who(ecr, AwsIdentity(profile="mirror")) == USER


def test_a_profile_that_is_not_there_is_a_mistake_in_the_rule(ecr: LoopbackEcr) -> None:
    """The remedy lists those that are."""
    with pytest.raises(ConfigurationError, match="nobody") as caught:
        _who(ecr, AwsIdentity(profile="nobody"))
    assert "list-profiles" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ("credential_process = /nowhere/program", "credential_process"),
        ("credential_process = echo hunter2", "credential_process"),
        (
            "role_arn = arn:aws:iam::1:role/a\nweb_identity_token_file = /nowhere/token",
            "of a token",
        ),
        ("endpoint_url = api.example", "address of an API"),
        ("endpoint_url = http://api.example", "write https://"),
    ],
)
def test_what_a_profile_names_in_vain_is_no_bug(
    wrong: str, remedy: str, clock: FakeClock, bare_environment: Path
) -> None:
    """The SDK lets errors of files and programs through as they are; we do not."""
    folder = bare_environment / ".aws"
    folder.mkdir()
    (folder / "config").write_text(f"[profile wrong]\n{wrong}\n")
    place = AwsPlace(region="eu-west-1")
    context = OpenContext(clock=clock, retry=RetryPolicy(attempts=1))
    api = AwsApi("ecr", AwsIdentity(profile="wrong"), place, context, per_second=1000.0)
    with pytest.raises((ConfigurationError, NoCredentials)) as caught:
        api.call("look", "describe_repositories")
    assert remedy in str(caught.value.hint)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("url", ["http://localhost:4566", "http://127.0.0.1:4566", "http://[::1]"])
def test_an_api_on_this_machine_may_be_named_by_variables(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As emulators of others are, which speak http."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", url)
    place = AwsPlace(region="eu-west-1")
    api = AwsApi("ecr", AwsIdentity(), place, OpenContext(), per_second=1.0)
    assert api._made().meta.endpoint_url == url


def test_a_session_of_ones_own_is_used(ecr: LoopbackEcr) -> None:
    """For whoever has one already."""
    assert _who(ecr, ecr.identity) == USER


def test_nobody_at_all_is_told_how_to_become_somebody(
    ecr: LoopbackEcr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither variable nor file nor machine knows anything."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(NoCredentials) as caught:
        _who(ecr, AwsIdentity())
    assert "aws sso login" in str(caught.value.hint)


def test_a_service_account_of_a_cluster_is_found(
    ecr: LoopbackEcr, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """IRSA: a role's name and a token in a file are all a pod has."""
    ecr.sts.add_role(LoopbackRole(arn=READER, web_tokens=frozenset({"eyJ.pod.token"})))
    token = tmp_path / "token"
    token.write_text("eyJ.pod.token")
    monkeypatch.setenv("AWS_ROLE_ARN", READER)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "pod")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", ecr.api_url)
    monkeypatch.setenv("AWS_REGION", ecr.region)
    assert _who(ecr, AwsIdentity()) == f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/pod"


def _sold(ecr: LoopbackEcr) -> dict[str, str]:
    """Return a session as the services of machines, tasks and pods hand them out."""
    key_id, key = ecr.keyring.add_session(
        f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/machine", ends=2**33
    )
    return {
        "Code": "Success",
        "AccessKeyId": key_id,
        "SecretAccessKey": key.secret,
        "Token": key.token or "",
        "Expiration": "2199-01-01T00:00:00Z",
    }


def test_a_pod_or_a_task_asks_its_agent(
    ecr: LoopbackEcr, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Pod Identity and ECS: an address in a variable, and perhaps a token in a file."""
    token = tmp_path / "token"
    token.write_text("eyJ.pod.token")

    def script(heard: Heard) -> Said:
        good = heard.headers.get("authorization") == "eyJ.pod.token"
        return Said(body=json.dumps(_sold(ecr)).encode()) if good else Said(status=401)

    with ScriptedServer(script) as agent:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{agent.origin}/v1/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
        who = _who(ecr, AwsIdentity())
    assert who == f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/machine"


def test_a_machine_asks_its_metadata_service(
    ecr: LoopbackEcr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In two steps, with a token of the service's own."""
    role = "/latest/meta-data/iam/security-credentials/"

    def script(heard: Heard) -> Said:
        if heard.method == "PUT":
            return Said(body=b"imds-token")
        if heard.headers.get("x-aws-ec2-metadata-token") != "imds-token":
            return Said(status=401)
        return Said(body=b"reader" if heard.path == role else json.dumps(_sold(ecr)).encode())

    with ScriptedServer(script) as service:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.origin)
        monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "60")
        who = _who(ecr, AwsIdentity())
    assert who == f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/machine"


def test_a_session_is_kept_from_other_processes() -> None:
    """What holds no secret travels."""
    role = AwsRole(arn=READER, external_id="x")
    identity = AwsIdentity(profile="mirror", roles=[role])
    assert pickle.loads(pickle.dumps(identity)) == identity
    with pytest.raises(ConfigurationError, match="cannot be handed to another process"):
        pickle.dumps(AwsIdentity(session=boto3.Session()))


def test_an_identity_answers_for_no_host_and_shows_no_session() -> None:
    """Only a provider can make a login of it."""
    identity = AwsIdentity(session=boto3.Session())
    identity.get("123456789012.dkr.ecr.eu-west-1.amazonaws.com")
    assert "Session" not in repr(identity)


def test_a_profile_and_a_session_do_not_go_together() -> None:
    """Each would be somebody else."""
    with pytest.raises(ConfigurationError, match="not with both"):
        AwsIdentity(profile="mirror", session=boto3.Session())


# --- roles ---------------------------------------------------------------------------------------


def test_a_role_is_assumed_with_all_that_its_trust_asks_for(ecr: LoopbackEcr) -> None:
    """External id, session name, duration and tags go along."""
    ecr.sts.add_role(LoopbackRole(arn=READER, trusts=frozenset({USER}), external_id="acme"))
    role = AwsRole(
        arn=READER,
        external_id="acme",
        session_name="nightly",
        duration=900,
        tags=(("team", "core"),),
    )
    identity = attrs.evolve(ecr.identity, roles=[role])
    assert _who(ecr, identity) == f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/nightly"
    assert [call.operation for call in ecr.calls] == ["AssumeRole", "DescribeRepositories"]
    assert role.request["Tags"] == [{"Key": "team", "Value": "core"}]


def test_a_role_without_its_external_id_is_not_assumed(ecr: LoopbackEcr) -> None:
    """And the remedy names it."""
    ecr.sts.add_role(LoopbackRole(arn=READER, trusts=frozenset({USER}), external_id="acme"))
    with pytest.raises(Denied, match="sts:AssumeRole") as caught:
        _who(ecr, attrs.evolve(ecr.identity, roles=[AwsRole(arn=READER)]))
    assert "external id" in str(caught.value.hint)


def test_roles_are_assumed_one_by_the_other(ecr: LoopbackEcr) -> None:
    """The second one trusts the first one's session, in another account."""
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/harborsync"
    ecr.sts.add_role(LoopbackRole(arn=READER, trusts=frozenset({USER})))
    ecr.sts.add_role(LoopbackRole(arn=WRITER, trusts=frozenset({session})))
    identity = attrs.evolve(ecr.identity, roles=[AwsRole(arn=READER), AwsRole(arn=WRITER)])
    who = _who(ecr, identity)
    assert who == "arn:aws:sts::210987654321:assumed-role/teams/writer/harborsync"


def test_a_roles_session_is_renewed_before_it_ends(ecr: LoopbackEcr, clock: FakeClock) -> None:
    """By the same client, as often as it takes."""
    ecr.sts.add_role(LoopbackRole(arn=READER, trusts=frozenset({USER})))
    identity = attrs.evolve(ecr.identity, roles=[AwsRole(arn=READER)])
    api = _api(ecr, identity, clock=clock)
    for _ in range(3):
        api.call("look", "describe_repositories")
        clock.sleep(3500)
    assumed = [call for call in ecr.calls if call.operation == "AssumeRole"]
    assert len(assumed) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"arn": "reader"},
        {"arn": f"arn:aws:iam::{ACCOUNT}:user/reader"},
        {"session_name": "a b"},
        {"session_name": "x"},
        {"duration": 899},
        {"duration": 43_201},
    ],
)
def test_what_sts_would_refuse_is_refused_at_once(wrong: dict[str, Any]) -> None:
    """Before anybody is asked."""
    with pytest.raises(InvalidValue):
        AwsRole(**{"arn": READER, **wrong})


def test_a_chained_role_lasts_an_hour_at_the_most() -> None:
    """AWS takes no more; the first one may last longer."""
    long = AwsRole(arn=READER, duration=7200)
    AwsIdentity(roles=[long])
    with pytest.raises(ConfigurationError, match="an hour"):
        AwsIdentity(roles=[AwsRole(arn=WRITER), long])


# --- options -------------------------------------------------------------------------------------


def test_an_endpoint_names_profile_and_roles() -> None:
    """What is said of a role is said of the last one."""
    options = {
        "profile": "mirror",
        "role_arn": f"{READER},{WRITER}",
        "external_id": "acme",
        "role_session": "nightly",
        "role_duration": "30m",
        "role_tags": "team:core,stage:",
    }
    last = AwsRole(
        arn=WRITER,
        external_id="acme",
        session_name="nightly",
        duration=1800,
        tags=(("team", "core"), ("stage", "")),
    )
    assert AwsIdentity(session=boto3.Session()).with_options(options) == AwsIdentity(
        profile="mirror", roles=[AwsRole(arn=READER), last]
    )


def test_options_go_on_top_of_what_was_handed_over() -> None:
    """A session of one's own may assume the endpoint's role."""
    given = AwsIdentity(session=boto3.Session())
    assert given.with_options({}) == given
    asked = given.with_options({"role_arn": READER})
    assert asked == attrs.evolve(given, roles=[AwsRole(arn=READER)])


@pytest.mark.parametrize(
    "options",
    [
        {"external_id": "acme"},
        {"role_arn": READER, "role_tags": "team"},
        {"role_arn": READER, "role_duration": "soon"},
        {"role_arn": "reader"},
    ],
)
def test_options_that_cannot_be_so_are_refused(options: dict[str, str]) -> None:
    """With a word on how to write them."""
    with pytest.raises(InvalidValue) as caught:
        AwsIdentity().with_options(options)
    assert caught.value.hint


def test_the_apis_addresses_and_the_way_there_are_options() -> None:
    """A proxy that the environment names is left to the SDK."""
    endpoint = Endpoint.parse("ecr://h?api=https://vpce.example&proxy=http://p:3128")
    assert place_options(endpoint) == {
        "url": "https://vpce.example",
        "sts_url": None,
        "proxy": "http://p:3128",
    }
    assert place_options(Endpoint.parse("ecr://h?proxy=env"))["proxy"] is None
    assert place_options(Endpoint.parse("ecr://h"))["proxy"] is None


# --- asking --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "url"),
    [
        (AwsPlace(region="eu-west-1"), "https://api.ecr.eu-west-1.amazonaws.com"),
        (AwsPlace(region="us-east-1", fips=True), "https://ecr-fips.us-east-1.amazonaws.com"),
        (AwsPlace(region="eu-west-1", dual_stack=True), "https://ecr.eu-west-1.api.aws"),
        (AwsPlace(region="cn-north-1"), "https://api.ecr.cn-north-1.amazonaws.com.cn"),
        (AwsPlace(region="eu-west-1", fips=True, url="https://v.example"), "https://v.example"),
    ],
)
def test_the_api_is_the_one_that_goes_with_the_registry(place: AwsPlace, url: str) -> None:
    """FIPS and dual-stack follow the host; an address of one's own is the address."""
    api = AwsApi("ecr", AwsIdentity(), place, OpenContext(), per_second=1.0)
    assert api._made().meta.endpoint_url == url


def test_the_sdk_repeats_nothing_and_keeps_our_limits() -> None:
    """One layer repeats, and one set of numbers counts."""
    limits = HostLimits(connections=7, large=3, connect_timeout=3.0, first_byte_timeout=9.0)
    place = AwsPlace(region="eu-west-1", proxy="http://p:3128")
    context = OpenContext(limits=limits)
    config = AwsApi("ecr", AwsIdentity(), place, context, per_second=1.0)._made().meta.config
    assert config.retries["total_max_attempts"] == 1
    assert (config.connect_timeout, config.read_timeout) == (3.0, 9.0)
    assert config.max_pool_connections == 7
    assert config.proxies == {"http": "http://p:3128", "https": "http://p:3128"}


def test_no_proxy_is_asked_for_this_machine(
    ecr: LoopbackEcr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment could not reach it."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert _who(ecr, ecr.identity) == USER


def test_no_proxy_at_all_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    proxy = place_options(Endpoint.parse("ecr://h?proxy=none"))["proxy"]
    place = AwsPlace(region="eu-west-1", proxy=proxy)
    api = AwsApi("ecr", AwsIdentity(), place, OpenContext(), per_second=1.0)
    assert api._made().meta.config.proxies == {}


def test_throttling_is_borne_with_patience(ecr: LoopbackEcr) -> None:
    """As long as the policy says, and not a try longer."""
    api = _api(ecr, ecr.identity)
    ecr.throttle("DescribeRepositories", 2)
    api.call("look", "describe_repositories")
    assert [call.code for call in ecr.calls] == ["ThrottlingException"] * 2 + [""]
    ecr.throttle("DescribeRepositories", 3)
    with pytest.raises(RateLimited, match="Rate exceeded"):
        api.call("look", "describe_repositories")
    assert len(ecr.calls) == 6


def test_a_wrong_secret_is_called_so(ecr: LoopbackEcr) -> None:
    """And neither secret is quoted."""
    session = boto3.Session(aws_access_key_id=KEY_ID, aws_secret_access_key="wr0ng-s3cr3t")
    with pytest.raises(CredentialsRefused, match="InvalidSignatureException") as caught:
        _who(ecr, AwsIdentity(session=session))
    assert "secret access key" in str(caught.value.hint)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("hours", [-1, 1], ids=["ahead", "behind"])
def test_a_clock_that_is_wrong_is_called_so(hours: int) -> None:
    """Whichever way it is wrong: the secret is not to blame."""
    wrong = FakeClock(datetime.now(UTC) + timedelta(hours=hours))
    with LoopbackEcr(signing_clock=wrong) as ecr, pytest.raises(CredentialsRefused) as caught:
        _who(ecr, ecr.identity)
    assert "clock of this machine" in str(caught.value.hint)


def test_an_unknown_key_is_called_so(ecr: LoopbackEcr) -> None:
    """The remedy tells how to find out who is asking."""
    session = boto3.Session(aws_access_key_id="AKIANOBODY", aws_secret_access_key="x")
    with pytest.raises(CredentialsRefused, match="UnrecognizedClientException") as caught:
        _who(ecr, AwsIdentity(session=session))
    assert "get-caller-identity" in str(caught.value.hint)


# --- logging in ----------------------------------------------------------------------------------


def test_a_login_is_read_from_what_the_api_gave() -> None:
    """The user and the password, and the end in UTC; a list or one alone."""
    end = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=1)))
    entry = {"authorizationToken": base64.b64encode(b"AWS:pw:x").decode(), "expiresAt": end}
    for data in ([entry], entry):
        login = login_of({"authorizationData": data}, "h")
        assert (login.username, login.secret.reveal()) == ("AWS", "pw:x")
        assert login.expires_at == datetime(2026, 1, 1, 11, tzinfo=UTC)
        assert login.expires_at.tzinfo is UTC
    assert login_of({"authorizationData": {**entry, "expiresAt": None}}, "h").expires_at is None


@pytest.mark.parametrize(
    "data", [None, [], {}, "x", [{"authorizationToken": "%"}], [{"authorizationToken": "QQ=="}]]
)
def test_what_is_no_login_is_refused(data: object) -> None:
    """A proxy may answer anything; none of it is quoted."""
    with pytest.raises(CredentialsError, match="is no login") as caught:
        login_of({"authorizationData": data}, "h")
    assert caught.value.__cause__ is None
