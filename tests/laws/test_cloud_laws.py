"""Laws of clouds: no login for a look-alike, no secret in a log, no signature but a right one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from harborsync.clock import SystemClock
from harborsync.clouds import recognise
from harborsync.credentials.hushed import scrub
from harborsync.testing.cloud_plane import ApiRefusal
from harborsync.testing.cloud_sigv4 import AccessKey, verify
from harborsync.testing.scripted import Heard

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTS: Final = (
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    "public.ecr.aws",
    "registry.cn-hangzhou.aliyuncs.com",
    "my-team-registry.cn-hangzhou.cr.aliyuncs.com",
    "my-team.tencentcloudcr.com",
    "ccr.ccs.tencentyun.com",
    "eu.gcr.io",
    "europe-west1-docker.pkg.dev",
)
LABELS: Final = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True)
SECRETS: Final = st.from_regex(r"[A-Za-z0-9+/_-]{8,40}={0,2}", fullmatch=True)
FORMS: Final[tuple[Callable[[str], str], ...]] = (
    lambda secret: f"x-amz-security-token:{secret}",
    lambda secret: f"{{'X-Amz-Security-Token': b'{secret}', 'Host': 'h'}}",
    lambda secret: f'{{"authorizationToken":"{secret}","expiresAt":1}}',
    lambda secret: f"AccessKeySecret={secret}&Version=1",
    lambda secret: f"<SessionToken>{secret}</SessionToken>",
    lambda secret: f"https://api.example/?Signature={secret}",
)


@given(host=st.sampled_from(HOSTS), label=LABELS)
def test_a_host_below_another_domain_belongs_to_no_cloud(host: str, label: str) -> None:
    """Whatever domain somebody registers for it."""
    assert recognise(host) is not None
    assert recognise(f"{host}.{label}") is None
    assert recognise(f"{host}.{label}.example") is None


@given(secret=SECRETS, form=st.sampled_from(FORMS), before=LABELS, after=LABELS)
def test_a_secret_is_masked_wherever_it_stands(
    secret: str, form: Callable[[str], str], before: str, after: str
) -> None:
    """In the midst of other text, too."""
    told = scrub(f"{before} {form(secret)} {after}")
    assert secret not in told.removeprefix(before).removesuffix(after)


KEY: Final = AccessKey(secret="a secret", principal="somebody", token="a token")


def _signed(body: bytes, headers: dict[str, str], secret: str) -> Heard:
    request: Any = AWSRequest("POST", "http://127.0.0.1:1/", headers=headers, data=body)
    credentials = Credentials("AK", secret, KEY.token)
    SigV4Auth(credentials, "ecr", "eu-west-1").add_auth(request)
    fields = {name.lower(): str(value) for name, value in request.headers.items()}
    return Heard(method="POST", target="/", headers={"host": "127.0.0.1:1", **fields}, body=body)


VALUES: Final = st.text("abcXYZ019 ,;=/+-_.", min_size=1, max_size=20).filter(str.strip)


@given(body=st.binary(max_size=200), value=VALUES)
def test_what_the_sdk_signs_is_verified_and_nothing_else(body: bytes, value: str) -> None:
    """A body changed on its way, or another secret, is refused."""
    clock = SystemClock()
    heard = _signed(body, {"X-Amz-Target": value}, KEY.secret)
    assert verify(heard, {"AK": KEY}, clock, ends_by=clock) == (KEY, "ecr")
    changed = Heard(method="POST", target="/", headers=heard.headers, body=body + b"!")
    for wrong in (changed, _signed(body, {"X-Amz-Target": value}, "another")):
        with pytest.raises(ApiRefusal, match="InvalidSignatureException"):
            verify(wrong, {"AK": KEY}, clock, ends_by=clock)
