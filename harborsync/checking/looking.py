"""The check itself: the way there, who we are, what we may do, how fast it goes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from harborsync.checking.network import Way
from harborsync.checking.policies import policy_for
from harborsync.checking.remedies import finding_of, in_order
from harborsync.checking.rights import Trial, blobs_of, scope_of, untried, with_told
from harborsync.checking.values import Check
from harborsync.checking.vendors import checks_of
from harborsync.credentials.defaults import default_credentials
from harborsync.endpoint import Endpoint
from harborsync.errors import Cancelled, CredentialsError, HarborsyncError, NotFound, Unsupported
from harborsync.gate import find_provider, open_registry, with_named_login
from harborsync.http.claims import ask_claims
from harborsync.insight import Deed, Direction, Finding, Identity, Insight, Right, Severity
from harborsync.provider import OpenContext
from harborsync.reference import DOCKER_HUB, ArtifactRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.credentials.base import Credential
    from harborsync.http.claims import Claims
    from harborsync.registry import Registry

_LOCAL: Final = frozenset({"memory"})
_HUB_API: Final = "registry-1.docker.io"
_HUB_NAMES: Final = frozenset({DOCKER_HUB, "index.docker.io"})


def check(
    endpoint: Endpoint | str,
    context: OpenContext | None = None,
    *,
    repository: str = "",
    probe: Literal["read", "write"] = "read",
    throughput: str = "",
    seconds: float = 5.0,
) -> Check:
    """Look at a registry, and return what was found; what fails is a finding.

    Args:
        endpoint: The registry, or its text.
        context: Logins, clock, limits; the usual logins of this machine if left out.
        repository: The repository to look at; the first one that is listed if left out.
        probe: ``write`` opens an upload and cancels it; ``read`` writes nothing.
        throughput: An artifact, as ``repository:tag``, whose largest blob is read to measure.
        seconds: For how long that is read at the most.

    Raises:
        InvalidValue: The endpoint cannot be read.
        InvalidReference: ``throughput`` names no artifact.
        UnknownProvider: Nobody opens it.
    """
    place = Endpoint.parse(endpoint) if isinstance(endpoint, str) else endpoint
    outside = context or OpenContext(credentials=default_credentials())
    # A check tells how things are; it does not wait until they are better.
    outside = attrs.evolve(outside, retry=attrs.evolve(outside.retry, attempts=1))
    looking = _Looking(place, outside, repository, write=probe == "write")
    looking.look()
    if throughput:
        looking.measure(ArtifactRef.parse(throughput), seconds)
    return looking.found()


class _Looking:
    """One check in the making."""

    def __init__(
        self, endpoint: Endpoint, context: OpenContext, repository: str, *, write: bool
    ) -> None:
        self._endpoint = endpoint
        self._context = context
        self._write = write
        self._provider = find_provider(endpoint)
        self._checks = checks_of(self._provider)
        self._findings: list[Finding] = []
        self._way: Way | None = None
        self._login: Credential | None = None
        self._claims: Claims | None = None
        self._throughput: float | None = None
        self._nearer = ""
        self._insight = Insight()
        self._identity: Identity | None = None
        self._rights: tuple[Right, ...] = ()
        self._repository = repository

    def look(self) -> None:
        """Go there, and try what may be done."""
        if not self._endpoint.is_path and self._provider.name not in _LOCAL:
            with self._noting():
                self._go()
        if self._way is not None and self._way.answer is None:
            self._rights = untried(self._checks, self._repository, "it was not reached")
            return
        if self._way is not None and not self._is_let_in(self._way):
            self._rights = untried(self._checks, self._repository, "the login is refused")
            return
        with self._opened() as registry:
            if not self._repository:
                self._repository = self._first_repository(registry)
            if self._way is not None:
                self._introduce(self._way)
            self._try(registry)

    def measure(self, what: ArtifactRef, seconds: float) -> None:
        """Read the largest blob of an artifact for a while."""
        clock, count = self._context.clock, 0
        with self._opened() as registry:
            manifest = registry.get_manifest(what.repository, what.reference)
            blobs = blobs_of(registry, what.repository, manifest)
            largest = max(blobs, key=lambda blob: blob.size, default=None)
            if largest is None:
                msg = f"{what} has no blob to measure with"
                raise NotFound(msg, hint="name an image")
            started = clock.monotonic()
            with registry.open_blob(what.repository, largest) as blocks:
                for block in blocks:
                    count += len(block)
                    if clock.monotonic() - started >= seconds:
                        break
            passed = clock.monotonic() - started
            self._throughput = count / passed if passed else None

    def found(self) -> Check:
        """Return what was found."""
        way = self._way
        findings = [*(way.findings if way else ()), *self._findings]
        return Check(
            endpoint=self._endpoint,
            provider=self._provider.name,
            repository=self._repository,
            identity=self._identity,
            rights=self._rights,
            checked_at=self._context.clock.now(),
            hosts=tuple(way.hosts) if way else (),
            clock_skew=way.clock_skew if way else None,
            throughput=self._throughput,
            nearer=self._nearer,
            policies=tuple(
                policy
                for direction in Direction
                for policy in policy_for(self._endpoint, direction)
            ),
            findings=in_order(findings),
        )

    # --- the way there -----------------------------------------------------------------------

    def _go(self) -> None:
        host = self._provider.host(self._endpoint)
        # The name of Docker Hub is not that of its API (OCI-1.4).
        spelt = _HUB_API if host in _HUB_NAMES else host
        self._named, self._context_here = with_named_login(self._endpoint, self._context, host)
        self._place = attrs.evolve(self._named, address=spelt)
        self._way = Way(self._place, self._context_here)
        self._way.go()
        for api in self._checks.apis(self._endpoint):
            self._way.reach(api, "API")
        self._nearer = self._way.look_nearer()

    def _is_let_in(self, way: Way) -> bool:
        """Tell whether the token server takes the login; a wrong one is shown only once."""
        with self._noting():
            host = self._provider.host(self._endpoint)
            self._login = self._context_here.credentials.get(host, self._repository)
        try:
            self._ask_claims(way)
        except CredentialsError as error:
            self._findings.append(finding_of(error))
            self._identity = self._by_login()
            return False
        except Cancelled:
            raise
        except HarborsyncError as error:
            # The claims only explain; what cannot be done without them shows when it is tried.
            self._findings.append(finding_of(error, Severity.WARNING))
        return True

    def _ask_claims(self, way: Way) -> None:
        if way.answer is not None and self._login is not None:
            self._claims = ask_claims(
                self._place, self._context_here, way.answer, self._login, self._scopes()
            )

    def _introduce(self, way: Way) -> None:
        """Find out who we are: by the login, by the token, by the product itself."""
        if self._claims is not None and not self._claims.grants and self._repository:
            with self._noting():
                self._ask_claims(way)
        # Who has a login of his own can copy without the product's interface.
        with self._noting(Severity.ERROR if self._login is None else Severity.WARNING):
            self._insight = self._checks.look(self._named, self._context_here, self._repository)
        self._findings += self._insight.findings
        self._identity = self._insight.identity or self._by_login()

    def _scopes(self) -> tuple[str, ...]:
        deeds = Deed if self._repository else ()
        return tuple(dict.fromkeys(scope_of(self._repository, deed) for deed in deeds))

    def _by_login(self) -> Identity | None:
        login = self._login
        if login is None:
            return None
        subject = self._claims.subject if self._claims is not None else None
        return Identity(
            name=subject or login.username or "whoever bears the token",
            kind="" if subject or login.username else str(login.kind),
            origin=login.origin,
            expires_at=login.expires_at,
        )

    # --- trying ------------------------------------------------------------------------------

    def _first_repository(self, registry: Registry) -> str:
        """Return the first repository below the endpoint's prefix, or nothing."""
        prefix = self._provider.prefix(self._endpoint)
        start = f"{prefix}/" if prefix else ""
        catalog = registry.abilities.catalog
        with self._noting():
            try:
                names = catalog.list_repositories() if catalog is not None else iter(())
                return next((name for name in names if f"{name}/".startswith(start)), "")
            except Unsupported as error:
                self._findings.append(_why_no_catalog(error))
        return ""

    def _try(self, registry: Registry) -> None:
        granted = self._claims.grants if self._claims is not None else {}
        trial = Trial(registry, self._repository, self._checks, granted, write=self._write)
        rights = trial.rights()
        self._findings += trial.findings
        if self._way is not None:
            rights = with_told(rights, self._insight.rights)
            if trial.storage is not None and trial.storage != self._way.home:
                self._way.reach(trial.storage, "storage", named_by_home=True)
        self._rights = rights

    @contextmanager
    def _opened(self) -> Iterator[Registry]:
        """Open the registry; what fails with it is a finding."""
        with self._noting():
            registry: Any = open_registry(self._endpoint, self._context)
            try:
                yield registry
            finally:
                close = getattr(registry, "close", None)
                if close is not None:
                    close()

    @contextmanager
    def _noting(self, severity: Severity = Severity.ERROR) -> Iterator[None]:
        try:
            yield
        except Cancelled:
            raise
        except HarborsyncError as error:
            self._findings.append(finding_of(error, severity))


def _why_no_catalog(error: Unsupported) -> Finding:
    """Return that the login was not good for it, or else that many registries have none."""
    cause = error.__cause__
    if isinstance(cause, CredentialsError):
        return finding_of(cause)
    remedy = "name one to look at: repository=, or --repository"
    return Finding(severity=Severity.NOTE, what=error.message, remedy=remedy)
