"""The API of Tencent Cloud: the real SDK signs, our cable sends, and our policy repeats."""

from __future__ import annotations

import json
import logging
import warnings
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import harborsync
from harborsync.cancel import Cancel
from harborsync.credentials.keys import Keys, RenewingKeys
from harborsync.credentials.tencent_api import SdkBridge, TencentApi
from harborsync.errors import (
    Cancelled,
    ConnectionLost,
    CredentialsExpired,
    CredentialsRefused,
    InvalidValue,
    RateLimited,
    RegistryError,
    ServerError,
    TlsError,
)
from harborsync.provider import OpenContext
from harborsync.retry import RetryPolicy
from harborsync.secrets import Secret
from harborsync.testing import FakeClock
from harborsync.testing.cloud_tencent import INSTANCE, LoopbackTcr
from harborsync.testing.cloud_tencent_plane import KEY_ID, REGION, SECRET_KEY
from harborsync.testing.scripted import Said, ScriptedServer
from harborsync.testing.tls import TestAuthority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harborsync.endpoint import Endpoint

    Open = Callable[..., TencentApi]

KEYS = Keys(key_id=KEY_ID, secret=Secret(SECRET_KEY))
OK = b'{"Response": {"RequestId": "r", "Registries": []}}'


@pytest.fixture
def tcr() -> Iterator[LoopbackTcr]:
    """Return an empty emulator."""
    with LoopbackTcr() as server:
        yield server


@pytest.fixture
def open_api(tcr: LoopbackTcr) -> Iterator[Open]:
    """Open an API, by default the emulator's with its key; closed at the end."""
    opened: list[TencentApi] = []

    def open_one(
        url: str | None = None,
        keys: RenewingKeys | None = None,
        endpoint: Endpoint | None = None,
        **more: Any,
    ) -> TencentApi:
        context = OpenContext(
            clock=FakeClock(), **{"retry": RetryPolicy(attempts=3, first_wait=0.1), **more}
        )
        keys = keys or RenewingKeys(lambda: KEYS, context.clock)
        api = TencentApi("tcr", url or tcr.api_url, keys, endpoint or tcr.endpoint, context)
        opened.append(api)
        return api

    yield open_one
    for each in opened:
        each.close()


def _look(api: TencentApi, region: str = REGION, **more: Any) -> dict[str, Any]:
    return api.call("look", "DescribeInstances", region, **more)


def test_the_sdk_signs_and_the_emulator_verifies(tcr: LoopbackTcr, open_api: Open) -> None:
    """Parameters that are None are left out; others arrive whatever characters they hold."""
    said = _look(
        open_api(), AllRegion=True, Filters=[{"Name": "x", "Values": ["té~'m"]}], Limit=None
    )
    assert said["TotalCount"] == 0
    assert [(call.operation, call.who) for call in tcr.calls] == [("DescribeInstances", KEY_ID)]


def test_what_goes_over_the_wire_is_ours(open_api: Open) -> None:
    """English, no slash in the name of the client, the region of the call, one connection."""
    with ScriptedServer(lambda heard: Said(body=OK)) as server:
        api = open_api(server.origin)
        _look(api)
        _look(api, "ap-tokyo")
        first, second = server.heard
    assert first.headers["x-tc-language"] == "en-US"
    assert first.headers["x-tc-requestclient"].endswith(f"harborsync-{harborsync.__version__}")
    assert "/" not in first.headers["x-tc-requestclient"]
    assert first.headers["user-agent"].startswith("harborsync/")
    assert [each.headers["x-tc-region"] for each in (first, second)] == [REGION, "ap-tokyo"]
    assert (first.connection, second.connection) == (1, 1)
    assert first.headers["host"] == server.host


def test_the_sdk_keeps_its_session_where_we_look_for_it(open_api: Open) -> None:
    """A private name of the SDK's, without which its own network code would be used."""
    api = open_api()
    _look(api)
    ((_, client),) = api._clients.values()
    session = client.request.conn._session
    assert not session.trust_env
    assert {type(each) for each in session.adapters.values()} == {SdkBridge}


def test_proxies_and_logins_of_the_environment_do_not_reach_the_sdk(
    tcr: LoopbackTcr, open_api: Open, monkeypatch: pytest.MonkeyPatch, bare_environment: Path
) -> None:
    """It would send all to the proxy, and a login of ~/.netrc in place of the signature."""
    (bare_environment / ".netrc").write_text("machine 127.0.0.1 login ann password x\n")
    (bare_environment / ".netrc").chmod(0o600)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    _look(open_api())
    assert [call.code for call in tcr.calls] == [""]


def test_an_api_in_the_clear_is_refused(open_api: Open) -> None:
    """Passwords of registries come back."""
    with pytest.raises(InvalidValue):
        open_api("http://tcr.example")


def test_tls_is_our_own() -> None:
    """The authority that the endpoint names is the one that counts."""
    with TestAuthority() as authority, LoopbackTcr(tls=authority) as tcr:
        context = OpenContext(clock=FakeClock(), retry=RetryPolicy(attempts=1))
        options = {**tcr.endpoint.options, "ca": str(authority.ca_file)}
        endpoint = attrs.evolve(tcr.endpoint, option_items=options)
        keys = RenewingKeys(lambda: KEYS, context.clock)
        api = TencentApi("tcr", tcr.api_url, keys, endpoint, context)
        assert _look(api, AllRegion=True)["TotalCount"] == 2
        api.close()
        other = TencentApi("tcr", tcr.api_url, keys, tcr.endpoint, context)
        with pytest.raises(TlsError):
            _look(other)
        other.close()


def test_throttling_in_an_answer_of_status_200_is_waited_for(
    tcr: LoopbackTcr, open_api: Open
) -> None:
    """By our policy; the SDK's own repeater is broken."""
    tcr.throttle("DescribeInstances", 2)
    _look(open_api())
    assert len(tcr.calls) == 3
    tcr.throttle("DescribeInstances", 3)
    with pytest.raises(RateLimited, match="RequestLimitExceeded"):
        _look(open_api())


@pytest.mark.parametrize(
    ("said", "kind", "asked"),
    [
        (Said(status=502, body=b"<html>"), ServerError, 3),
        (Said(status=403, body=b"<html>"), RegistryError, 1),
        (Said(body=b"<html>"), RegistryError, 1),
        (Said(body=b"[]"), RegistryError, 1),
        (Said(body=b'{"Response": 1}'), RegistryError, 1),
    ],
)
def test_what_is_no_answer_of_tencents_is_told(
    open_api: Open, said: Said, kind: type[RegistryError], asked: int
) -> None:
    """With the status, which the SDK drops."""
    with ScriptedServer(lambda heard: said) as server:
        with pytest.raises(kind, match=f"answers {said.status}, and not as Tencent") as caught:
            _look(open_api(server.origin))
        assert type(caught.value) is kind
        assert len(server.heard) == asked


def test_a_refusal_is_read_however_its_type_is_spelt(open_api: Open) -> None:
    """The SDK takes one with a charset for success."""
    error = {"Code": "AuthFailure.SignatureFailure", "Message": "no"}
    body = json.dumps({"Response": {"Error": error, "RequestId": "r"}}).encode()
    headers = (("Content-Type", "application/json; charset=utf-8"),)
    with ScriptedServer(lambda heard: Said(headers=headers, body=body)) as server:
        api = open_api(server.origin)
        with pytest.raises(CredentialsRefused):
            _look(api)


def test_nobody_listening_is_told_as_such(open_api: Open, closed_port: int) -> None:
    """Not as an exception of the SDK."""
    with pytest.raises(ConnectionLost):
        _look(open_api(f"http://127.0.0.1:{closed_port}"))


def test_a_run_that_is_cancelled_asks_nothing_more(tcr: LoopbackTcr, open_api: Open) -> None:
    """Neither does it wait."""
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        _look(open_api(cancel=cancel))
    assert tcr.calls == ()


def test_keys_that_ended_are_renewed_once(tcr: LoopbackTcr, open_api: Open) -> None:
    """If their source has others by now."""
    key_id, session = tcr.new_session("somebody", 600)
    stale = Keys(key_id=key_id, secret=Secret(session.secret), token=Secret(session.token or ""))
    tcr.end_sessions()
    found = iter([stale, KEYS])
    clock = FakeClock()
    api = open_api(keys=RenewingKeys(lambda: next(found), clock))
    _look(api)
    assert [call.code for call in tcr.calls] == ["AuthFailure.TokenFailure", ""]
    assert api.keys == KEYS
    with pytest.raises(CredentialsExpired):
        _look(open_api(keys=RenewingKeys(lambda: stale, clock)))


def test_who_signs_nothing_has_no_keys(tcr: LoopbackTcr) -> None:
    """That is for STS, which believes a pod's token; others refuse, and nothing is renewed."""
    context = OpenContext(clock=FakeClock(), retry=RetryPolicy(attempts=1))
    api = TencentApi("tcr", tcr.api_url, None, tcr.endpoint, context)
    assert api.keys is None
    with pytest.raises(CredentialsRefused):
        _look(api)
    error = {"Code": "AuthFailure.TokenFailure", "Message": "no"}
    body = json.dumps({"Response": {"Error": error, "RequestId": "r"}}).encode()
    with ScriptedServer(lambda heard: Said(body=body)) as server:
        unsigned = TencentApi("sts", server.origin, None, tcr.endpoint, context)
        with pytest.raises(CredentialsExpired):
            unsigned.call("try", "AssumeRoleWithWebIdentity", REGION)
        assert server.heard[0].headers["authorization"] == "SKIP"
        unsigned.close()
    api.close()


def test_reads_and_writes_have_budgets_of_their_own(tcr: LoopbackTcr) -> None:
    """Writes are allowed less often."""
    clock = FakeClock()
    context = OpenContext(clock=clock)
    keys = RenewingKeys(lambda: KEYS, clock)
    api = TencentApi("tcr", tcr.api_url, keys, tcr.endpoint, context)
    began = clock.monotonic()
    for _ in range(11):
        _look(api)
    assert clock.monotonic() - began == pytest.approx(10 / 50)
    began = clock.monotonic()
    for number in range(11):
        name = f"ns{number}"
        api.call(
            "make",
            "CreateNamespace",
            REGION,
            RegistryId=INSTANCE,
            NamespaceName=name,
            IsPublic=False,
        )
    assert clock.monotonic() - began == pytest.approx(10 / 10)
    api.close()


def test_the_debug_log_of_the_sdk_works_and_tells_no_secret(
    tcr: LoopbackTcr, open_api: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """It prints whole requests and answers."""
    with caplog.at_level(logging.DEBUG):
        api = open_api()
        login = api.call("buy", "CreateInstanceToken", REGION, RegistryId=INSTANCE)
    assert "GetResponse" in caplog.text
    assert "CreateInstanceToken" in caplog.text
    assert login["Token"] not in caplog.text
    assert SECRET_KEY not in caplog.text


def test_two_answers_at_once_come_from_one_client(tcr: LoopbackTcr, open_api: Open) -> None:
    """Making one is not thread-safe; using it is."""
    from concurrent.futures import ThreadPoolExecutor

    api = open_api()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: _look(api)["TotalCount"], range(40)))
    assert len(found) == 40
    assert len(api._clients) == 1


def test_what_python_deprecates_in_the_sdk_is_borne(open_api: Open) -> None:
    """Even where warnings are errors, as they are here; those of others stay."""
    _look(open_api())
    text = "datetime.datetime.utcfromtimestamp() is deprecated"
    warnings.warn_explicit(text, DeprecationWarning, "x.py", 1, "tencentcloud.common.sign")
    with pytest.raises(DeprecationWarning):
        warnings.warn_explicit(text, DeprecationWarning, "x.py", 1, "somebody.else")
