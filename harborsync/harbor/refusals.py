"""What a refusal of Harbor's interface means, and what to do about it (HARBOR §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harborsync.errors import CredentialsRefused, NoCredentials, RegistryError
from harborsync.http.answers import Refusal, error_from, request_id
from harborsync.secrets import redact_url

if TYPE_CHECKING:
    from harborsync.credentials.base import CredentialSource
    from harborsync.errors import HarborsyncError
    from harborsync.http.wire import Answer

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_FAILED: Final = 500
_NO_LOGIN: Final = (
    "log in with docker or podman, set the environment variables, or give credentials="
)
#: What may be wrong with a login that is not taken.
WRONG_LOGIN: Final = (
    "is the secret right, and the robot neither disabled nor expired? With single sign-on a "
    "user's CLI secret reads lists only: use a robot account. A wrong password that another "
    "program keeps sending for this user locks it for everyone, 1.5 s each time"
)
_HIDDEN: Final = (
    "Harbor hides what failed; its administrator finds it in the log of core, by the request id. "
    "Wrong values end here, too: names that are too long, unknown types"
)
#: What to do about refusals that only their words tell apart (recorded: 08-registries).
_BY_WORDS: Final = {
    "already exists": "change the one that is there, or choose another name",
    "registry is unhealthy": (
        "Harbor itself does not reach it: are its address, login and certificate right from there?"
    ),
}
_FIREWALL: Final = (
    "the answer is a web page, not Harbor's: something between, such as a proxy or a web "
    "application firewall, refuses the address; it must let %252F in a path through"
)


class Refuser:
    """Turns unwanted answers into errors that say what to do.

    Args:
        name: What the Harbor is called: its host.
        credentials: Who knows the login, to say which one it was.
    """

    def __init__(self, name: str, credentials: CredentialSource) -> None:
        self._name = name
        self._credentials = credentials

    def error(self, answer: Answer, what: str, needs: str = "") -> HarborsyncError:
        """Return the error that an unwanted answer stands for.

        Args:
            answer: The answer.
            what: What was tried, as it follows "cannot".
            needs: The permission it takes, where one is known.
        """
        refusal = Refusal.of(answer)
        if answer.status == _UNAUTHORIZED and not refusal.says_no_such_name:
            return self._login_error(answer, what)
        error = error_from(answer, f"{what} at {self._name}")
        error.hint = _hint(answer, refusal, needs) or error.hint
        error.message += _id_of(answer)
        return error

    def nonsense(self, answer: Answer, what: str) -> RegistryError:
        """Return the error for an answer that is not what Harbor says."""
        return RegistryError(
            f"cannot {what} at {self._name}: the answer is not Harbor's" + _id_of(answer),
            method=answer.method,
            url=redact_url(answer.url),
            status=answer.status,
            request_id=request_id(answer),
            hint=_FIREWALL if _is_page(answer) else "is this a Harbor, of version 2.0 or later?",
        )

    def _login_error(self, answer: Answer, what: str) -> HarborsyncError:
        login = self._credentials.get(self._name)
        start = f"cannot {what} at {self._name}: "
        if login is None:
            return NoCredentials(f"{start}it wants a login{_id_of(answer)}", hint=_NO_LOGIN)
        whose = f"the login {login.username!r} from {login.origin}"
        return CredentialsRefused(f"{start}it refuses {whose}{_id_of(answer)}", hint=WRONG_LOGIN)


def _hint(answer: Answer, refusal: Refusal, needs: str) -> str | None:
    if _is_page(answer):
        return _FIREWALL
    if answer.status == _FORBIDDEN and "FORBIDDEN" in refusal.codes and needs:
        return f"the robot or user lacks the permission {needs}"
    if answer.status == _FAILED and "UNKNOWN" in refusal.codes:
        return _HIDDEN
    return next((hint for words, hint in _BY_WORDS.items() if words in refusal.text), None)


def _is_page(answer: Answer) -> bool:
    return answer.body.lstrip()[:1] == b"<"


def _id_of(answer: Answer) -> str:
    found = request_id(answer)
    return f" (request id {found})" if found else ""
