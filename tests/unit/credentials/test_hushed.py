"""SDKs are loaded when they are needed, and tell no secrets."""

from __future__ import annotations

import logging

import pytest

from harborsync.credentials.hushed import load_sdk, scrub
from harborsync.errors import MissingDependency

MARKER = "s3cr3t+marker/=="
TEXTS = {
    "header": f"x-amz-security-token:{MARKER}",
    "python's headers": f"{{'X-Amz-Security-Token': b'{MARKER}', 'Host': 'h'}}",
    "json": f'{{"authorizationToken":"{MARKER}","expiresAt":1}}',
    "escaped json": rf'b"{{\"password\": \"{MARKER}\"}}"',
    "form": f"Action=AssumeRoleWithWebIdentity&WebIdentityToken={MARKER}&Version=1",
    "xml": f"<SecretAccessKey>{MARKER}</SecretAccessKey><SessionToken>{MARKER}</SessionToken>",
    "signed header": (
        f"Authorization: AWS4-HMAC-SHA256 Credential=AK/1, SignedHeaders=a;b, Signature={MARKER}"
    ),
    "bearer": "Authorization: Bearer s3cr3t+marker/==",
    "address": f"GET https://api.example/?AccessKeyId=AK&Signature={MARKER} failed",
    "login in an address": "https://user:s3cr3t%2B@api.example/",
    "what alibaba signs": "POST&%2F&AccessKeyId%3DAK%26SecurityToken%3Ds3cr3t%252Bmarker%26Version%3D1",
    "tencent": f"{{'X-TC-Token': '{MARKER}'}}",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_whatever_form_a_secret_has_it_is_masked(text: str) -> None:
    """Headers, JSON, forms, XML, addresses, and what Python makes of them."""
    assert "s3cr3t" not in scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        "cannot list the images of team/app: the repository does not exist",
        "An error occurred (AccessDenied): not authorized to perform: ecr:DescribeImages",
        "2026-11-25T03:00:00Z sha256:0123 123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """A message is there to be read."""
    assert scrub(text) == text


def test_records_of_sdks_are_scrubbed_whatever_logger_made_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also those of loggers below, with arguments, and with the exception they tell of."""
    load_sdk("botocore.exceptions", extra="aws", purpose="a test")
    log = logging.getLogger("botocore.some.part")
    with caplog.at_level(logging.DEBUG):
        log.debug("headers: %s", {"X-Amz-Security-Token": MARKER})
        try:
            msg = f"token={MARKER}"
            raise ValueError(msg)
        except ValueError:
            log.exception("it failed")
    assert "headers" in caplog.text
    assert "ValueError" in caplog.text
    assert "s3cr3t" not in caplog.text
    assert not any(record.exc_info for record in caplog.records)  # which a service may be sent


def test_records_of_others_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """What a user's own program logs is the user's affair."""
    load_sdk("botocore.exceptions", extra="aws", purpose="a test")
    logging.getLogger("botocoreish").warning("token=%s", "mine")
    (record,) = caplog.records
    assert record.args == ("mine",)
    assert "token=mine" in caplog.text


def test_a_missing_sdk_names_its_extra() -> None:
    """The remedy is one line to paste."""
    with pytest.raises(MissingDependency, match="speaking to the moon needs") as caught:
        load_sdk("no_such_sdk", extra="moon", purpose="speaking to the moon")
    assert caught.value.hint == "pip install 'harborsync[moon]'"
