"""What a refusal means."""

from __future__ import annotations

import json

import pytest

from harborsync.errors import (
    ContentMissing,
    Denied,
    NotFound,
    QuotaExceeded,
    RateLimited,
    RegistryError,
    ServerError,
    Side,
    TagImmutable,
    Unsupported,
)
from harborsync.http.answers import (
    Refusal,
    error_from,
    is_about_a_right,
    printable,
    request_id,
)
from harborsync.http.wire import Answer, Headers

_DIGEST = "sha256:" + "a" * 64


def _answer(
    status: int,
    body: object = b"",
    *,
    method: str = "GET",
    url: str = "https://r.example/v2/a/manifests/v1?sig=SECRET",
    diagnosis: str = "",
    **headers: str,
) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Answer(
        method=method,
        url=url,
        status=status,
        headers=Headers(pairs),
        body=content,
        diagnosis=diagnosis,
    )


def _errors(code: str, message: str = "", detail: object = None) -> dict[str, object]:
    return {"errors": [{"code": code, "message": message, "detail": detail}]}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, b"", NotFound),
        (404, b"404 page not found\n", NotFound),
        (404, _errors("MANIFEST_UNKNOWN"), NotFound),
        (400, _errors("NAME_UNKNOWN"), NotFound),
        (400, _errors("UNKNOWN", "artifact v1 not found"), NotFound),
        (401, _errors("UNAUTHORIZED", "project x not found"), NotFound),
        (401, _errors("UNAUTHORIZED", "authentication required"), Denied),
        (403, _errors("DENIED", "requested access is denied"), Denied),
        (403, _errors("DENIED", "adding 5 MiB will exceed the quota of 1 MiB"), QuotaExceeded),
        (507, b"", QuotaExceeded),
        (429, b"slow down", RateLimited),
        (400, {"__type": "ThrottlingException", "message": "Rate exceeded"}, RateLimited),
        (403, _errors("DENIED", "will exceed the configured upper limit of 1 MiB"), QuotaExceeded),
        (412, _errors("PRECONDITION", "configured as immutable"), TagImmutable),
        (412, _errors("PRECONDITION", "the policy 33 is disabled"), RegistryError),
        (412, b"", RegistryError),
        (400, _errors("TAG_INVALID", "The image tag is immutable"), TagImmutable),
        (400, {"__type": "ImageTagAlreadyExistsException", "message": "no"}, TagImmutable),
        (405, b"", Unsupported),
        (501, b"", Unsupported),
        (400, _errors("UNSUPPORTED", "the operation is unsupported"), Unsupported),
        (408, b"", ServerError),
        (499, _errors("UNKNOWN"), ServerError),
        (500, _errors("UNKNOWN"), ServerError),
        (503, b"<html>quota of patience</html>", ServerError),
        (400, _errors("MANIFEST_INVALID"), RegistryError),
        (418, b"", RegistryError),
    ],
)
def test_status_code_and_words_make_one_error(
    status: int, body: object, kind: type[RegistryError]
) -> None:
    """The status decides first, then the code, then the words."""
    error = error_from(_answer(status, body), "read a")
    assert type(error) is kind
    assert error.status == status


def test_a_412_to_a_manifest_is_about_its_tag() -> None:
    """Whatever it says; nothing else there has a condition."""
    assert type(error_from(_answer(412, method="PUT"), "write a")) is TagImmutable


@pytest.mark.parametrize(
    ("status", "code", "words", "hint"),
    [
        (403, "DENIED", "The system is in read only mode.", "read-only for now"),
        (403, "DENIED", "can not push artifact to a proxy project: p", "takes no pushes"),
        (405, "METHOD_NOT_ALLOWED", "for a proxy cache project", "takes no pushes"),
        (412, "PROJECTPOLICYVIOLATION", "current image with 3 vulnerabilities", "vulnerable"),
    ],
)
def test_what_harbor_means_is_said(status: int, code: str, words: str, hint: str) -> None:
    """It is no matter of rights or tags, as the status alone would have it."""
    error = error_from(_answer(status, _errors(code, words)), "do it")
    assert type(error) is Denied
    assert hint in (error.hint or "")


def test_what_google_means_is_said() -> None:
    """A right that is lacking, and a format that it cannot read (regclient #466)."""
    words = 'Permission "artifactregistry.repositories.uploadArtifacts" denied on resource "r"'
    answer = _answer(403, _errors("DENIED", words))
    assert is_about_a_right(answer)
    denied = error_from(answer, "do it")
    assert type(denied) is Denied
    assert "harborsync.permissions.google" in (denied.hint or "")
    words = "Failed to deserialize application/vnd.docker.distribution.manifest.list.v2+json."
    answer = _answer(400, _errors("MANIFEST_INVALID", words))
    assert not is_about_a_right(answer)
    odd = error_from(answer, "do it")
    assert type(odd) is RegistryError
    assert "OCI index" in (odd.hint or "")


def test_a_400_that_says_nothing_hints_at_the_path() -> None:
    """ECR answers so where the repository's path is none that it takes."""
    error = error_from(_answer(400), "read it")
    assert error.hint is not None
    assert "path" in error.hint
    assert error_from(_answer(400, b"x"), "read it").hint is None


def test_an_error_says_what_its_operator_needs() -> None:
    """Method, URL without query, codes, request id and side are kept."""
    answer = _answer(
        400, _errors("MANIFEST_INVALID", "no layers"), X_Request_Id="id-1", method="PUT"
    )
    error = error_from(answer, "write a", Side.DESTINATION)
    assert error.message == "cannot write a: status 400 (MANIFEST_INVALID: no layers)"
    assert (error.method, error.url) == ("PUT", "https://r.example/v2/a/manifests/v1")
    assert (error.codes, error.request_id) == (("MANIFEST_INVALID",), "id-1")
    assert error.side is Side.DESTINATION


def test_a_refused_manifest_names_what_is_missing() -> None:
    """Digests in details of any shape are found, each once."""
    body = {
        "errors": [
            {"code": "MANIFEST_BLOB_UNKNOWN", "detail": {"digest": _DIGEST}},
            {"code": "MANIFEST_BLOB_UNKNOWN", "detail": _DIGEST},
        ]
    }
    error = error_from(_answer(404, body, method="PUT"), "write a")
    assert isinstance(error, ContentMissing)
    assert error.digests == (_DIGEST,)


def test_an_unknown_blob_is_missing_content_for_a_manifest_only() -> None:
    """The same code for a blob that is read means that it is not there."""
    body = _errors("BLOB_UNKNOWN")
    url = f"https://r.example/v2/a/blobs/{_DIGEST}"
    assert isinstance(error_from(_answer(404, body, url=url), "read"), NotFound)
    assert isinstance(error_from(_answer(404, body, method="PUT"), "write"), ContentMissing)


def test_a_rate_limit_keeps_its_seconds() -> None:
    """A date is left to whoever knows the time."""
    soon = error_from(_answer(429, Retry_After="7"), "read")
    dated = error_from(_answer(429, Retry_After="Thu, 01 Jan 2026 00:00:00 GMT"), "read")
    assert isinstance(soon, RateLimited)
    assert isinstance(dated, RateLimited)
    assert (soon.retry_after, dated.retry_after) == (7.0, None)


def test_a_diagnosis_of_the_transport_is_the_hint() -> None:
    """What the token told is better than a guess."""
    error = error_from(_answer(403, diagnosis="the token grants nothing"), "read")
    assert error.hint == "the token grants nothing"


@pytest.mark.parametrize(
    ("status", "words", "hint"),
    [
        (403, "adding 10 KiB, which will exceed the configured upper limit of 1 KiB", "quota"),
        (403, "The system is in read only mode.", "read-only for now"),
        (401, "project team not found", "may have to be made first"),
    ],
)
def test_what_the_server_says_counts_more_than_what_the_login_lacks(
    status: int, words: str, hint: str
) -> None:
    """The login is not to blame for a quota, nor for a project that nobody has made."""
    answer = _answer(status, _errors("DENIED", words), diagnosis="the token grants nothing")
    assert hint in (error_from(answer, "write").hint or "")


def test_html_is_read_as_text() -> None:
    """Markup, scripts and styles of a proxy's page are left out."""
    page = b"<html><head><style>b{}</style></head><body><h1>413</h1> Too\n large</body></html>"
    assert Refusal.of(_answer(413, page)).text == "413 Too large"


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"7",
        b'{"errors": 5}',
        b'{"errors": [7, null]}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"errors": [{"code": 5, "message": ["x"]}]}',
    ],
)
def test_any_body_is_tolerated(body: bytes) -> None:
    """A body of another shape says nothing, and breaks nothing."""
    assert Refusal.of(_answer(400, body)).codes == ()


def test_other_json_is_read_for_its_words() -> None:
    """Docker Hub says details, others error."""
    assert Refusal.of(_answer(404, {"details": "object not found"})).text == "object not found"
    assert Refusal.of(_answer(404, {"error": "nope"})).text == "nope"


def test_foreign_text_is_made_safe_to_print() -> None:
    """Control characters, secrets and length are taken care of."""
    text = printable(
        "a\x1b[31m\u202eb\n https://u:pw@h/x?sig=SECRET Bearer abcdefghijkl " + "x" * 900
    )
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "SECRET" not in text
    assert "abcdefghijkl" not in text
    assert "pw" not in text
    assert len(text) < 600


def test_a_request_id_is_found_under_any_of_its_names() -> None:
    """There is none if the server sent none."""
    assert request_id(_answer(500, x_amzn_RequestId="77")) == "77"
    assert request_id(_answer(500)) is None
