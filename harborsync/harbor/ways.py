"""One far end of a rule: the policy that leads to it, and where Harbor goes another way."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from harborsync.filters.globs import compile_glob
from harborsync.harbor.adapters import DOCKER_HUB, HARBOR, adapter_gaps, locate, to_registry
from harborsync.harbor.clauses import TagFilter, join_globs, say
from harborsync.harbor.gaps import RUN_OURS, Effect, Gap
from harborsync.harbor.placing import fixed_parts, least_parts, most_parts, place
from harborsync.harbor.policies import KEEP_LAST, PolicyFilter, ReplicationPolicy
from harborsync.harbor.rates import to_kilobits
from harborsync.limiter import Schedule
from harborsync.rule import OnConflict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.endpoint import Endpoint
    from harborsync.harbor.placing import Placed
    from harborsync.harbor.terms import Terms
    from harborsync.rule import ReplicationRule
    from harborsync.units import Bandwidth

#: Whatever has a tag: Harbor takes untagged artifacts along if no glob forbids it, matching them
#: as an empty text, and no listing of ours has any (HARBOR §9).
ANY_TAG: Final = TagFilter(glob="?*")
_IN_A_PROJECT: Final = 2  # parts that a repository's name has in a Harbor, at least


class Way:
    """The way from a source to one destination, one of which is the Harbor itself.

    Args:
        rule: The rule.
        terms: What Harbor is told beside it.
        destination: The destination.
        is_push: Whether the destination is the far end, not the source.
    """

    def __init__(
        self, rule: ReplicationRule, terms: Terms, destination: Endpoint, *, is_push: bool
    ) -> None:
        self._rule = rule
        self._terms = terms
        self._destination = destination
        self._is_push = is_push
        self._far = destination if is_push else rule.source
        self.registry = to_registry(self._far)
        self._said = say(rule.where)

    def policy(self, name: str) -> ReplicationPolicy:
        """Return the policy, under a name."""
        terms, speed = self._terms, self._speed
        return ReplicationPolicy(
            name=name,
            description=terms.description,
            enabled=terms.enabled,
            src_registry=None if self._is_push else self.registry,
            dest_registry=self.registry if self._is_push else None,
            dest_namespace=self._placed.namespace,
            dest_namespace_replace_count=self._placed.replaced,
            filters=tuple(self._filters()),
            trigger=terms.trigger,
            deletion=terms.deletion,
            override=self._rule.on_conflict is OnConflict.OVERWRITE,
            speed=to_kilobits(speed) if speed else 0,
            copy_by_chunk=terms.by_chunk,
            single_active_replication=terms.is_single_active,
        )

    def gaps(self) -> Iterator[Gap]:
        """Yield what Harbor does not do, or does otherwise, on this way."""
        yield from self._said.gaps
        yield from self._name_gaps()
        yield from self._placed.gaps
        yield from self._depth_gaps()
        yield from adapter_gaps(self._far)
        yield from self._satellite_gaps()
        yield from self._metadata_gaps()
        yield from self._speed_gaps()

    @property
    def target(self) -> str:
        """What its destination is called in the name of a policy."""
        place = locate(self._destination)
        return "-".join(filter(None, (place.host, place.prefix))).replace("/", "-")

    @property
    def _is_from_harbor(self) -> bool:
        return self._is_push or self.registry.type == HARBOR

    @property
    def _type_there(self) -> str:
        return self.registry.type if self._is_push else HARBOR

    # --- which artifacts

    def _filters(self) -> Iterator[PolicyFilter]:
        if self._name is not None:
            yield PolicyFilter(type="name", value=self._name)
        for tag in self._tags():
            yield PolicyFilter(type="tag", value=tag.glob, decoration=_decoration(tag.excludes))
        for label in self._said.labels:
            decoration = _decoration(label.excludes)
            yield PolicyFilter(type="label", value=label.labels, decoration=decoration)

    def _tags(self) -> Iterator[TagFilter]:
        yield from self._said.tags
        if self._is_from_harbor and all(map(_takes_untagged, self._said.tags)):
            yield ANY_TAG

    @cached_property
    def _name(self) -> str | None:
        """The glob on names: what the filter, the listed repositories and the prefix come to."""
        below = _below(self._prefix_here, self._said.name) or self._said.name
        return self._listed or below if self._rule.repositories else below

    @cached_property
    def _listed(self) -> str | None:
        """The glob on the repositories that the rule names and its filter may want, if any."""
        wanted = filter(self._rule.where.may_match_repository, self._rule.repositories)
        return join_globs(sorted(wanted))

    @cached_property
    def _prefix_here(self) -> str:
        return locate(self._rule.source).prefix

    def _name_gaps(self) -> Iterator[Gap]:
        why = "a Harbor rule has one glob on the name, which cannot say all of it"
        if self._rule.repositories:
            if self._listed is None:
                advice = "write a rule for each namespace"
                yield Gap(what="repositories", why=why, effect=Effect.MORE, advice=advice)
        elif _below(self._prefix_here, self._said.name) == "":
            what = f"{self._rule.source} and name like {self._said.name!r}"
            advice = f"begin the glob with {self._prefix_here}/"
            yield Gap(what=what, why=why, effect=Effect.MORE, advice=advice)

    # --- under what name

    @cached_property
    def _placed(self) -> Placed:
        return place(
            self._rule.naming,
            prefix=locate(self._destination).prefix,
            name=self._name,
            least=_IN_A_PROJECT if self._is_from_harbor else 1,
        )

    def _depth_gaps(self) -> Iterator[Gap]:
        """Yield a gap if all of a run could fail over the depth of a name at the destination."""
        least, most = self._depths_there
        if self._type_there == HARBOR and least < _IN_A_PROJECT:
            yield _depth_gap("a Harbor takes no name without a project")
        if self._type_there == DOCKER_HUB and not least == most == _IN_A_PROJECT:
            yield _depth_gap("Docker Hub takes names of two parts only")

    @property
    def _depths_there(self) -> tuple[int, int | None]:
        """The fewest and the most path parts of names at the destination; None for any number."""
        glob, placed = self._name or "**", self._placed
        least, most = least_parts(glob), most_parts(glob)
        if self._is_from_harbor:
            least = max(least, _IN_A_PROJECT)
        if not placed.namespace:
            return least, most
        head = placed.namespace.count("/") + 1
        if placed.replaced == KEEP_LAST:
            return head + 1, head + 1
        return head + max(1, least - placed.replaced), most and head + most - placed.replaced

    # --- what else there is

    def _satellite_gaps(self) -> Iterator[Gap]:
        # Signatures follow since 2.6 (HARBOR §14); of other registries Harbor lists tags only
        # (goharbor/harbor, src/pkg/reg/adapter/native/adapter.go).
        wanted = self._rule.satellites
        if self._is_from_harbor and wanted != ("*",):
            why = "Harbor copies all that hangs on an artifact, since 2.6"
            yield Gap(what=f"satellites={wanted}", why=why, effect=Effect.MORE, advice=RUN_OURS)
        if not self._is_from_harbor and wanted:
            why = "Harbor copies tags from other registries, not what refers to them"
            yield Gap(what=f"satellites={wanted}", why=why, effect=Effect.LESS, advice=RUN_OURS)

    def _metadata_gaps(self) -> Iterator[Gap]:
        wanted = self._rule.metadata  # Harbor leaves it behind by design (harbor#8207)
        if wanted or (wanted is None and self._is_from_harbor and self._type_there == HARBOR):
            what = ", ".join(wanted or ("labels", "descriptions"))
            why = "Harbor's replication leaves them behind"
            yield Gap(
                what=what, why=why, effect=Effect.LESS, advice="say metadata=() or run it here"
            )

    # --- how fast

    @property
    def _speed(self) -> Bandwidth | None:
        """The limit of the terms, or else the one that the endpoints carry by themselves."""
        if self._terms.bandwidth is not None:
            return self._terms.bandwidth
        limits = [schedule.otherwise for schedule in self._schedules if schedule.otherwise]
        return min(limits, default=None)

    @property
    def _schedules(self) -> tuple[Schedule, ...]:
        texts = (each.options.get("bandwidth") for each in (self._rule.source, self._destination))
        return tuple(Schedule.parse(text) for text in texts if text)

    def _speed_gaps(self) -> Iterator[Gap]:
        """Yield a gap if the endpoints carry a limit: ours is shared, Harbor's is each task's."""
        if self._terms.bandwidth is None and self._schedules:
            what = f"bandwidth={', '.join(map(str, self._schedules))}"
            why = "Harbor has one limit for all hours, and every task may go as fast as that"
            advice = "divide it by the tasks that run at once and say it in the terms"
            yield Gap(what=what, why=why, effect=Effect.OTHER, advice=advice)


def _decoration(excludes: bool) -> str:  # noqa: FBT001 - a value, not a switch
    return "excludes" if excludes else "matches"


def _takes_untagged(tag: TagFilter) -> bool:
    return compile_glob(tag.glob).matches("") is not tag.excludes


def _below(prefix: str, glob: str | None) -> str | None:
    """Return a glob on the names below a prefix; empty if there is none that says both."""
    if not prefix:
        return glob
    if glob in (None, "**"):
        return f"{prefix}/**"
    first, _, last = glob.partition("/")
    if first == "**" and "/" not in last:
        return f"{prefix}/{glob}"
    parts = tuple(prefix.split("/"))
    return glob if fixed_parts(glob)[: len(parts)] == parts else ""


def _depth_gap(why: str) -> Gap:
    advice = "change namespace, flatten or the filter on the name"
    return Gap(what="naming", why=why, effect=Effect.FAILS, advice=advice)
