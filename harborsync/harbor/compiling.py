"""Turns a rule of ours into what a Harbor needs to follow it by itself.

    >>> from harborsync import ReplicationRule
    >>> rule = ReplicationRule(name="releases", source="harbor.example",
    ...     destinations="registry://mirror.example/copies", on_conflict="overwrite",
    ...     where="name like 'team/**' and tag like 'v*'")
    >>> compiled = compile_rule(rule, into="harbor.example")
    >>> [policy.dest_namespace for policy in compiled.policies], compiled.is_exact
    (['copies'], True)

Where the source is that Harbor, it pushes; where a destination is, it pulls. Each destination
takes a policy of its own. What a Harbor cannot do is told part by part, as a
:class:`~harborsync.harbor.gaps.Gap`; the policies are then made of the rest.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from harborsync.endpoint import Endpoint
from harborsync.errors import ConfigurationError
from harborsync.harbor.adapters import LOGINS, locate
from harborsync.harbor.gaps import RUN_OURS, Effect, Gap
from harborsync.harbor.mistakes import refuse
from harborsync.harbor.policies import policy_body, policy_mistakes
from harborsync.harbor.registries import RemoteRegistry
from harborsync.harbor.terms import Terms
from harborsync.harbor.ways import Way
from harborsync.rule import OnConflict, ReplicationRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.policies import ReplicationPolicy

# Fields of a rule that policies are made of, or that Harbor needs no equal for.
_TAKEN: Final = frozenset(
    {
        "name",
        "source",
        "destinations",
        "where",
        "repositories",
        "naming",
        "on_conflict",
        "missing",
        "subset",
        "satellites",
        "metadata",
        "metadata_on_conflict",
    }
)
_UNKNOWN: Final = ("Harbor's rules have nothing like it", Effect.OTHER)
_NO_EQUAL: Final = {
    "keep": ("Harbor's rules cannot count", Effect.MORE),
    "platforms": ("Harbor's rules copy every platform", Effect.MORE),
    "on_moved": ("Harbor copies what a tag points to when it comes to it", Effect.OTHER),
    "foreign": ("Harbor decides itself about layers that may not be distributed", Effect.OTHER),
    "deep": ("Harbor looks at what hangs on an artifact only when it copies that", Effect.LESS),
}


@attrs.frozen(kw_only=True)
class Compiled:
    """What a Harbor needs to follow a rule.

    Attributes:
        rule: The rule.
        registries: The far registries it must know, without logins.
        policies: The policies, each about one of the registries.
        gaps: What of the rule it cannot do, or does otherwise.
    """

    rule: ReplicationRule
    registries: tuple[RemoteRegistry, ...]
    policies: tuple[ReplicationPolicy, ...]
    gaps: tuple[Gap, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether Harbor would do just what the rule says."""
        return not self.gaps

    @property
    def logins(self) -> dict[str, str]:
        """What login each registry wants, by its name over there; none is taken by itself."""
        return {
            each.name: LOGINS.get(each.type, LOGINS["docker-registry"]) for each in self.registries
        }

    def check(self) -> Self:
        """Return itself if Harbor would do just what the rule says.

        Raises:
            ConfigurationError: There are gaps; the message tells them all.
        """
        if self.is_exact:
            return self
        lines = "".join(f"\n  - {gap}" for gap in self.gaps)
        msg = f"a Harbor cannot follow the rule {self.rule.name!r} exactly:{lines}"
        raise ConfigurationError(msg, hint="change the rule, or accept that it is done so")

    def to_json(self) -> str:
        """Return policies, registries and gaps as JSON; there is no secret in it."""
        return json.dumps(self._mapping(), indent=2)

    def _mapping(self) -> dict[str, Any]:
        kept = ("name", "type", "url", "insecure")
        return {
            "rule": self.rule.name,
            "registries": [{key: getattr(each, key) for key in kept} for each in self.registries],
            "policies": [_policy_mapping(policy) for policy in self.policies],
            "gaps": [attrs.asdict(gap) for gap in self.gaps],
        }

    def __str__(self) -> str:
        """Return a line for each policy, login and gap."""
        policies = [f"policy {_summary(policy)}" for policy in self.policies]
        logins = [f"login  {name}: {words}" for name, words in self.logins.items()]
        return "\n".join((*policies, *logins, *(f"gap    {gap}" for gap in self.gaps)))


def compile_rule(
    rule: ReplicationRule, *, into: Endpoint | str, terms: Terms | None = None
) -> Compiled:
    """Return what a Harbor needs to follow a rule; asks nobody.

    Args:
        rule: The rule.
        into: The Harbor that is to follow it; only the host counts.
        terms: When and how fast it runs, and so on; by hand and without limit if left out.

    Raises:
        ConfigurationError: That Harbor is neither source nor destination, or it could not take
            what it would be told.
    """
    here = locate(Endpoint.parse(into) if isinstance(into, str) else into).host
    ways, elsewhere = _ways(rule, here, terms or Terms())
    policies = tuple(
        _checked(rule, way.policy(_name(rule, way, alone=len(ways) == 1))) for way in ways
    )
    gaps = (*elsewhere, *_rule_gaps(rule), *(gap for way in ways for gap in way.gaps()))
    return Compiled(
        rule=rule,
        registries=tuple(dict.fromkeys(way.registry for way in ways)),
        policies=policies,
        gaps=tuple(dict.fromkeys(gaps)),
    )


def _ways(rule: ReplicationRule, here: str, terms: Terms) -> tuple[list[Way], list[Gap]]:
    """Return the ways that begin or end at a Harbor, and gaps for destinations on no way."""
    is_push = locate(rule.source).host == here
    reached = [to for to in rule.destinations if is_push or locate(to).host == here]
    if not reached:
        msg = f"{here} is neither source nor destination of the rule {rule.name!r}"
        raise ConfigurationError(msg, hint="a Harbor copies out of itself or into itself only")
    ways = [Way(rule, terms, destination, is_push=is_push) for destination in reached]
    left = [to for to in rule.destinations if to not in reached]
    return ways, [_left_out(to, here) for to in left]


def _left_out(destination: Endpoint, here: str) -> Gap:
    why = f"{here} copies out of itself or into itself only"
    return Gap(what=str(destination), why=why, effect=Effect.LESS, advice=RUN_OURS)


def _name(rule: ReplicationRule, way: Way, *, alone: bool) -> str:
    return rule.name if alone else f"{rule.name}-to-{way.target}"


def _checked(rule: ReplicationRule, policy: ReplicationPolicy) -> ReplicationPolicy:
    """Return a policy that its Harbor could take; which id the far registry has is open yet."""
    numbered = with_remote(policy, attrs.evolve(policy.remote or RemoteRegistry(), id=1))
    refuse(f"give a Harbor the rule {rule.name!r}", policy_mistakes(numbered))
    return policy


def with_remote(policy: ReplicationPolicy, remote: RemoteRegistry) -> ReplicationPolicy:
    """Return a policy with another far registry on the side where it has one."""
    if policy.is_push:
        return attrs.evolve(policy, dest_registry=remote)
    return attrs.evolve(policy, src_registry=remote)


def _rule_gaps(rule: ReplicationRule) -> Iterator[Gap]:
    """Yield a gap for everything else that the rule says and Harbor has no equal for."""
    for field in attrs.fields(ReplicationRule):
        value = getattr(rule, field.name)
        if field.name not in _TAKEN and value != field.default:
            why, effect = _NO_EQUAL.get(field.name, _UNKNOWN)
            what = f"{field.name}={_shown(value)}"
            yield Gap(what=what, why=why, effect=effect, advice=RUN_OURS)
    if rule.on_conflict is not OnConflict.OVERWRITE:
        yield _conflict_gap(rule)


def _conflict_gap(rule: ReplicationRule) -> Gap:
    why = "Harbor keeps no track of what it wrote, and leaves every tag that is there as it is"
    advice = "say overwrite if tags move at the source"
    what = f"on_conflict={_shown(rule.on_conflict)}"
    return Gap(what=what, why=why, effect=Effect.OTHER, advice=advice)


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _summary(policy: ReplicationPolicy) -> str:
    far = policy.remote.url if policy.remote else ""
    way = f"to {far}" if policy.is_push else f"from {far}"
    return f"{policy.name}: {way}, {policy.trigger.type}"


def _policy_mapping(policy: ReplicationPolicy) -> dict[str, Any]:
    body = policy_body(policy)
    for side in ("src_registry", "dest_registry"):
        body[side] = body[side] and getattr(policy, side).name
    return body
