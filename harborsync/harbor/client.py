"""One door to everything a Harbor keeps beside images.

    with Harbor.open("harbor://registry.example", context) as harbor:
        report = harbor.executions.run_and_watch("nightly", on_progress=print)

Each attribute is a room with a module of its own. Nothing is asked before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from harborsync.credentials.defaults import default_credentials
from harborsync.endpoint import Endpoint
from harborsync.gate import with_named_login
from harborsync.harbor.api import HarborApi
from harborsync.harbor.executions import Executions
from harborsync.harbor.immutable_rules import ImmutableRules
from harborsync.harbor.labels import HarborLabels
from harborsync.harbor.policies import Policies
from harborsync.harbor.preheat import Preheat
from harborsync.harbor.projects import Projects
from harborsync.harbor.quotas import Quotas
from harborsync.harbor.registries import Registries
from harborsync.harbor.retention import Retention
from harborsync.harbor.robots import Robots
from harborsync.harbor.system import System
from harborsync.harbor.webhooks import Webhooks
from harborsync.http.session import open_transport
from harborsync.provider import OpenContext

if TYPE_CHECKING:
    from types import TracebackType

    from harborsync.clock import Clock
    from harborsync.http.wire import Transport


class Harbor:
    """One Harbor's own interface; thread-safe, closed by ``close()`` or ``with``.

    Attributes:
        name: Its host.
        api: Speaks JSON with it, for what has no room here.
        projects: Its projects.
        registries: The far registries it knows.
        policies: Its replication policies.
        executions: Their runs.
        robots: Its robot accounts.
        labels: Its labels.
        webhooks: Where its projects tell of what happens.
        quotas: How much room its projects have.
        immutable_rules: Which tags are immutable.
        retention: What its projects keep.
        preheat: What goes to a peer-to-peer network.
        system: What it tells of itself.

    Args:
        name: Its host.
        transport: The way to it, closed with this.
        context: Clock, cancel flag and logins.
    """

    def __init__(self, name: str, transport: Transport, context: OpenContext) -> None:
        self._transport = transport
        self.name = name
        self.api = HarborApi(name, transport, context)
        clock: Clock = context.clock
        self.projects = Projects(self.api)
        self.registries = Registries(self.api)
        self.policies = Policies(self.api)
        self.executions = Executions(self.api, self.policies, clock)
        self.robots = Robots(self.api, self.projects, clock)
        self.labels = HarborLabels(self.api, self.projects)
        self.webhooks = Webhooks(self.api)
        self.quotas = Quotas(self.api, self.projects)
        self.immutable_rules = ImmutableRules(self.api)
        self.retention = Retention(self.api, self.projects)
        self.preheat = Preheat(self.api, self.projects, clock)
        self.system = System(self.api)

    @classmethod
    def open(cls, endpoint: Endpoint | str, context: OpenContext | None = None) -> Self:
        """Open a Harbor; makes no request.

        Args:
            endpoint: Where it is, such as ``harbor://registry.example``.
            context: Clock, policy, logins; the usual logins of this machine if left out.

        Raises:
            InvalidValue: The endpoint is none, or one of its options cannot be read.
        """
        place = Endpoint.parse(endpoint) if isinstance(endpoint, str) else endpoint
        means = context or OpenContext(credentials=default_credentials())
        place, means = with_named_login(place, means, place.host)
        return cls(place.host, open_transport(place, means), means)

    def close(self) -> None:
        """Close its connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Return the Harbor, open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()
