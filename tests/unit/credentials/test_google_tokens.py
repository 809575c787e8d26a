"""An identity becomes a token: by a file, by a machine, by somebody who lends his."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.oauth2.credentials import Credentials as UserCredentials

from harborsync.credentials.google import AccessToken, GoogleIdentity
from harborsync.credentials.google_cable import Cables
from harborsync.credentials.google_tokens import (
    TokenSource,
    loader_of,
    machine_of,
    maker_of,
    read_answer,
    read_fields,
    read_lent,
)
from harborsync.errors import (
    ConfigurationError,
    CredentialsError,
    CredentialsExpired,
    CredentialsRefused,
    Denied,
    NoCredentials,
    RateLimited,
)
from harborsync.provider import OpenContext
from harborsync.retry import RetryPolicy
from harborsync.secrets import Secret
from harborsync.testing.clock import FakeClock
from harborsync.testing.cloud_google import LoopbackGar
from harborsync.testing.cloud_google_oauth import ACCOUNT, MACHINE, POOL
from harborsync.testing.cloud_plane import ApiRefusal
from harborsync.testing.scripted import Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harborsync.testing.scripted import Heard

WRITER = "writer@acme.iam.gserviceaccount.com"
BETWEEN = "between@acme.iam.gserviceaccount.com"


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock near enough to the real one for assertions."""
    return FakeClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def gar(clock: FakeClock) -> Iterator[LoopbackGar]:
    """Return an emulator in the time of the test."""
    with LoopbackGar(clock=clock) as server:
        yield server


def _source(
    gar: LoopbackGar, identity: GoogleIdentity | None = None, environ: dict[str, str] | None = None
) -> TokenSource:
    context = OpenContext(clock=gar.clock, retry=RetryPolicy(attempts=3))
    return TokenSource(
        identity=identity or GoogleIdentity(),
        cables=Cables(endpoint=gar.endpoint, context=context),
        iam_url=gar.api_url,
        environ=environ or {},
    )


def _who(gar: LoopbackGar, *more: Any) -> str | None:
    """Return who the emulator takes an identity for."""
    return gar.office.who(_source(gar, *more).get().secret.reveal())


def _write(folder: Path, fields: object) -> str:
    path = folder / "credentials.json"
    path.write_text(json.dumps(fields))
    return str(path)


# --- files ---------------------------------------------------------------------------------------


def test_a_key_file_is_found_where_google_looks(gar: LoopbackGar, tmp_path: Path) -> None:
    """A variable first, then where gcloud keeps its own, then what is named outright."""
    path = _write(tmp_path, json.loads(gar.key))
    assert _who(gar, None, {"GOOGLE_APPLICATION_CREDENTIALS": path}) == ACCOUNT
    usual = tmp_path / "application_default_credentials.json"
    usual.write_text(gar.key)
    assert _who(gar, None, {"CLOUDSDK_CONFIG": str(tmp_path)}) == ACCOUNT
    assert _who(gar, GoogleIdentity(key_file=path)) == ACCOUNT


def test_a_token_tells_its_end(gar: LoopbackGar, tmp_path: Path, clock: FakeClock) -> None:
    """In UTC, so that it is renewed ahead."""
    token = _source(gar, GoogleIdentity(key_file=_write(tmp_path, json.loads(gar.key)))).get()
    assert token.expires_at is not None
    assert abs(token.expires_at - clock.now() - timedelta(seconds=3599)) < timedelta(seconds=60)
    assert token.origin.startswith("the file ")


def test_credentials_of_ones_own_are_refreshed(gar: LoopbackGar) -> None:
    """Here those of a person; google-auth itself asks the token server."""
    gar.people.refresh_tokens["1//refresh"] = "ann"
    url = f"{gar.api_url}/token"
    made = UserCredentials(  # type: ignore[no-untyped-call]
        None, refresh_token="1//refresh", token_uri=url, client_id="c", client_secret="s"
    )
    assert _who(gar, GoogleIdentity(credentials=made)) == "ann"
    gar.people.refresh_tokens.clear()
    with pytest.raises(CredentialsExpired) as caught:
        _source(gar, GoogleIdentity(credentials=made)).get()
    assert "gcloud auth application-default login" in str(caught.value.hint)


def _federated(gar: LoopbackGar, token_file: Path, **more: Any) -> dict[str, Any]:
    return {
        "type": "external_account",
        "audience": POOL,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{gar.api_url}/v1/token",
        "credential_source": {"file": str(token_file)},
        **more,
    }


def test_a_job_of_a_ci_is_somebody_by_its_own_token(gar: LoopbackGar, tmp_path: Path) -> None:
    """Workload identity: the token is read anew each time, and no key is stored."""
    gar.people.subject_tokens["eyJ.job.1"] = gar.people.subject_tokens["eyJ.job.2"] = "ci"
    token = tmp_path / "token"
    path = _write(tmp_path, _federated(gar, token))
    for text in ("eyJ.job.1", "eyJ.job.2"):
        token.write_text(text)
        assert _who(gar, GoogleIdentity(key_file=path)) == "ci"
    token.write_text("eyJ.job.of.others")
    with pytest.raises(CredentialsRefused) as caught:
        _source(gar, GoogleIdentity(key_file=path)).get()
    assert "workload identity federation" in str(caught.value.hint)
    assert "eyJ" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "module"),
    [
        ({}, "google.auth.identity_pool"),
        ({"credential_source": {"executable": {"command": "x"}}}, "google.auth.pluggable"),
        (
            {
                "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
                "credential_source": {
                    "environment_id": "aws1",
                    "regional_cred_verification_url": "https://sts.{region}.amazonaws.com",
                },
            },
            "google.auth.aws",
        ),
    ],
)
def test_a_federation_is_read_by_where_its_tokens_come_from(
    gar: LoopbackGar, tmp_path: Path, more: dict[str, Any], module: str
) -> None:
    """A file, a program, a machine of Amazon's; nobody is asked about a project."""
    fields = _federated(gar, tmp_path / "token", **more)
    assert type(loader_of(fields, "x")(fields)).__module__ == module
    assert gar.calls == ()


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("[]", CredentialsError, "is no file of Google credentials"),
        ("not json", CredentialsError, "is no file of Google credentials"),
        ('{"type": "gdch_service_account"}', ConfigurationError, "its type is 'gdch"),
        ('{"type": "service_account"}', Exception, "cannot read the file"),
    ],
)
def test_a_file_that_is_none_is_told(
    gar: LoopbackGar, tmp_path: Path, text: str, kind: type[Exception], said: str
) -> None:
    """By its path, and without what is in it."""
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(kind, match=said):
        _source(gar, GoogleIdentity(key_file=path)).get()
    with pytest.raises(CredentialsError, match="cannot be read"):
        read_fields(str(tmp_path / "none.json"))


def test_a_google_auth_that_is_too_old_is_told() -> None:
    """It reads some kinds of files since a few versions only."""
    with pytest.raises(ConfigurationError, match="too old") as caught:
        maker_of(object(), "from_info", "the file x")
    assert "upgrade" in str(caught.value.hint)


def test_throttling_by_a_token_server_is_borne(
    gar: LoopbackGar, tmp_path: Path, clock: FakeClock
) -> None:
    """By our policy and our clock, and not by google-auth's."""
    identity = GoogleIdentity(key_file=_write(tmp_path, json.loads(gar.key)))
    gar.log.plan("jwt-bearer", ApiRefusal(503, "unavailable", ""), 2)
    before = clock.monotonic()
    assert _who(gar, identity) == ACCOUNT
    assert clock.monotonic() > before
    gar.log.plan("jwt-bearer", ApiRefusal(429, "rate_limit_exceeded", ""), 99)
    with pytest.raises(RateLimited):
        _source(gar, identity).get()


# --- machines ------------------------------------------------------------------------------------


def test_a_machine_has_an_account(gar: LoopbackGar, clock: FakeClock) -> None:
    """Asked without any package of Google's; the field that proves who asks is sent."""
    token = _source(gar, None, gar.environment).get()
    assert gar.office.who(token.secret.reveal()) == MACHINE
    assert token.expires_at == clock.now() + timedelta(seconds=3599)


def test_google_auth_itself_is_led_to_the_one_address(gar: LoopbackGar) -> None:
    """It knows the metadata service by a name, which nobody looks up."""
    from google.auth import compute_engine

    made = compute_engine.Credentials()  # type: ignore[no-untyped-call]
    identity = GoogleIdentity(credentials=made)
    assert _who(gar, identity, gar.environment) == MACHINE
    with pytest.raises(NoCredentials, match="not to be asked"):
        _source(gar, identity, {"NO_GCE_CHECK": "true"}).get()


def test_a_machine_without_an_account_is_told(gar: LoopbackGar) -> None:
    """Which is another thing than no machine of Google's."""
    gar.people.machine = None
    with pytest.raises(NoCredentials, match="has no service account") as caught:
        _source(gar, None, gar.environment).get()
    assert "Workload Identity" in str(caught.value.hint)


@pytest.mark.parametrize("said", [None, Said(body=b"{}"), Said(status=404)])
def test_what_is_no_machine_of_googles_is_nobody(gar: LoopbackGar, said: Said | None) -> None:
    """Somebody else may answer at that address, or nobody."""
    with ScriptedServer(lambda heard: said) as server:
        with pytest.raises(NoCredentials, match="no machine's account") as caught:
            _source(gar, None, {"GCE_METADATA_HOST": server.host}).get()
        assert "key_file=PATH" in str(caught.value.hint)


def test_nonsense_of_a_machine_is_told(gar: LoopbackGar) -> None:
    """Not shown."""

    def script(heard: Heard) -> Said:
        return Said(headers=(("Metadata-Flavor", "Google"),), body=b'{"access_token": "hush"}')

    with ScriptedServer(script) as server, pytest.raises(CredentialsError) as caught:
        _source(gar, None, {"GCE_METADATA_HOST": server.host}).get()
    assert "hush" not in str(caught.value)


def test_nobody_is_asked_where_that_is_off(gar: LoopbackGar) -> None:
    """As Google's own tools have it."""
    environ = {"NO_GCE_CHECK": "true", **gar.environment}
    with pytest.raises(NoCredentials):
        _source(gar, None, environ).get()
    assert gar.calls == ()


@pytest.mark.parametrize("host", ["", "metadata.google.internal"])
def test_the_metadata_service_has_one_address(host: str) -> None:
    """Its name is not looked up, so that no name server can lead elsewhere."""
    found = machine_of({"GCE_METADATA_HOST": host})
    assert found is not None
    assert (found._address, found._port) == ("169.254.169.254", 80)


@pytest.mark.parametrize("host", ["metadata.evil.example", "127.0.0.1:x"])
def test_a_name_for_the_metadata_service_is_refused(host: str) -> None:
    """It would be given nothing, and yet decide who we are."""
    with pytest.raises(ConfigurationError, match="GCE_METADATA_HOST"):
        machine_of({"GCE_METADATA_HOST": host})


# --- acting for others ---------------------------------------------------------------------------


def test_a_service_account_lends_its_token(gar: LoopbackGar, clock: FakeClock) -> None:
    """To who may act for it, through others if need be."""
    gar.people.lends_to = {BETWEEN: {"ann"}, WRITER: {BETWEEN}}
    identity = GoogleIdentity(token=lambda: gar.sell("ann"), impersonate=[BETWEEN, WRITER])
    token = _source(gar, identity).get()
    assert gar.office.who(token.secret.reveal()) == WRITER
    assert token.expires_at == clock.now() + timedelta(seconds=3599)
    assert token.origin == f"acting for {WRITER}"


def test_one_that_lends_nothing_is_told(gar: LoopbackGar) -> None:
    """With the role that is lacking."""
    identity = GoogleIdentity(token=lambda: gar.sell("ann"), impersonate=[WRITER])
    with pytest.raises(Denied, match=f"act for {WRITER}") as caught:
        _source(gar, identity).get()
    assert "roles/iam.serviceAccountTokenCreator" in str(caught.value.hint)


@pytest.mark.parametrize("said", [{}, {"accessToken": "x", "expireTime": "soon"}])
def test_what_is_no_lent_token_is_told(said: dict[str, Any]) -> None:
    """Something else than Google may have answered."""
    with pytest.raises(CredentialsError, match="no access token"):
        read_lent(said, WRITER)


def test_an_answer_that_is_no_json_is_a_refusal() -> None:
    """By its status."""
    from harborsync.credentials.google_refusals import Unsuccessful
    from harborsync.http.wire import Answer, Headers

    for status, body in ((502, b"<html>"), (200, b"[]"), (404, b'{"error": "no"}')):
        answer = Answer(method="GET", url="x", status=status, headers=Headers([]), body=body)
        with pytest.raises(Unsuccessful, match=str(status)):
            read_answer(answer, "look")


def test_a_token_of_ones_own_is_taken_as_it_is(gar: LoopbackGar) -> None:
    """Nobody is asked."""
    token = AccessToken(secret=Secret("ya29.mine"))
    assert _source(gar, GoogleIdentity(token=lambda: token)).get() is token
    assert gar.calls == ()
