"""What a plug-in supplies, and what it is given.

A provider is data and one function: the names it goes by, the hosts it knows for its own, and
how to open an endpoint. Third parties register one under the entry-point group
``harborsync.providers``; see the how-to page on writing a provider.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import attrs

from harborsync.cancel import Cancel
from harborsync.clock import Clock, SystemClock
from harborsync.credentials.base import Anonymous, CredentialSource
from harborsync.events import SILENT, Dispatcher
from harborsync.limiter import Limiters
from harborsync.limits import HostLimits
from harborsync.retry import RetryPolicy
from harborsync.state import MemoryJournal, MemoryState, SessionJournal, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harborsync.endpoint import Endpoint
    from harborsync.insight import Deed, Direction, Insight
    from harborsync.registry import Registry


def _own_limiters(context: OpenContext) -> Limiters:
    return Limiters(context.clock)


def _its_own_host(endpoint: Endpoint) -> str:
    return endpoint.host


def _never(host: str) -> bool:  # noqa: ARG001 - the signature of Provider.recognises
    return False


def prefix_of_path(endpoint: Endpoint) -> str:
    """Return what is behind the host: repositories are named below it."""
    return "" if endpoint.is_path else endpoint.prefix


@attrs.frozen(kw_only=True)
class OpenContext:
    """Everything an opened registry takes from outside, with good defaults.

    Attributes:
        clock: Time and sleep.
        retry: How often and how patiently a request is repeated.
        limits: Connections and requests a second per host.
        limiters: The limiters of registries whose endpoints say how fast bytes may go.
        credentials: Who knows the logins.
        cancel: Stops waits and transfers.
        emit: Is told about retries.
        journal: Remembers upload sessions that broke off.
        state: Remembers facts between runs.
        rng: Randomness, for jitter.
    """

    clock: Clock = attrs.field(factory=SystemClock)
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)
    limits: HostLimits = attrs.field(factory=HostLimits)
    limiters: Limiters = attrs.Factory(_own_limiters, takes_self=True)
    credentials: CredentialSource = attrs.field(factory=Anonymous)
    cancel: Cancel = attrs.field(factory=Cancel)
    emit: Dispatcher = SILENT
    journal: SessionJournal = attrs.field(factory=MemoryJournal)
    state: State = attrs.field(factory=MemoryState)
    rng: random.Random = attrs.field(factory=random.SystemRandom, repr=False)


def _nothing_of_its_own(endpoint: Endpoint, context: OpenContext, repository: str) -> Insight:  # noqa: ARG001 - the signature of Checks.look
    from harborsync.insight import Insight  # noqa: PLC0415 - only checks want it

    return Insight()


def _no_apis(endpoint: Endpoint) -> tuple[str, ...]:  # noqa: ARG001 - the signature of Checks.apis
    return ()


def _no_policy(endpoint: Endpoint, direction: Direction) -> str:  # noqa: ARG001 - of Checks.policy
    return ""


@attrs.frozen(kw_only=True)
class Checks:
    """What a product adds to :func:`harborsync.checking.check`; every part may be left out.

    Attributes:
        permissions: What each deed takes, by the product's names for its permissions;
            ``{repository}`` stands for the repository.
        look: Asks the product's own interface who we are and what we may do in a repository,
            which is empty if none is known; writes nothing. What it raises is a finding.
        apis: The addresses of the product's interfaces beside the registry, for firewalls.
        policy: Writes the least policy that a direction takes, in the product's own form.
    """

    permissions: Mapping[Deed, str] = attrs.field(factory=dict)
    look: Callable[[Endpoint, OpenContext, str], Insight] = _nothing_of_its_own
    apis: Callable[[Endpoint], tuple[str, ...]] = _no_apis
    policy: Callable[[Endpoint, Direction], str] = _no_policy


@attrs.frozen(kw_only=True)
class Provider:
    """A kind of registry.

    Attributes:
        name: The word before ``://`` in an endpoint.
        open: Opens an endpoint; makes no request.
        recognises: Whether a host is surely one of this kind.
        host: The host that an endpoint is about, where its address does not begin with it: logins
            and limits go by it.
        extra: The extra of this package that brings what it needs, or None.
        prefix: Which part of an endpoint's address all names of repositories begin with;
            without slashes at its ends, empty for none.
        checks: What a check of such a registry adds, or None.
    """

    name: str
    open: Callable[[Endpoint, OpenContext], Registry]
    recognises: Callable[[str], bool] = _never
    host: Callable[[Endpoint], str] = _its_own_host
    extra: str | None = None
    prefix: Callable[[Endpoint], str] = prefix_of_path
    checks: Checks | None = None
