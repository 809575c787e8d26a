"""What a refusal means: one error from a status, the server's codes and its words.

The status decides first, the code second (OCI-7.1): bodies come from proxies as well.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import attrs

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
from harborsync.secrets import redact, redact_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harborsync.http.wire import Answer

_LONGEST_TEXT: Final = 500
_MOST_ERRORS: Final = 100
_REQUEST_IDS: Final = ("x-request-id", "x-amzn-requestid", "x-amz-request-id", "docker-upload-uuid")
_DIGEST: Final = re.compile(r"\b(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\b")
_MARKUP: Final = re.compile(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>")
_SPACE: Final = re.compile(r"\s+")
_NO_SUCH_NAME: Final = re.compile(r"(?i)\b(?:not found|does not exist|un-?recogni[sz]ed request)\b")
_IMMUTABLE: Final = re.compile(r"(?i)immutab|ImageTagAlreadyExists")
_BUSY: Final = re.compile(r"TOOMANYREQUESTS|ThrottlingException")
_QUOTA: Final = re.compile(
    r"(?i)\bquota\b|storage limit|insufficient storage|configured upper limit"
)
_GOOGLES_RIGHT: Final = re.compile(r"(?i)permission .?artifactregistry\.")
_NO_RIGHT: Final = (
    "grant the login a role that has it, see harborsync.permissions.google; a repository that is "
    "not there looks the same"
)
_ANNOTATED_LIST: Final = (
    "it takes docker's manifest lists without annotations only: build the image as an OCI index"
)
#: What Harbor (HARBOR §2) and Google say where the status alone would mislead.
_TELLING: Final[tuple[tuple[re.Pattern[str], type[RegistryError], str], ...]] = (
    (_GOOGLES_RIGHT, Denied, _NO_RIGHT),
    # regclient #466: docker's format knows no annotations.
    (re.compile(r"Failed to deserialize \S+\.manifest\.list\b"), RegistryError, _ANNOTATED_LIST),
    (
        re.compile(r"(?i)read[- ]only mode"),
        Denied,
        "the whole registry is read-only for now; its administrator ends that",
    ),
    (
        re.compile(r"(?i)proxy (?:cache )?project"),
        Denied,
        "a project that caches another registry takes no pushes: write to an ordinary one",
    ),
    (
        re.compile(r"PROJECTPOLICYVIOLATION"),
        Denied,
        "the project withholds what is vulnerable or unsigned: see its configuration",
    ),
)
_MISSING_CODES: Final = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})
_UNKNOWN_CODES: Final = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN"})
_SAYS_NOTHING: Final = "it gives no reason: the repository's path may be none that it takes"
_MAYBE_HIDDEN: Final = "either it does not exist, or these credentials may not see it"
_NOT_MADE: Final = (
    "it is not there, or hidden from these credentials; what it lies in, such as a project, may "
    "have to be made first"
)
#: Hints that say less than what the transport knows of the login.
_GENERAL: Final = frozenset({None, _MAYBE_HIDDEN})
_REFUSING: Final = frozenset({400, 403, 405, 409, 412, 413})
_BY_STATUS: Final[dict[int, tuple[type[RegistryError], str | None]]] = {
    401: (Denied, _MAYBE_HIDDEN),
    403: (Denied, _MAYBE_HIDDEN),
    404: (NotFound, _MAYBE_HIDDEN),
    405: (Unsupported, None),
    408: (ServerError, None),  # it waited in vain for the rest of what we sent (OCI-7.6)
    499: (ServerError, None),  # so distribution calls a body that broke off
    501: (Unsupported, None),
    507: (QuotaExceeded, "make room in the project, or raise its quota"),
}


@attrs.frozen(kw_only=True)
class Refusal:
    """What a refusing answer says.

    Attributes:
        codes: The server's error codes, in order.
        text: Its words in one line, fit to print.
        digests: Digests its details name.
    """

    codes: tuple[str, ...] = ()
    text: str = ""
    digests: tuple[str, ...] = ()

    @classmethod
    def of(cls, answer: Answer) -> Refusal:
        """Read the body, whatever it is: the specified JSON, other JSON, HTML or text."""
        try:
            parsed = json.loads(answer.body)
        except (ValueError, RecursionError):
            return cls(text=printable(_without_markup(answer.body)))
        errors = list(_errors(parsed))
        texts = dict.fromkeys(filter(None, (_text_of(error) for error in errors)))
        return cls(
            codes=tuple(dict.fromkeys(_code_of(error) for error in errors if _code_of(error))),
            text=printable("; ".join(texts)),
            digests=tuple(dict.fromkeys(_DIGEST.findall(json.dumps(errors)))),
        )

    @property
    def says_no_such_name(self) -> bool:
        """Whether the words are about a name that is not there, not about a login."""
        return bool(_NO_SUCH_NAME.search(self.text))


def error_from(answer: Answer, what: str, side: Side | None = None) -> RegistryError:
    """Return the error that an unwanted answer stands for.

    Args:
        answer: The answer.
        what: What was tried, as it follows "cannot".
        side: On which side, where that is known.
    """
    refusal = Refusal.of(answer)
    kind, hint, more = _kind_of(answer, refusal)
    said = ": ".join(filter(None, (" ".join(refusal.codes), refusal.text)))
    status = f"status {answer.status}" + (f" ({said})" if said else "")
    return kind(
        f"cannot {what}: {status}",
        method=answer.method,
        url=redact_url(answer.url),
        status=answer.status,
        codes=refusal.codes,
        request_id=request_id(answer),
        hint=hint if hint not in _GENERAL else answer.diagnosis or hint,
        side=side,
        **more,
    )


def is_about_a_right(answer: Answer) -> bool:
    """Tell whether a token server refuses for a right, as Google's does, and not for the login."""
    return bool(_GOOGLES_RIGHT.search(Refusal.of(answer).text))


def request_id(answer: Answer) -> str | None:
    """Return the server's id of the request, for its operator."""
    found = (answer.headers.get(name) for name in _REQUEST_IDS)
    return next((printable(text)[:200] for text in found if text), None)


def printable(text: str) -> str:
    """Return foreign text as one short line that is safe to show and to log."""
    line = _SPACE.sub(" ", redact(text[: 8 * _LONGEST_TEXT])).strip()[:_LONGEST_TEXT]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


_Kind = tuple[type[RegistryError], str | None, dict[str, Any]]


def _kind_of(answer: Answer, refusal: Refusal) -> _Kind:
    """Choose the class, a hint, and what only that class carries."""
    by_words = _kind_by_words(answer, refusal)
    if by_words is not None:
        return by_words
    if _is_unknown(answer, refusal):
        return NotFound, _NOT_MADE if refusal.says_no_such_name else _MAYBE_HIDDEN, {}
    if "UNSUPPORTED" in refusal.codes:
        return Unsupported, None, {}
    if answer.status == HTTPStatus.BAD_REQUEST and not answer.body:
        return RegistryError, _SAYS_NOTHING, {}  # so Amazon's says that of "//" or no namespace
    otherwise = ServerError if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR else RegistryError
    return (*_BY_STATUS.get(answer.status, (otherwise, None)), {})


def _kind_by_words(answer: Answer, refusal: Refusal) -> _Kind | None:
    """Choose by what stands in codes and words, where the status says too little."""
    said = f"{' '.join(refusal.codes)} {refusal.text}"
    status = answer.status
    if status == HTTPStatus.TOO_MANY_REQUESTS or _BUSY.search(said):
        return RateLimited, None, {"retry_after": _retry_after(answer)}
    if _misses_content(answer, refusal):
        return ContentMissing, None, {"digests": refusal.digests}
    refused_write = status == HTTPStatus.PRECONDITION_FAILED and _writes_manifest(answer)
    if refused_write or (status in _REFUSING and _IMMUTABLE.search(said)):
        return TagImmutable, "choose another tag, or change the registry's immutability rule", {}
    if status in _REFUSING and _QUOTA.search(said):
        return QuotaExceeded, "make room in the project, or raise its quota", {}
    if status not in _REFUSING:
        return None
    told: Iterator[_Kind] = (
        (kind, hint, {}) for words, kind, hint in _TELLING if words.search(said)
    )
    return next(told, None)


def _misses_content(answer: Answer, refusal: Refusal) -> bool:
    return _writes_manifest(answer) and not _MISSING_CODES.isdisjoint(refusal.codes)


def _writes_manifest(answer: Answer) -> bool:
    return answer.method == "PUT" and "/manifests/" in answer.url


def _is_unknown(answer: Answer, refusal: Refusal) -> bool:
    """Tell whether another status says "not found", too (OCI-7.3)."""
    if answer.status in {400, 401} and refusal.says_no_such_name:
        return True
    return answer.status in {400, 410} and not _UNKNOWN_CODES.isdisjoint(refusal.codes)


def _retry_after(answer: Answer) -> float | None:
    """Read a number of seconds; what a date comes to depends on when it was received."""
    text = answer.headers.get("retry-after")
    return float(text) if text.isascii() and text.isdigit() else None


def _errors(parsed: Any) -> Iterator[dict[str, Any]]:
    found = parsed.get("errors", [parsed]) if isinstance(parsed, dict) else []
    if isinstance(found, list):
        yield from (error for error in found[:_MOST_ERRORS] if isinstance(error, dict))


def _code_of(error: dict[str, Any]) -> str:
    code = error.get("code") or error.get("__type")
    return printable(code)[:80] if isinstance(code, str) else ""


def _text_of(error: dict[str, Any]) -> str:
    candidates: Iterable[Any] = (
        error.get(key) for key in ("message", "details", "error", "detail")
    )
    return next((text for text in candidates if isinstance(text, str) and text), "")


def _without_markup(body: bytes) -> str:
    return _MARKUP.sub(" ", body[: 64 * _LONGEST_TEXT].decode("utf-8", "replace"))
