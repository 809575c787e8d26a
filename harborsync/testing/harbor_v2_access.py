"""Who may do what on the ``/v2`` face of the emulated Harbor, and how the others are challenged.

A refusal is always a 401. It asks for a token as long as nothing was tried, then for a
password; for what is nowhere it asks for nothing (HARBOR-5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from harborsync.testing.harbor_access import identify
from harborsync.testing.harbor_tokens import SERVICE, SERVICE_PATH
from harborsync.testing.harbor_wire import HarborError

if TYPE_CHECKING:
    from harborsync.testing.harbor_access import Identity
    from harborsync.testing.harbor_state import HarborState
    from harborsync.testing.harbor_tokens import TokenService
    from harborsync.testing.server_wire import Request

_ACTIONS: Final = {
    "GET": "pull",
    "HEAD": "pull",
    "POST": "push",
    "PUT": "push",
    "PATCH": "push",
    "DELETE": "delete",
}


def identify_caller(state: HarborState, tokens: TokenService, request: Request) -> Identity:
    """Return who a request comes from, by a token or by a login."""
    scheme = request.headers.get("authorization", "").partition(" ")[0].lower()
    return tokens.identity(request) if scheme == "bearer" else identify(state, request)


def authorize(state: HarborState, request: Request, identity: Identity, repository: str) -> None:
    """Refuse what the caller may not do; the refusal is always a 401 (HARBOR-5).

    Raises:
        HarborError: They may not.
    """
    if request.path == "/v2/_catalog":
        if not _may_read_catalog(identity):
            refuse_access("unauthorized to list catalog", 'Basic realm="harbor"')
    elif not repository:
        if not identity.known:
            refuse_access("unauthorized", _challenge(request, ()))
    else:
        _authorize_repositories(state, request, identity, repository)


def _authorize_repositories(
    state: HarborState, request: Request, identity: Identity, repository: str
) -> None:
    wanted = [(repository, _ACTIONS.get(request.method, "pull"))]
    source = request.parameter("from") if request.method == "POST" else None
    if source and request.parameter("mount"):
        wanted.append((source, "pull"))
    for name, action in wanted:
        if "authorization" not in request.headers and request.method in {"GET", "HEAD"}:
            msg = "authorize header needed to send HEAD to repository"
            refuse_access(msg, _challenge(request, wanted))
        project = name.partition("/")[0]
        if state.find_project(project) is None:
            refuse_access(f"project {project} not found", "")
        if not _may(state, identity, name, action):
            msg = f"unauthorized to access repository: {name}, action: {action}"
            refuse_access(msg, _challenge(request, wanted))


def _may(state: HarborState, identity: Identity, repository: str, action: str) -> bool:
    project = state.project(repository.partition("/")[0])
    if identity.grants is not None:
        return action in identity.grants.get(f"repository:{repository}", ())
    return identity.may(project, "repository", action)


def _may_read_catalog(identity: Identity) -> bool:
    if identity.grants is not None:
        return "*" in identity.grants.get("registry:catalog", ())
    return identity.may_in_system("catalog", "read")


def _challenge(request: Request, wanted: Any) -> str:
    """Return a Basic challenge to whom has tried already, else one for a token (HARBOR-5)."""
    if "authorization" in request.headers:
        return 'Basic realm="harbor"'
    challenge = f'Bearer realm="{request.origin}{SERVICE_PATH}",service="{SERVICE}"'
    scopes = " ".join(f"repository:{name}:{_scope(action)}" for name, action in wanted)
    return f'{challenge},scope="{scopes}"' if scopes else challenge


def _scope(action: str) -> str:
    return "pull,push" if action == "push" else action


def refuse_access(message: str, challenge: str) -> NoReturn:
    """Refuse a request to ``/v2``, saying the reason twice as Harbor does.

    Raises:
        HarborError: Always.
    """
    headers = {"Docker-Distribution-API-Version": "registry/2.0", "WWW-Authenticate": challenge}
    raise HarborError(401, "UNAUTHORIZED", f"{message}: {message}", headers)
