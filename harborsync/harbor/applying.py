"""Makes a Harbor follow rules of ours by itself, and keeps it so.

    compiled = compile_rule(rule, into="harbor.example", terms=Terms(trigger=scheduled("0 2 * * *")))
    with Harbor.open("harbor://harbor.example") as harbor:
        print(compare(harbor, [compiled]))
        apply(harbor, [compiled])

Objects are matched by name; one that does not bear our mark is never touched unless it is
adopted on purpose. What differs is told field by field, and only that is changed, so a second
time nothing is.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from harborsync.credentials.base import Kind
from harborsync.errors import ConfigurationError
from harborsync.harbor.changes import (
    Action,
    Change,
    Changes,
    FieldChange,
    policy_changes,
    registry_changes,
)
from harborsync.harbor.compiling import Compiled, with_remote
from harborsync.harbor.ownership import check_owner, marked, owner_of
from harborsync.harbor.registries import RegistryCredential, RemoteRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from harborsync.credentials.base import Credential
    from harborsync.harbor.client import Harbor
    from harborsync.harbor.policies import ReplicationPolicy

_T = TypeVar("_T", "RemoteRegistry", "ReplicationPolicy")
_OWNER: Final = "default"
_VERSION: Final = re.compile(r"v(\d+)\.(\d+)", re.ASCII)
_SINGLE_ACTIVE: Final = (2, 14)  # HARBOR §14
_NO_LOGINS: Final[Mapping[str, Credential]] = {}


@attrs.frozen(kw_only=True)
class Wish:
    """How a Harbor is brought in line.

    Attributes:
        owner: Whose mark objects bear; sets of rules that are applied apart have owners apart.
        logins: The login for each far registry, by its name over there; none is ever taken from
            anywhere else. Without one, a new registry gets none and a known one keeps its own.
        renew_logins: Whether logins are sent also where nothing else changes.
        accept_gaps: Whether policies are wanted also where Harbor does not do just what the rule
            says.
        adopt: Whether objects of the same name that bear no mark are taken over.
        prune: Whether objects with our mark that no rule wants any more are deleted.
    """

    owner: str = attrs.field(default=_OWNER, converter=check_owner)
    logins: Mapping[str, Credential] = attrs.field(default=_NO_LOGINS, repr=False)
    renew_logins: bool = False
    accept_gaps: bool = False
    adopt: bool = False
    prune: bool = False


def compare(harbor: Harbor, wanted: Iterable[Compiled], wish: Wish | None = None) -> Changes:
    """Return what :func:`apply` would change; reads only.

    Raises:
        ConfigurationError: There are gaps that are not accepted, or somebody else's object is
            in the way.
    """
    site = _Site(harbor, tuple(wanted), wish or Wish())
    return site.changes(site.steps())


def apply(harbor: Harbor, wanted: Iterable[Compiled], wish: Wish | None = None) -> Changes:
    """Make a Harbor follow rules, and return what was changed for that.

    Registries come first, then policies; all is looked at before anything is changed.

    Raises:
        ConfigurationError: There are gaps that are not accepted, or somebody else's object is
            in the way.
        RegistryError: Harbor refused; what was changed before stays.
    """
    site = _Site(harbor, tuple(wanted), wish or Wish())
    steps = site.steps()
    for step in steps:
        step.do()
    return attrs.evolve(site.changes(steps), are_done=True)


@attrs.frozen(kw_only=True)
class _Step:
    """A change, and what makes it."""

    change: Change
    do: Callable[[], object]


class _Site:
    """A Harbor as it was found, and what is to be done there."""

    def __init__(self, harbor: Harbor, wanted: tuple[Compiled, ...], wish: Wish) -> None:
        self._harbor = harbor
        self._wanted = wanted
        self._wish = wish
        self._registries = {each.name: each for each in harbor.registries.list()}
        self._policies = {each.name: each for each in harbor.policies.list()}
        # Of registries that are made on the way, the ids come to be known then.
        self._ids = {name: each.id for name, each in self._registries.items()}
        self._notes: list[str] = []

    def steps(self) -> list[_Step]:
        """Return all that is to be done, in order.

        Raises:
            ConfigurationError: Some of it must not be done.
        """
        if not self._wish.accept_gaps:
            for compiled in self._wanted:
                compiled.check()
        registries = _by_name("registry", (each for c in self._wanted for each in c.registries))
        _refuse_logins(self._wish.logins, registries)
        policies = _by_name("policy", self._possible(p for c in self._wanted for p in c.policies))
        there = {name: self._known(registry) for name, registry in registries.items()}
        steps = [
            *(self._registry_step(registries[name], known) for name, known in there.items()),
            *(self._policy_step(policy, there) for policy in policies.values()),
        ]
        if self._wish.prune:
            steps += self._stale(policies, registries)
        return [step for step in steps if step is not None]

    def changes(self, steps: list[_Step]) -> Changes:
        """Return what steps come to, and what else was met on the way to them."""
        return Changes(changes=tuple(step.change for step in steps), notes=tuple(self._notes))

    # --- far registries

    def _known(self, wanted: RemoteRegistry) -> RemoteRegistry | None:
        """Return the registry to use for a wanted one: of that name, or of the same address.

        Raises:
            ConfigurationError: The name stands for another place, and is not ours.
        """
        named = self._registries.get(wanted.name)
        if named is not None and (
            self._may_change(named.description) or _lead_alike(named, wanted)
        ):
            return named
        alike = (each for each in self._registries.values() if _lead_alike(each, wanted))
        found = next(alike, None)
        if found is None and named is not None:
            raise _in_the_way(wanted, "registry")
        return found

    def _registry_step(self, wanted: RemoteRegistry, known: RemoteRegistry | None) -> _Step | None:
        """Return the step that makes or changes a registry; one that is not ours stays as it is."""
        after = self._with_login(wanted)
        if known is None:
            fields = registry_changes(None, after)
            return _Step(
                change=_created("registry", after.name, fields),
                do=lambda: self._ids.update({after.name: self._harbor.registries.create(after)}),
            )
        if known.name != wanted.name or not self._may_change(known.description):
            if after.credential is not None:
                self._notes.append(f"registry {known.name} is not ours and keeps its own login")
            return None
        _refuse_moves(known, after)
        fields = registry_changes(known, after, renews=self._wish.renew_logins)
        if not fields:
            return None
        credential = after.credential or known.credential
        merged = attrs.evolve(after, id=known.id, credential=credential)
        change = Change(action=Action.UPDATE, kind="registry", name=known.name, fields=fields)
        return _Step(change=change, do=lambda: self._harbor.registries.update(merged))

    def _with_login(self, registry: RemoteRegistry) -> RemoteRegistry:
        description = marked(registry.description, owner=self._wish.owner)
        login = self._wish.logins.get(registry.name)
        credential = None
        if login is not None:
            credential = RegistryCredential(access_key=login.username, access_secret=login.secret)
        return attrs.evolve(registry, description=description, credential=credential)

    # --- policies

    def _possible(self, policies: Iterable[ReplicationPolicy]) -> Iterator[ReplicationPolicy]:
        """Yield policies without what this Harbor would not keep, and so would always differ."""
        for policy in policies:
            if policy.single_active_replication and self._is_before(_SINGLE_ACTIVE):
                what = "a start is skipped while a run is on only from Harbor 2.14 on"
                self._notes.append(f"policy {policy.name}: {what}")
                yield attrs.evolve(policy, single_active_replication=False)
            else:
                yield policy

    def _is_before(self, version: tuple[int, int]) -> bool:
        """Tell whether this Harbor is known to be older."""
        found = _VERSION.match(self._version)
        return found is not None and (int(found[1]), int(found[2])) < version

    @cached_property
    def _version(self) -> str:
        return self._harbor.system.info().harbor_version

    def _policy_step(
        self, wanted: ReplicationPolicy, there: Mapping[str, RemoteRegistry | None]
    ) -> _Step | None:
        """Return the step that makes or changes a policy."""
        found = self._policies.get(wanted.name)
        if found is not None and not self._may_change(found.description):
            raise _in_the_way(wanted, "policy")
        after = self._with_registry(wanted, there)
        fields = policy_changes(found, after)
        if found is None:
            return _Step(
                change=_created("policy", after.name, fields),
                do=lambda: self._harbor.policies.create(self._with_id(after)),
            )
        if not fields:
            return None
        changed = attrs.evolve(after, id=found.id)
        change = Change(action=Action.UPDATE, kind="policy", name=found.name, fields=fields)
        return _Step(change=change, do=lambda: self._harbor.policies.update(self._with_id(changed)))

    def _with_registry(
        self, policy: ReplicationPolicy, there: Mapping[str, RemoteRegistry | None]
    ) -> ReplicationPolicy:
        """Return a policy with our mark and with its far registry as it is called there."""
        remote = _remote(policy)
        named = with_remote(policy, there[remote.name] or remote)
        description = marked(policy.description, owner=self._wish.owner)
        return attrs.evolve(named, description=description)

    def _with_id(self, policy: ReplicationPolicy) -> ReplicationPolicy:
        remote = _remote(policy)
        return with_remote(policy, attrs.evolve(remote, id=self._ids[remote.name]))

    # --- what nobody wants any more

    def _stale(
        self,
        policies: Mapping[str, ReplicationPolicy],
        registries: Mapping[str, RemoteRegistry],
    ) -> list[_Step]:
        """Return the steps that delete what is ours and not wanted, policies first."""
        others = [p for p in self._policies.values() if p.name not in policies]
        stale = [p for p in others if self._is_stale(p, policies)]
        used = {p.remote.name for p in others if p.remote is not None and p not in stale}
        idle = [
            r
            for r in self._registries.values()
            if self._is_stale(r, registries) and r.name not in used
        ]
        gone, left = self._harbor.policies.delete, self._harbor.registries.delete
        return [
            *(_deletion("policy", policy, gone) for policy in stale),
            *(_deletion("registry", registry, left) for registry in idle),
        ]

    def _is_stale(
        self, thing: ReplicationPolicy | RemoteRegistry, wanted: Mapping[str, object]
    ) -> bool:
        return owner_of(thing.description) == self._wish.owner and thing.name not in wanted

    def _may_change(self, description: str) -> bool:
        owner = owner_of(description)
        return owner == self._wish.owner or (owner is None and self._wish.adopt)


def _by_name(kind: str, things: Iterable[_T]) -> dict[str, _T]:
    """Return things by their names.

    Raises:
        ConfigurationError: Two that differ have one name.
    """
    found: dict[str, _T] = {}
    for thing in things:
        if found.setdefault(thing.name, thing) != thing:
            msg = f"two rules want a {kind} called {thing.name!r}, and not the same one"
            raise ConfigurationError(msg, hint="give the rules other names")
    return found


def _lead_alike(one: RemoteRegistry, other: RemoteRegistry) -> bool:
    return (one.type, one.url.rstrip("/")) == (other.type, other.url.rstrip("/"))


def _in_the_way(wanted: ReplicationPolicy | RemoteRegistry, kind: str) -> ConfigurationError:
    msg = f"there is a {kind} called {wanted.name!r} already, and it does not bear our mark"
    return ConfigurationError(msg, hint="rename it there, or say adopt=True to take it over")


def _refuse_logins(logins: Mapping[str, Credential], wanted: Mapping[str, RemoteRegistry]) -> None:
    """Raise if a login is for nothing that is wanted, or none that Harbor can use."""
    unknown = sorted(set(logins) - set(wanted))
    if unknown:
        msg = f"there is a login for {', '.join(unknown)}, which no rule leads to"
        raise ConfigurationError(msg, hint=f"wanted are {', '.join(wanted) or 'none'}")
    tokens = sorted(name for name, login in logins.items() if login.kind is not Kind.BASIC)
    if tokens:
        msg = f"the login for {', '.join(tokens)} is a token, and a Harbor logs in by a password"
        raise ConfigurationError(msg, hint="give a user name or key, and its secret")


def _refuse_moves(known: RemoteRegistry, wanted: RemoteRegistry) -> None:
    """Raise if a registry is to become what no change of it can make it."""
    if known.type != wanted.type:
        msg = f"the registry {known.name!r} is of type {known.type}, not {wanted.type}"
        raise ConfigurationError(msg, hint="Harbor changes no type: rename or delete it there")
    has_login = known.credential is not None and bool(known.credential.access_key)
    if has_login and wanted.credential is None and not _lead_alike(known, wanted):
        msg = f"the registry {known.name!r} gets another address, and has a login for the old one"
        raise ConfigurationError(msg, hint=f"give its login again: logins={{{known.name!r}: …}}")


def _remote(policy: ReplicationPolicy) -> RemoteRegistry:
    remote = policy.remote
    if remote is None:
        msg = f"the policy {policy.name!r} leads to no far registry"
        raise ConfigurationError(msg)
    return remote


def _created(kind: str, name: str, fields: tuple[FieldChange, ...]) -> Change:
    return Change(action=Action.CREATE, kind=kind, name=name, fields=fields)


def _deletion(
    kind: str, thing: ReplicationPolicy | RemoteRegistry, delete: Callable[[int], object]
) -> _Step:
    key = thing.id if thing.id is not None else -1
    change = Change(action=Action.DELETE, kind=kind, name=thing.name)
    return _Step(change=change, do=lambda: delete(key))
