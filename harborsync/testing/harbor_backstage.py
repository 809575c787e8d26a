"""What an emulated Harbor does besides holding content: replication, webhooks, schedules.

This puts the rooms together; each stands in a module of its own and knows the others only by
what it is given here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harborsync.testing.harbor_access import internal_login
from harborsync.testing.harbor_deliveries import Deliveries
from harborsync.testing.harbor_endpoints import Endpoints
from harborsync.testing.harbor_executions import Executions
from harborsync.testing.harbor_far import InnerLine
from harborsync.testing.harbor_jobs import Jobs
from harborsync.testing.harbor_maintenance import Maintenance
from harborsync.testing.harbor_policies import Policies
from harborsync.testing.harbor_preheat import Preheat
from harborsync.testing.harbor_proxy import Proxy
from harborsync.testing.harbor_replication import Replication
from harborsync.testing.harbor_replication_notices import ReplicationNotices
from harborsync.testing.harbor_retention import Retentions
from harborsync.testing.harbor_webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing.harbor_router import Route
    from harborsync.testing.harbor_state import HarborState
    from harborsync.testing.server_wire import Request, Response


class Backstage:
    """The rooms behind the API of one Harbor.

    Args:
        state: What the Harbor knows.
        answer: Answers a request of the Harbor to itself.
        url: Tells where the Harbor is, with its scheme.

    Attributes:
        jobs: What is done later.
        executions: What was done, and is being done.
        deliveries: What sends webhooks.
        routes: What they add to the API.
    """

    def __init__(
        self,
        state: HarborState,
        *,
        answer: Callable[[Request], Response],
        url: Callable[[], str],
    ) -> None:
        self._state = state
        self._answer = answer
        self._url = url
        self.jobs = Jobs(state.clock)
        self.executions = Executions(self.jobs)
        self.deliveries = Deliveries(self.jobs, self.executions)
        endpoints = Endpoints(state, inner=self._line, origin=url)
        policies = Policies(state, endpoints, self.executions)
        webhooks = Webhooks(
            state, executions=self.executions, deliveries=self.deliveries, host=self._host
        )
        retentions = self._retentions(webhooks)
        rooms = (
            endpoints,
            policies,
            webhooks,
            retentions,
            self._replication(endpoints, policies, webhooks),
            self._maintenance(policies, retentions),
            Preheat(state, jobs=self.jobs, executions=self.executions),
            Proxy(state, jobs=self.jobs, endpoints=endpoints, retentions=retentions),
        )
        self.routes: tuple[Route, ...] = tuple(each for room in rooms for each in room.routes)

    def _replication(
        self, endpoints: Endpoints, policies: Policies, webhooks: Webhooks
    ) -> Replication:
        notices = ReplicationNotices(
            self._state, jobs=self.jobs, endpoints=endpoints, tell=webhooks.tell, host=self._host
        )
        self.executions.listeners.append(notices.changed)
        return Replication(
            self._state,
            jobs=self.jobs,
            executions=self.executions,
            endpoints=endpoints,
            policies=policies,
        )

    def _retentions(self, webhooks: Webhooks) -> Retentions:
        return Retentions(
            self._state,
            jobs=self.jobs,
            executions=self.executions,
            line=self._line,
            tell=webhooks.tell,
            host=self._host,
        )

    def _maintenance(self, policies: Policies, retentions: Retentions) -> Maintenance:
        return Maintenance(
            self._state,
            jobs=self.jobs,
            executions=self.executions,
            policies=policies,
            retentions=retentions,
        )

    def _line(self) -> InnerLine:
        login = internal_login(self._state)
        secure = self._url().startswith("https")
        return InnerLine(self._answer, host=self._host(), login=login, secure=secure)

    def _host(self) -> str:
        return self._url().partition("://")[2]
