"""Loads the SDKs of clouds, and keeps what they log and raise from telling secrets.

At DEBUG the SDKs log whole requests and answers, tokens and passwords among them, and the texts
of their exceptions quote signed addresses and headers. From the moment an SDK is loaded here,
every record of its loggers is scrubbed when it is made, whatever handler it goes to.
"""

from __future__ import annotations

import logging
import re
import threading
import traceback
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from harborsync._lazy import require
from harborsync.secrets import MASK, redact

if TYPE_CHECKING:
    from types import ModuleType

#: The loggers that are scrubbed, with all below them. The last two tell of the SDKs' requests.
HUSHED: Final = (
    "aliyunsdkcore",
    "boto3",
    "botocore",
    "google.auth",
    "google.oauth2",
    "s3transfer",
    "tencentcloud_sdk_common",
    "requests",
    "urllib3",
)

_NAME: Final = (
    r"[\w.-]*(?:token|secret|passw(?:or)?d|signature|authorization|credential|assertion)[\w.-]*"
)
# A field of JSON, of a header, of a form or of a Python repr, up to the end of its value.
_FIELD: Final = re.compile(
    rf"""(?ix) (\b{_NAME} \\? ['"]? \s* (?:[:=] | => | %(?:25)?3D) \s* (?:b(?=["']))? )
    (?: (\\?["']) .*? (?:\2|$) | (?:(?:basic|bearer|TC3-HMAC-SHA256|AWS4-HMAC-SHA256|acs)\s+)?
    [^\s,;&<>}})\]"']+ (?:,\s*(?:SignedHeaders|Signature)=[^\s,]+)* )"""
)
_ELEMENT: Final = re.compile(rf"(?i)<({_NAME})>[^<]*")

_lock: Final = threading.Lock()


@cache
def load_sdk(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import a module of an SDK, and scrub what it logs from now on.

    Raises:
        MissingDependency: It is not installed; the message names the extra.
    """
    _hush()
    return require(module, extra=extra, purpose=purpose)


def scrub(text: str) -> str:
    """Return a text of an SDK with everything masked that is, or looks like, a secret.

    >>> scrub("x-amz-security-token:IQoJb3JpZ2lu and {'Password': 'hunter2'}")
    "x-amz-security-token:*** and {'Password': ***}"
    """
    text = _ELEMENT.sub(rf"<\1>{MASK}", redact(text))
    return _FIELD.sub(rf"\g<1>{MASK}", text)


def _hush() -> None:
    """Have the records of SDKs scrubbed as they are made.

    A filter on a logger sees no record of the loggers below it, and we own no handler.
    """
    with _lock:
        make = logging.getLogRecordFactory()
        if not isinstance(make, _Scrubbing):
            logging.setLogRecordFactory(_Scrubbing(make))


class _Scrubbing:
    """Makes log records; those of SDKs without secrets."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*args, **kwargs)
        if _is_of_an_sdk(record.name):
            record.msg, record.args = scrub(record.getMessage()), ()
            if record.exc_info and record.exc_info[0] is not None:
                record.exc_text = scrub("".join(traceback.format_exception(*record.exc_info)))
                record.exc_info = None  # handlers that send it elsewhere would send what it quotes
        return record


@cache
def _is_of_an_sdk(name: str) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in HUSHED)
