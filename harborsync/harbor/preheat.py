"""Preheating: Harbor hands images to a peer-to-peer network before anybody asks for them.

An instance is a Dragonfly or Kraken that Harbor knows; a policy of a project says what goes to
which instance. Nearly every mistake is a blank 500, and a dead instance is taken in (HARBOR
§13): so all is checked here first, and an instance is probed before a run.
"""

from __future__ import annotations

import json
from datetime import datetime  # noqa: TC003 - read at run time
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.errors import RegistryError
from harborsync.harbor.collection import Collection
from harborsync.harbor.mistakes import (
    Mistake,
    cron_mistakes,
    glob_mistakes,
    name_mistakes,
    refuse,
    url_mistakes,
)
from harborsync.harbor.query import projects
from harborsync.harbor.records import read, write
from harborsync.secrets import Secret  # noqa: TC001 - read at run time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harborsync.clock import Clock
    from harborsync.harbor.api import HarborApi
    from harborsync.harbor.projects import Projects

#: The kinds of network that Harbor has drivers for.
VENDORS: Final = frozenset({"dragonfly", "kraken"})
#: What an instance wants to know of a login, by kind of login.
LOGINS: Final[Mapping[str, frozenset[str]]] = {
    "NONE": frozenset(),
    "BASIC": frozenset({"username", "password"}),
    "OAUTH": frozenset({"token"}),
    "CUSTOM": frozenset(),
}
_FILTERS: Final = frozenset({"repository", "tag", "label", "signature", "vulnerability"})
_GLOBS: Final = frozenset({"repository", "tag"})
_TRIGGERS: Final = frozenset({"manual", "scheduled", "event_based"})
_LONGEST_NAME: Final = 255
_OVER: Final = frozenset({"Success", "Error", "Stopped"})
_POLL: Final = 2.0
_OK: Final = 200


@attrs.frozen(kw_only=True)
class PreheatInstance:
    """A peer-to-peer network.

    Attributes:
        id: Its number, or None for one not made yet.
        name: Its name.
        description: A text for people.
        vendor: ``dragonfly`` or ``kraken``.
        endpoint: Its address.
        auth_mode: ``NONE``, ``BASIC``, ``OAUTH`` or ``CUSTOM``.
        auth_info: The login, as that mode wants it; Harbor does not tell it.
        enabled: Whether it is used.
        default: Whether policies use it that name none.
        insecure: Whether its certificate is not checked.
        status: ``Healthy`` or ``Unhealthy``, or ``Unknown`` until it is asked.
    """

    id: int | None = None
    name: str = ""
    description: str = ""
    vendor: str = ""
    endpoint: str = ""
    auth_mode: str = "NONE"
    auth_info: dict[str, Secret] = attrs.field(factory=dict)
    enabled: bool = True
    default: bool = False
    insecure: bool = False
    status: str = ""


@attrs.frozen(kw_only=True)
class PreheatFilter:
    """One condition of a policy.

    Attributes:
        type: ``repository``, ``tag``, ``label``, ``signature`` or ``vulnerability``.
        value: A glob; of repositories, over the name without the project. For labels, names
            with commas between; for signature, a flag; for vulnerability, a severity.
    """

    type: str
    value: Any = ""


@attrs.frozen(kw_only=True)
class PreheatPolicy:
    """What of a project goes to a network, and when.

    Attributes:
        id: Its number, or None for one not made yet.
        name: Its name.
        description: A text for people.
        enabled: Whether it runs at all.
        project_id: The project.
        provider_id: The number of the instance.
        provider_name: The name of the instance.
        filters: What all must hold.
        trigger: ``manual``, ``scheduled`` or ``event_based``.
        cron: When, for scheduled ones: six fields, seconds first.
        scope: ``single_peer`` or ``all_peers``, for Dragonfly; empty for Harbor's choice.
    """

    id: int | None = None
    name: str = ""
    description: str = ""
    enabled: bool = True
    project_id: int | None = None
    provider_id: int | None = None
    provider_name: str = ""
    filters: tuple[PreheatFilter, ...] = ()
    trigger: str = "manual"
    cron: str = ""
    scope: str = ""


@attrs.frozen(kw_only=True)
class PreheatExecution:
    """A run of a policy.

    Attributes:
        id: Its number.
        status: ``Running``, ``Success``, ``Error`` or ``Stopped``.
        status_message: Why.
        trigger: ``MANUAL``, ``SCHEDULE`` or ``EVENT``.
        metrics: How many tasks there are, and how many of each status.
        start_time: When it began.
        end_time: When it ended, or None.
    """

    id: int = 0
    status: str = ""
    status_message: str = ""
    trigger: str = ""
    metrics: dict[str, Any] = attrs.field(factory=dict)
    start_time: datetime | None = None
    end_time: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status in _OVER

    @property
    def ok(self) -> bool:
        """Whether everything went to the network."""
        return self.status == "Success"


def read_preheat_policy(data: Any) -> PreheatPolicy:
    """Read a policy from parsed JSON; its filters and trigger are texts that hold JSON.

    Raises:
        RegistryError: It has another shape altogether.
    """
    try:
        filters = json.loads(data.get("filters") or "[]")
        trigger = json.loads(data.get("trigger") or "{}")
        setting = trigger.get("trigger_setting") or {}
        kind = trigger.get("type") or "manual"
        flat = {"filters": filters, "trigger": kind, "cron": setting.get("cron")}
    except (ValueError, AttributeError) as error:
        msg = "Harbor answered with what is no PreheatPolicy"
        raise RegistryError(msg) from error
    return read(PreheatPolicy, {**data, **flat})


def preheat_body(policy: PreheatPolicy) -> dict[str, Any]:
    """Return what to send for a policy."""
    body: dict[str, Any] = write(policy)
    setting = {"cron": body.pop("cron")}
    body["filters"] = json.dumps(body["filters"])
    body["trigger"] = json.dumps({"type": policy.trigger, "trigger_setting": setting})
    if not policy.scope:
        del body["scope"]
    return body


def instance_mistakes(instance: PreheatInstance) -> Iterator[Mistake]:
    """Yield what is wrong with an instance that is to be made or changed."""
    yield from name_mistakes(instance.name, _LONGEST_NAME)
    yield from url_mistakes(instance.endpoint, where="endpoint")
    if instance.vendor not in VENDORS:
        remedy = f"use one of {', '.join(sorted(VENDORS))}"
        yield Mistake(where="vendor", what=f"{instance.vendor!r} is no vendor", remedy=remedy)
    if instance.auth_mode not in LOGINS:
        remedy = f"use one of {', '.join(sorted(LOGINS))}"
        yield Mistake(where="auth_mode", what=f"{instance.auth_mode!r} is no mode", remedy=remedy)
        return
    lacking = sorted(LOGINS[instance.auth_mode] - set(instance.auth_info))
    if lacking:
        what = f"{instance.auth_mode} wants {' and '.join(lacking)}"
        yield Mistake(where="auth_info", what=what, remedy="give them")


def preheat_mistakes(policy: PreheatPolicy) -> Iterator[Mistake]:
    """Yield what is wrong with a policy that is to be made or changed."""
    yield from name_mistakes(policy.name, _LONGEST_NAME)
    if policy.provider_id is None:
        remedy = "give the id of an instance"
        yield Mistake(where="provider_id", what="it names no instance", remedy=remedy)
    if policy.trigger not in _TRIGGERS:
        remedy = f"use one of {', '.join(sorted(_TRIGGERS))}"
        yield Mistake(where="trigger", what=f"{policy.trigger!r} is no trigger", remedy=remedy)
    if policy.trigger == "scheduled":
        yield from cron_mistakes(policy.cron, where="cron")
    for number, condition in enumerate(policy.filters):
        yield from _filter_mistakes(condition, f"filters[{number}]")
    lacking = sorted(_GLOBS - {condition.type for condition in policy.filters})
    if lacking:
        what = f"no {' and no '.join(lacking)} is chosen"
        yield Mistake(where="filters", what=what, remedy="add ** of each to choose everything")


def _filter_mistakes(condition: PreheatFilter, where: str) -> Iterator[Mistake]:
    if condition.type not in _FILTERS:
        remedy = f"use one of {', '.join(sorted(_FILTERS))}"
        yield Mistake(where=where, what=f"there is no filter {condition.type!r}", remedy=remedy)
    elif condition.type in _GLOBS:
        yield from glob_mistakes(str(condition.value), where=where)


class Preheat:
    """Preheating at one Harbor; thread-safe.

    Args:
        api: Speaks to the Harbor.
        projects: Knows its projects.
        clock: Time and sleep.
    """

    def __init__(self, api: HarborApi, projects: Projects, clock: Clock) -> None:
        self._api = api
        self._projects = projects
        self._clock = clock
        self._instances = Collection(
            api,
            PreheatInstance,
            "/p2p/preheat/instances",
            noun="preheat instance",
            resource="preheat-instance",
        )

    def instances(self) -> Iterator[PreheatInstance]:
        """Yield the networks that this Harbor knows."""
        return self._instances.each()

    def instance(self, name: str) -> PreheatInstance:
        """Return one.

        Raises:
            NotFound: There is none of this name.
        """
        return self._instances.get(name)

    def create_instance(self, instance: PreheatInstance) -> None:
        """Make one known; Harbor takes it in also if nobody is there: see :meth:`ping`.

        Raises:
            InvalidValue: Something in it cannot work, or its name is taken.
        """
        mistakes = list(instance_mistakes(instance))
        # The server would answer this with a blank 500.
        if any(known.name == instance.name for known in self.instances()):
            what = f"there is an instance {instance.name!r} already"
            mistakes.append(Mistake(where="name", what=what, remedy="change that one, or its name"))
        refuse(f"make the preheat instance {instance.name!r}", mistakes)
        self._instances.make(write(instance))

    def update_instance(self, instance: PreheatInstance) -> None:
        """Change one, by its name.

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
            NotFound: There is none of its name.
        """
        refuse(f"change the preheat instance {instance.name!r}", instance_mistakes(instance))
        self._instances.replace(instance.name, {"id": instance.id, **write(instance)})

    def delete_instance(self, name: str) -> bool:
        """Delete one; tell whether it was there."""
        return self._instances.delete(name)

    def ping(self, instance: PreheatInstance) -> bool:
        """Tell whether Harbor reaches a network; any reason not to is the same blank 500.

        One that has an id is probed as Harbor knows it, with the login that it keeps.
        """
        path, body = "/p2p/preheat/instances/ping", {"id": instance.id, **write(instance)}
        what = f"ping the preheat instance {instance.name}"
        answer = self._api.ask("POST", path, body=body, what=what)
        if answer.status == 500:  # noqa: PLR2004 - what a dead instance is answered with
            return False
        if answer.status != _OK:
            raise self._api.refused(answer, what, "preheat-instance:read")
        return True

    def policies(self, project: str) -> Iterator[PreheatPolicy]:
        """Yield the policies of a project.

        Raises:
            NotFound: There is no such project.
        """
        return self._of(project).each()

    def policy(self, project: str, name: str) -> PreheatPolicy:
        """Return one.

        Raises:
            NotFound: There is none of this name.
        """
        return self._of(project).get(name)

    def create_policy(self, project: str, policy: PreheatPolicy) -> None:
        """Make one.

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
            NotFound: There is no such project.
        """
        refuse(f"make the preheat policy {policy.name!r}", preheat_mistakes(policy))
        owned = attrs.evolve(policy, project_id=self._projects.id_of(project))
        self._of(project).make(preheat_body(owned))

    def update_policy(self, project: str, policy: PreheatPolicy) -> None:
        """Change one, by its name, to exactly what this says.

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
            NotFound: There is none of its name.
        """
        refuse(f"change the preheat policy {policy.name!r}", preheat_mistakes(policy))
        self._of(project).replace(policy.name, {"id": policy.id, **preheat_body(policy)})

    def delete_policy(self, project: str, name: str) -> bool:
        """Delete one; tell whether it was there."""
        return self._of(project).delete(name)

    def start(self, project: str, name: str) -> int:
        """Run a policy now, and return the number of the run.

        Raises:
            NotFound: There is none of this name.
            RegistryError: Its network does not answer, or Harbor refuses.
        """
        policies = self._of(project)
        raw = policies.raw(name)
        self._probe(read_preheat_policy(raw))
        path = projects(project, "preheat", "policies", name)
        what, needs = f"run the preheat policy {name}", "preheat-policy:read"
        return self._api.post(path, raw, what=what, needs=needs).id

    def execution(self, project: str, name: str, execution_id: int) -> PreheatExecution:
        """Return a run of a policy.

        Raises:
            NotFound: There is none with this number.
        """
        return self._runs(project, name).get(execution_id)

    def executions(self, project: str, name: str) -> Iterator[PreheatExecution]:
        """Yield the runs of a policy, the newest first.

        Raises:
            NotFound: There is no policy of this name.
        """
        return self._runs(project, name).each()

    def stop(self, project: str, name: str, execution_id: int) -> None:
        """Stop a run of a policy.

        Raises:
            NotFound: There is none with this number.
        """
        path = projects(project, "preheat", "policies", name, "executions", execution_id)
        what, needs = f"stop the preheat run {execution_id}", "preheat-policy:update"
        self._api.patch(path, {"status": "Stopped"}, what=what, needs=needs)

    def run_and_watch(self, project: str, name: str, *, at_most: float = 600.0) -> PreheatExecution:
        """Run a policy now and follow it to its end.

        Args:
            project: The project.
            name: The policy.
            at_most: How many seconds to follow it; what has not ended by then is returned as
                it stands.

        Raises:
            NotFound: There is none of this name.
            RegistryError: Its network does not answer, or Harbor refuses.
        """
        execution_id = self.start(project, name)
        until = self._clock.monotonic() + at_most
        while True:
            run = self.execution(project, name, execution_id)
            if run.is_over or self._clock.monotonic() >= until:
                return run
            self._clock.sleep(_POLL)

    def _probe(self, policy: PreheatPolicy) -> None:
        """Ask for the network of a policy first: a run on a dead one is a blank 500.

        A login that may run policies need not be allowed to look at instances; then the run
        itself has to tell.
        """
        try:
            instance = self.instance(policy.provider_name)
        except RegistryError:
            return
        if not self.ping(instance):
            msg = f"the {instance.vendor} at {instance.endpoint} does not answer Harbor"
            raise RegistryError(msg, hint=f"see to the preheat instance {instance.name!r}")

    def _of(self, project: str) -> Collection[PreheatPolicy]:
        return Collection(
            self._api,
            PreheatPolicy,
            projects(project, "preheat", "policies"),
            noun="preheat policy",
            resource="preheat-policy",
            reader=read_preheat_policy,
        )

    def _runs(self, project: str, name: str) -> Collection[PreheatExecution]:
        path = projects(project, "preheat", "policies", name, "executions")
        return Collection(
            self._api, PreheatExecution, path, noun="preheat run", resource="preheat-policy"
        )
