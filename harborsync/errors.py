"""Everything harborsync raises, as a tree by what the caller can do about it.

    HarborsyncError              .hint  .side  .retryable
    ├─ ConfigurationError        the wish is wrong: change the rule, the name, the option
    │  ├─ InvalidReference       (also ValueError) a name, tag or digest that cannot be one
    │  ├─ InvalidValue           (also ValueError) a size, duration, bandwidth, endpoint …
    │  ├─ FilterSyntaxError      (also ValueError) .text .position .expected
    │  ├─ PatternTimeout         .pattern: a regular expression took too long on some text
    │  ├─ MissingFact            .clause .fact: a filter needs what the registry does not tell
    │  ├─ UnknownProvider
    │  ├─ MissingDependency      (also ImportError) names the extra to install
    │  ├─ NamingCollision        two sources would be written to one destination
    │  └─ PlanRefused            the plan is older than its rules, or has expired
    ├─ CredentialsError
    │  ├─ NoCredentials
    │  ├─ CredentialsExpired
    │  └─ CredentialsRefused
    ├─ RegistryError             the server said no: .method .url .status .codes .request_id
    │  ├─ NotFound
    │  ├─ Denied
    │  ├─ RateLimited            .retry_after
    │  ├─ TagImmutable
    │  ├─ QuotaExceeded
    │  ├─ ContentMissing         .digests: what the server wants to have first
    │  ├─ Unsupported            the server does not offer this at all
    │  └─ ServerError
    ├─ TransportError            the network broke
    │  ├─ Timeout
    │  ├─ ConnectionLost
    │  ├─ TlsError
    │  └─ AddressRefused         a server pointed us to a place we do not go
    ├─ IntegrityError            bytes are not what their digest says
    │  ├─ DigestMismatch
    │  ├─ SizeMismatch
    │  └─ InvalidManifest
    ├─ VerificationError         a signature policy was not met
    ├─ CopyError                 operation, side and artifact around any of the above
    ├─ InvalidDelivery           what was posted to a webhook is no event that can be read
    ├─ Cancelled
    ├─ OutOfTime                 an artifact took longer than it may
    └─ ReplicationFailed         .report

Every class survives pickling with its fields, so failures cross process borders.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType


class Side(StrEnum):
    """Where an operation failed."""

    SOURCE = "source"
    DESTINATION = "destination"
    LOCAL = "local"


def _rebuild(
    cls: type[HarborsyncError], args: tuple[object, ...], state: dict[str, Any]
) -> HarborsyncError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class HarborsyncError(Exception):
    """Root of everything this package raises.

    Attributes:
        hint: What to do next, one sentence, or None.
        side: On which side it happened, where that is known.
        retryable: Whether the same operation may succeed if it is repeated later.
    """

    retryable: bool = False

    def __init__(self, message: str, *, hint: str | None = None, side: Side | None = None) -> None:
        """Keep the message apart from the advice."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.side = side

    def __str__(self) -> str:
        """Return the message, then the hint on a line of its own."""
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild without calling ``__init__``, so that any signature survives."""
        return _rebuild, (type(self), self.args, dict(self.__dict__))

    def at(self, side: Side) -> Self:
        """Return this error marked with the side it happened on, unless it is marked already."""
        self.side = self.side or side
        return self


class on_side:  # noqa: N801 - read as what is done there
    """Mark errors of a kind that come through with the side they are of, unless they are marked.

    Args:
        side: The side.
        kind: Which errors are marked.
    """

    __slots__ = ("_kind", "_side")

    def __init__(self, side: Side, kind: type[HarborsyncError] = HarborsyncError) -> None:
        self._side = side
        self._kind = kind

    def __enter__(self) -> None:
        """Do nothing yet."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Mark the error, if there is one, and let it through."""
        if isinstance(error, self._kind):
            error.at(self._side)


# --- the wish is wrong ---------------------------------------------------------------------


class ConfigurationError(HarborsyncError):
    """A rule, name or option cannot work; raised before anything is written."""


class InvalidReference(ConfigurationError, ValueError):
    """A repository name, tag, digest or reference that cannot be one."""


class InvalidValue(ConfigurationError, ValueError):
    """A size, duration, bandwidth, endpoint or other option that cannot be read."""


class FilterSyntaxError(ConfigurationError, ValueError):
    """A filter text that cannot be read.

    Attributes:
        text: The text as given.
        position: Index of the first character that does not fit, from 0.
        expected: What could have stood there.
    """

    def __init__(self, message: str, *, text: str, position: int, expected: str) -> None:
        """Show the text with a caret under the fault."""
        super().__init__(
            f"{message}\n  {text}\n  {' ' * position}^ expected {expected}",
        )
        self.text = text
        self.position = position
        self.expected = expected


class PatternTimeout(ConfigurationError):
    """A regular expression took too long; that is never taken for "does not match".

    Attributes:
        pattern: The expression.
    """

    def __init__(self, pattern: str) -> None:
        """Name the expression and the way out."""
        super().__init__(
            f"the regular expression {pattern!r} takes too long",
            hint="repeat nothing inside a repetition: 'a+' instead of '(a+)+'; or use like",
        )
        self.pattern = pattern


class MissingFact(ConfigurationError):
    """A filter cannot decide, because the registry does not tell what a clause needs.

    Attributes:
        artifact: What was to be decided on, as text.
        clause: The clause, as text.
        fact: The field of :class:`~harborsync.artifact.Artifact` that is unavailable.
    """

    def __init__(self, *, artifact: str, clause: str, fact: str) -> None:
        """Name the clause and the way out."""
        super().__init__(
            f"cannot decide on {artifact}: {clause!r} needs {fact}, which the registry does not tell",
            hint="drop the clause, or choose missing='exclude' to leave such artifacts out",
        )
        self.artifact = artifact
        self.clause = clause
        self.fact = fact


class UnknownProvider(ConfigurationError):
    """No built-in or installed provider has this name, or two have it."""


class MissingDependency(ConfigurationError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


class NamingCollision(ConfigurationError):
    """Two sources of a plan would be written to one destination."""


class PlanRefused(ConfigurationError):
    """The plan no longer stands for the rules at hand, or has expired: plan again."""


# --- who we are ----------------------------------------------------------------------------


class CredentialsError(HarborsyncError):
    """Credentials are lacking, stale or wrong."""


class NoCredentials(CredentialsError):
    """The registry wants a login and no source has one for it."""


class CredentialsExpired(CredentialsError):
    """The credentials were good once; they must be renewed at their source."""


class CredentialsRefused(CredentialsError):
    """The registry or its token server refused the credentials."""


# --- the server said no --------------------------------------------------------------------


class RegistryError(HarborsyncError):
    """An answer that is not the wanted one.

    Attributes:
        method: HTTP method, or the name of the operation where there is no HTTP.
        url: Where it was sent, without query string and user info.
        status: HTTP status, or 0 where there is no HTTP.
        codes: The server's own error codes, such as ``MANIFEST_UNKNOWN``.
        request_id: The server's id of the request, for its operator, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str = "",
        url: str = "",
        status: int = 0,
        codes: Iterable[str] = (),
        request_id: str | None = None,
        hint: str | None = None,
        side: Side | None = None,
    ) -> None:
        """Carry what the operator of the registry will ask for."""
        super().__init__(message, hint=hint, side=side)
        self.method = method
        self.url = url
        self.status = status
        self.codes = tuple(codes)
        self.request_id = request_id


class NotFound(RegistryError):
    """The repository, manifest or blob is not there, or is hidden from these credentials."""


class Denied(RegistryError):
    """The credentials are known and not allowed to do this."""


class RateLimited(RegistryError):
    """Too many requests.

    Attributes:
        retry_after: Seconds the server asked us to wait, or None.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None, **fields: Any) -> None:
        """Keep the wait the server asked for."""
        super().__init__(message, **fields)
        self.retry_after = retry_after


class TagImmutable(RegistryError):
    """The tag exists and the registry does not let it be written again."""


class QuotaExceeded(RegistryError):
    """The project or account has no room left."""


class ContentMissing(RegistryError):
    """A manifest was refused because something it names is not there yet.

    Attributes:
        digests: What the server misses, as texts; empty where it did not say.
    """

    def __init__(self, message: str, *, digests: Iterable[str] = (), **fields: Any) -> None:
        """Keep what is missing, so that exactly that can be sent again."""
        super().__init__(message, **fields)
        self.digests = tuple(digests)


class Unsupported(RegistryError):
    """The registry does not offer this operation."""


class ServerError(RegistryError):
    """The server failed (5xx, 408, 499); the same request may succeed later."""

    retryable = True


# --- the network broke ---------------------------------------------------------------------


class TransportError(HarborsyncError):
    """No usable answer came back."""

    retryable = True


class Timeout(TransportError):
    """Nothing was heard for longer than allowed."""


class ConnectionLost(TransportError):
    """The connection could not be made, or ended in the middle."""


class TlsError(TransportError):
    """The certificate or the TLS handshake is not acceptable; repeating does not help."""

    retryable = False


class AddressRefused(TransportError):
    """A realm, redirect, Location or link points to an address we do not talk to."""

    retryable = False


# --- bytes are not what they say -----------------------------------------------------------


class IntegrityError(HarborsyncError):
    """Content does not agree with its descriptor."""


class DigestMismatch(IntegrityError):
    """The bytes hash to another digest."""


class SizeMismatch(IntegrityError):
    """There are more or fewer bytes than the descriptor says."""


class InvalidManifest(IntegrityError):
    """A manifest that is no manifest, is two kinds at once, or is over a limit."""


class VerificationError(HarborsyncError):
    """A signature policy was not met."""


# --- around them ---------------------------------------------------------------------------


class CopyError(HarborsyncError):
    """One operation on one artifact failed; the cause is in ``__cause__`` and the message.

    Attributes:
        operation: What was tried, as a verb: ``list``, ``resolve``, ``read``, ``write`` …
        artifact: The artifact it was tried on, as text.
        cause: The error underneath.
    """

    def __init__(self, operation: str, side: Side, artifact: str, cause: HarborsyncError) -> None:
        """Wrap ``cause`` with where it happened."""
        super().__init__(
            f"cannot {operation} {artifact} at the {side}: {cause.message}",
            hint=cause.hint,
            side=side,
        )
        self.operation = operation
        self.artifact = artifact
        self.cause = cause
        self.retryable = cause.retryable


class InvalidDelivery(HarborsyncError):
    """What was posted to a webhook is no event that can be read; answer it and go on."""


class Cancelled(HarborsyncError):
    """The run was asked to stop."""

    def __init__(self, message: str = "cancelled") -> None:
        """Need no words."""
        super().__init__(message)


class OutOfTime(HarborsyncError):
    """Work on one artifact took longer than its time limit; the next run goes on with it."""

    retryable = True


class ReplicationFailed(HarborsyncError):
    """At least one artifact did not arrive.

    Attributes:
        report: The full Report, failures included.
    """

    def __init__(self, message: str, report: object) -> None:
        """Carry the report."""
        super().__init__(message)
        self.report = report
