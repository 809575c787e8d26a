"""Labels and descriptions follow the artifacts: what is planned, what is done, what is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.artifact import NOT_FETCHED, Label
from harborsync.cancel import Cancel
from harborsync.errors import Cancelled, ConfigurationError, Denied, NotFound
from harborsync.events import SILENT, LabelsChanged, RepositoryDescribed, StepFinished
from harborsync.metadata import describe, with_metadata
from harborsync.options import Options
from harborsync.plan import Action, LabelChange, Plan
from harborsync.reference import ArtifactRef, Tag
from harborsync.registries.memory import MemoryRegistry, shared
from harborsync.registry import Abilities, Quirks
from harborsync.replicator import Replicator
from harborsync.report import Outcome, Report
from harborsync.rule import ReplicationRule
from harborsync.testing.clock import FakeClock
from harborsync.testing.content import random_image
from harborsync.warehouse import Registries, Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harborsync.artifact import Artifact, Hints
    from harborsync.events import Event
    from harborsync.reference import Digest

APP = "team/app"
READY = Label(name="ready", color="#48960C", description="may go out")
STABLE = Label(name="stable", color="#0065AB", is_global=True)
IMAGE = random_image(1, layers=1)
ODD = 'R&D <b>"it\'s"</b> &amp; \N{ROCKET}'


def _rule(**fields: Any) -> ReplicationRule:
    given: dict[str, Any] = {
        "name": "r",
        "source": "source.example",
        "destinations": "mirror.example",
        "where": "everything",
    }
    return ReplicationRule(**{**given, **fields})


@attrs.define
class _Ends:
    """A source and a mirror, and one artifact at the source."""

    source: MemoryRegistry = attrs.field(factory=lambda: MemoryRegistry("source"))
    mirror: MemoryRegistry = attrs.field(factory=lambda: MemoryRegistry("mirror"))
    listeners: list[Any] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        IMAGE.push_to(self.source, APP, "v1")

    def replicator(self, *rules: ReplicationRule, options: Options | None = None) -> Replicator:
        return Replicator(
            rules or (_rule(),),
            opener=lambda endpoint: self.source if "source" in str(endpoint) else self.mirror,
            clock=FakeClock(),
            listeners=self.listeners,
            options=options,
        )

    def plan(self, *rules: ReplicationRule) -> Plan:
        with self.replicator(*rules) as replicator:
            return replicator.plan()

    def run(self, *rules: ReplicationRule, cancel: Cancel | None = None) -> Report:
        with self.replicator(*rules) as replicator:
            return replicator.run(cancel=cancel)

    def both_have(self, here: str, there: str) -> None:
        """Give both ends the artifact, with one label for each letter."""
        IMAGE.push_to(self.mirror, APP, "v1")
        for registry, names in ((self.source, here), (self.mirror, there)):
            labels = [Label(name=name) for name in names]
            _label(registry, *labels)


def _label(registry: MemoryRegistry, *labels: Label, digest: Digest = IMAGE.digest) -> None:
    registry.change_labels(APP, digest, attach=labels, detach=frozenset())


def _labels(registry: MemoryRegistry, repository: str = APP) -> set[str]:
    return set(registry.get_labels(repository, IMAGE.digest))


def _text(registry: MemoryRegistry, repository: str = APP) -> str:
    return registry.get_descriptions(frozenset({repository}))[repository]


# --- labels ----------------------------------------------------------------------------------


def test_labels_follow_a_copied_artifact() -> None:
    """They are made where they are lacking, as the source defines them, after all else."""
    ends = _Ends()
    _label(ends.source, READY, STABLE)
    report = ends.run()
    (result,) = report
    assert (result.outcome, result.labels) == (
        Outcome.COPIED,
        LabelChange(attach=(READY, STABLE), make=("ready", "stable")),
    )
    assert _labels(ends.mirror) == {"ready", "stable"}
    assert ends.mirror.find_labels(APP, frozenset({"ready", "stable"})) == (READY, STABLE)
    assert ends.mirror.find_labels("others/app", frozenset({"ready", "stable"})) == (STABLE,)
    assert report.labelled == (result,)


def test_an_unchanged_artifact_is_only_labelled_anew() -> None:
    """No content is read or written for it."""
    ends = _Ends()
    ends.run()
    _label(ends.source, READY)
    before = len(ends.source.operations), len(ends.mirror.operations)
    (step,) = ends.plan()
    assert (step.action, step.reason) == (Action.RELABEL, "identical, but its labels differ")
    assert (step.writes, step.bytes_at_most) == (False, 0)
    (result,) = ends.run()
    assert (result.outcome, result.bytes_sent) == (Outcome.RELABELLED, 0)
    assert _labels(ends.mirror) == {"ready"}
    after = {*ends.source.operations[before[0] :], *ends.mirror.operations[before[1] :]}
    assert not after & {"get_manifest", "open_blob", "put_blob", "put_manifest"}


@pytest.mark.parametrize(
    ("mode", "here", "there", "then"),
    [
        ("add", "ab", "bc", "abc"),
        ("add", "", "c", "c"),
        ("overwrite", "ab", "bc", "ab"),
        ("overwrite", "", "c", ""),
        ("keep", "ab", "bc", "bc"),
        ("keep", "ab", "", "ab"),
    ],
)
def test_other_labels_are_met_as_the_rule_says(mode: str, here: str, there: str, then: str) -> None:
    """Added to, replaced or left alone; the source keeps its own, and once is enough."""
    ends, rule = _Ends(), _rule(metadata_on_conflict=mode)
    ends.both_have(here, there)
    ends.run(rule)
    assert (_labels(ends.source), _labels(ends.mirror)) == (set(here), set(then))
    assert ends.plan(rule).to_label == ()


def test_what_is_taken_off_is_told_by_name() -> None:
    """The plan says what will be attached, made and detached."""
    ends = _Ends()
    ends.both_have("ab", "bc")
    ends.mirror.make_label(APP, Label(name="a"))
    (step,) = ends.plan(_rule(metadata_on_conflict="overwrite"))
    assert step.labels == LabelChange(attach=(Label(name="a"),), detach=("c",))
    assert str(step.labels) == "+a, -c"


def test_several_tags_of_one_digest_change_labels_once() -> None:
    """The first of the steps does it."""
    ends = _Ends()
    IMAGE.push_to(ends.source, APP, "v2")
    _label(ends.source, READY)
    assert [step.labels is not None for step in ends.plan()] == [True, False]
    ends.run()
    assert ends.mirror.operations.count("change_labels") == 1
    IMAGE.push_to(ends.source, APP, "v3")
    (new,) = ends.plan().to_copy
    assert new.labels is None


def test_sources_that_go_into_one_repository_bring_their_labels_together() -> None:
    """Whatever the order, the second run changes nothing; the first one's text counts."""
    ends = _Ends()
    IMAGE.push_to(ends.source, "team/web", "v2")
    _label(ends.source, READY)
    ends.source.change_labels("team/web", IMAGE.digest, attach=[STABLE], detach=frozenset())
    for name in (APP, "team/web"):
        ends.source.set_description(name, f"about {name}")
    rule = _rule(naming="all", metadata_on_conflict="overwrite")
    ends.run(rule)
    assert _labels(ends.mirror, "all") == {"ready", "stable"}
    assert _text(ends.mirror, "all") == "about team/app"
    plan = ends.plan(rule)
    assert (plan.to_label, plan.descriptions) == ((), ())


def test_what_another_has_written_meanwhile_is_not_labelled() -> None:
    """The step finds it, and leaves it and its labels alone."""
    ends = _Ends()
    _label(ends.source, READY)
    other = random_image(2, layers=1)
    with ends.replicator(options=Options(strict=True)) as replicator:
        plan = replicator.plan()
        other.push_to(ends.mirror, APP, "v1")
        (result,) = replicator.run(plan)
    assert (result.outcome, result.labels) == (Outcome.CONFLICT, None)
    assert "change_labels" not in ends.mirror.operations


def test_what_is_not_brought_is_not_labelled() -> None:
    """Another artifact under the name has labels and a text that are none of ours."""
    for on_conflict in ("fail", "skip"):
        ends = _Ends()
        other = random_image(2)
        other.push_to(ends.mirror, APP, "v1")
        _label(ends.source, READY)
        ends.source.set_description(APP, "ours")
        plan = ends.plan(_rule(on_conflict=on_conflict))
        assert (plan.to_label, plan.descriptions) == ((), ())


class _Silent(MemoryRegistry):
    """Keeps labels, and tells nothing of them in its listings."""

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        for artifact in super().list_artifacts(repository):
            yield attrs.evolve(artifact, labels=NOT_FETCHED)


def test_labels_that_no_listing_tells_are_asked_for() -> None:
    """At both ends, but not of what is not there yet."""
    ends = _Ends(_Silent("source"), _Silent("mirror"))
    _label(ends.source, READY)
    ends.run()
    assert _labels(ends.mirror) == {"ready"}
    asked = ends.mirror.operations.count("get_labels")
    assert asked == 1  # by this test alone
    assert ends.plan().to_label == ()
    assert ends.mirror.operations.count("get_labels") == asked + 1


class _Narrow(MemoryRegistry):
    """Lists less where less is wanted."""

    @property
    def abilities(self) -> Abilities:
        return attrs.evolve(super().abilities, lists_narrowed=self)

    def list_matching(self, repository: str, hints: Hints) -> Iterator[Artifact]:
        return super().list_artifacts(repository)

    def pays(self, repositories: Sequence[str]) -> bool:
        return True


def test_a_listing_of_some_tags_tells_their_labels_too() -> None:
    """They are not asked for again."""
    ends = _Ends(_Narrow("source"))
    _label(ends.source, READY)
    (step,) = ends.plan(_rule(where="tag is 'v1'"))
    assert step.labels == LabelChange(attach=(READY,), make=("ready",))
    assert "get_labels" not in ends.source.operations


def test_an_unchanged_run_asks_nothing_more() -> None:
    """The catalog and the listings tell it, but for the texts at the destination."""
    ends = _Ends()
    _label(ends.source, READY)
    ends.source.set_description(APP, ODD)
    ends.run()
    before = len(ends.source.operations), len(ends.mirror.operations)
    ends.run()
    assert ends.source.operations[before[0] : -1] == ("list_repositories", "list_artifacts")
    assert ends.mirror.operations[before[1] : -1] == ("list_artifacts", "get_descriptions")


def test_a_digest_under_another_tag_has_its_labels_already() -> None:
    """Its listing tells them, so only the others are attached."""
    ends = _Ends()
    ends.both_have("ab", "a")
    IMAGE.push_to(ends.source, APP, "v0")
    new, old = ends.plan()
    assert (new.action, new.labels) == (
        Action.COPY,
        LabelChange(attach=(Label(name="b"),), make=("b",)),
    )
    assert (old.action, old.labels) == (Action.SKIP, None)


@pytest.mark.parametrize(("mode", "then"), [("add", "ab"), ("overwrite", "a"), ("keep", "b")])
def test_a_digest_that_lost_its_tag_may_have_labels_still(mode: str, then: str) -> None:
    """Where those would matter they are asked for."""
    ends, rule = _Ends(), _rule(metadata_on_conflict=mode)
    ends.both_have("a", "b")
    ends.mirror.delete_tag(APP, Tag("v1"))
    ends.run(rule)
    assert _labels(ends.mirror) == set(then)
    assert ends.plan(rule).to_label == ()


def test_labels_of_a_single_artifact_travel_too() -> None:
    """They are asked for, as its source is not listed."""
    ends = _Ends()
    _label(ends.source, READY)
    with ends.replicator() as replicator:
        replicator.run(replicator.plan_for(ArtifactRef.parse(f"{APP}:v1")))
    assert ends.source.operations.count("get_labels") == 1
    assert _labels(ends.mirror) == {"ready"}


def test_a_step_that_does_not_say_its_source_is_not_labelled() -> None:
    """A planner always does; a plan made by hand may not."""
    ends = _Ends()
    _label(ends.source, READY)
    plan = ends.plan()
    (step,) = plan
    bare = attrs.evolve(step, labels=None, source=attrs.evolve(step.source, digest=None))
    registries = Registries(lambda end: ends.source if "source" in str(end) else ends.mirror)
    again = with_metadata(Warehouse(registries), attrs.evolve(plan, steps=(bare,)))
    assert again.to_label == ()


# --- descriptions ----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["plain", ODD, "two\nlines\n"])
def test_a_description_follows_its_repository(text: str) -> None:
    """Letter for letter, once."""
    ends = _Ends()
    ends.source.set_description(APP, text)
    report = ends.run()
    assert [(each.old, each.new) for each in report.described] == [("", text)]
    assert _text(ends.mirror) == text
    assert ends.run().descriptions == ()


@pytest.mark.parametrize(
    ("mode", "here", "there", "then"),
    [
        ("add", "new", "own", "new"),
        ("add", "", "own", "own"),
        ("overwrite", "new", "own", "new"),
        ("overwrite", "", "own", ""),
        ("keep", "new", "own", "own"),
        ("keep", "new", "", "new"),
    ],
)
def test_another_description_is_met_as_the_rule_says(
    mode: str, here: str, there: str, then: str
) -> None:
    """Replaced or left alone; the source keeps its own, and once is enough."""
    ends, rule = _Ends(), _rule(metadata_on_conflict=mode)
    ends.both_have("", "")
    for registry, text in ((ends.source, here), (ends.mirror, there)):
        registry.set_description(APP, text)
    ends.run(rule)
    assert (_text(ends.source), _text(ends.mirror)) == (here, then)
    assert ends.plan(rule).descriptions == ()


def test_a_text_that_is_too_long_is_cut() -> None:
    """And found equal afterwards."""
    ends = _Ends(mirror=MemoryRegistry("mirror", quirks=Quirks(max_description=3)))
    ends.source.set_description(APP, "longer")
    ends.run()
    assert _text(ends.mirror) == "lon"
    assert ends.plan().descriptions == ()


def test_texts_that_the_catalog_did_not_tell_are_asked_for() -> None:
    """A rule that names its repositories needs no catalog."""
    ends = _Ends()
    ends.source.set_description(APP, "known")
    before = len(ends.source.operations)
    (change,) = ends.plan(_rule(where=f"name is '{APP}'")).descriptions
    assert change.new == "known"
    asked = ends.source.operations[before:]
    assert "list_repositories" not in asked
    assert asked.count("get_descriptions") == 1


def test_a_run_that_is_cancelled_describes_nothing() -> None:
    """What comes last is left for the next time."""
    ends, cancel = _Ends(), Cancel()
    ends.source.set_description(APP, "new")

    def stop(event: Event) -> None:
        if isinstance(event, StepFinished):
            cancel.set()

    ends.listeners.append(stop)
    report = ends.run(cancel=cancel)
    assert (len(report.copied), report.descriptions, _text(ends.mirror)) == (1, (), "")


# --- what travels ----------------------------------------------------------------------------


@pytest.mark.parametrize("metadata", ["labels", "descriptions", ()])
def test_only_what_the_rule_names_travels(metadata: Any) -> None:
    """Labels, descriptions, or neither."""
    ends, rule = _Ends(), _rule(metadata=metadata)
    _label(ends.source, READY)
    ends.source.set_description(APP, "new")
    report = ends.run(rule)
    assert len(report.labelled) == (metadata == "labels")
    assert len(report.described) == (metadata == "descriptions")


@pytest.mark.parametrize("poor", ["source", "mirror"])
def test_what_one_side_cannot_keep_does_not_travel(poor: str) -> None:
    """Silently so, unless it was asked for by name: then the plan says it once."""
    plain = MemoryRegistry(poor, without=["labels", "descriptions"])
    ends = _Ends(source=plain) if poor == "source" else _Ends(mirror=plain)
    for rule in (_rule(), _rule(metadata=["labels", "descriptions"])):
        plan = ends.plan(rule)
        assert (plan.to_label, plan.descriptions) == ((), ())
        told = f"no descriptions at {poor}.example; no labels at {poor}.example"
        notes = [f"rule 'r': not all metadata can travel: {told}"] if rule.metadata else []
        assert [note for note in plan.notes if "metadata" in note] == notes
    assert ends.run(_rule()).ok


# --- what goes wrong -------------------------------------------------------------------------


class _Closed(_Silent):
    """Lets nobody read or write labels and texts."""

    error: Exception = Denied("not for you", hint="ask for the permission")

    def get_labels(self, repository: str, digest: Digest) -> frozenset[str]:
        raise self.error

    def get_descriptions(self, repositories: frozenset[str]) -> dict[str, str]:
        raise self.error


def test_labels_that_cannot_be_read_are_a_note() -> None:
    """One for each repository, and the artifacts are copied all the same."""
    ends = _Ends(_Closed("source"))
    random_image(2).push_to(ends.source, APP, "v2")
    ends.source.set_description(APP, "known from the catalog")
    plan = ends.plan()
    (note,) = (note for note in plan.notes if "not for you" in note)
    assert note.splitlines() == [
        "the labels in team/app of mirror.example stay as they are: not for you",
        "  hint: ask for the permission",
    ]
    report = ends.run()
    assert (report.ok, len(report.copied), len(report.described)) == (True, 2, 1)


def test_texts_that_cannot_be_read_are_a_note() -> None:
    """Nothing is written over what nobody has seen."""
    ends = _Ends(mirror=_Closed("mirror"))
    ends.source.set_description(APP, "new")
    plan = ends.plan()
    assert plan.descriptions == ()
    assert any("the descriptions of mirror.example cannot" in note for note in plan.notes)


@pytest.mark.parametrize("error", [Cancelled("stop"), ConfigurationError("cannot work")])
def test_what_ends_a_plan_is_no_note(error: Exception) -> None:
    """Neither a run that is cancelled nor a rule that cannot work goes on."""
    source = _Closed("source")
    source.error = error
    with pytest.raises(type(error)):
        _Ends(source).plan(_rule(where=f"name is '{APP}'"))


class _Secretive(MemoryRegistry):
    """Tells no more about labels than their names."""

    def find_labels(self, repository: str, names: frozenset[str]) -> tuple[Label, ...]:
        raise Denied("not for you")


def test_labels_whose_colour_cannot_be_read_travel_by_name() -> None:
    """A note says so."""
    ends = _Ends(_Secretive("source"))
    _label(ends.source, READY)
    plan = ends.plan()
    assert plan.steps[0].labels == LabelChange(attach=(Label(name="ready"),), make=("ready",))
    assert any("nothing but the names of labels" in note for note in plan.notes)


class _Unmade(MemoryRegistry):
    """Has no labels where nothing was written yet."""

    def find_labels(self, repository: str, names: frozenset[str]) -> tuple[Label, ...]:
        if repository not in self._repositories:
            raise NotFound(repository)
        return super().find_labels(repository, names)


def test_where_nothing_is_yet_every_label_is_new() -> None:
    """Which is worth no note."""
    ends = _Ends(mirror=_Unmade("mirror"))
    _label(ends.source, READY)
    plan = ends.plan()
    assert (str(plan.steps[0].labels), plan.notes) == ("+ready (new)", ())


class _ReadOnly(MemoryRegistry):
    """Takes artifacts, and no labels or texts."""

    def change_labels(
        self, repository: str, digest: Digest, *, attach: Sequence[Label], detach: frozenset[str]
    ) -> None:
        raise Denied("no labels from you", hint="log in as the owner")

    def set_description(self, repository: str, text: str) -> None:
        raise Denied("no texts from you", hint="log in as the owner")


def test_what_cannot_be_written_is_a_warning() -> None:
    """The artifact is there, and the run is fine; the next one tries again."""
    ends = _Ends(mirror=_ReadOnly("mirror"))
    _label(ends.source, READY)
    ends.source.set_description(APP, "new")
    for outcome in (Outcome.COPIED, Outcome.SKIPPED):
        report = ends.run()
        (result,) = report
        assert (report.ok, result.outcome, result.labels) == (True, outcome, None)
        assert report.described == ()
        labels, text = report.warnings
        advice = "  hint: log in as the owner"
        assert labels.endswith(f"its labels could not be changed: no labels from you\n{advice}")
        assert text.splitlines() == [
            "mirror.example/team/app: its description could not be changed: no texts from you",
            advice,
        ]
        assert f"warning: {text}" in str(report)


def test_a_registry_that_has_lost_an_ability_is_a_warning() -> None:
    """The plan may be older than the registry's settings."""
    ends = _Ends()
    _label(ends.source, READY)
    ends.source.set_description(APP, "new")
    plan = ends.plan()
    ends.mirror = MemoryRegistry("mirror", without=["labels", "descriptions"])
    with ends.replicator() as replicator:
        report = replicator.run(plan)
    assert (report.ok, len(report.copied), len(report.warnings)) == (True, 1, 2)
    failure = describe(ends.mirror, plan.descriptions[0], SILENT, FakeClock())
    assert failure is not None
    assert (failure.message, failure.hint) == (
        "mirror keeps no descriptions",
        "make the plan again",
    )


# --- what is told ----------------------------------------------------------------------------


def _told() -> _Ends:
    ends = _Ends()
    ends.both_have("a", "b")
    ends.source.set_description(APP, "<new> " + 60 * "x" + " end")
    ends.mirror.set_description(APP, "old")
    return ends


def test_a_plan_shows_what_becomes_of_metadata() -> None:
    """In text, in a notebook, as JSON and when it explains itself."""
    plan = _told().plan(_rule(metadata_on_conflict="overwrite"))
    text = str(plan)
    assert "labels: mirror.example/team/app:v1: +a (new), -b" in text
    assert "description: mirror.example/team/app: “old” → “<new> xxx" in text
    assert "1 to relabel, 1 to describe" in text
    html = plan._repr_mimebundle_()["text/html"]
    assert "<td>+a (new), -b</td>" in html
    assert "→ “&lt;new&gt; xxx" in html
    assert Plan.from_json(plan.to_json()) == plan
    assert "labels: +a (new), -b" in plan.explain(f"{APP}:v1")


def test_a_report_tells_what_became_of_metadata() -> None:
    """In text, in a notebook, as JSON and in rows."""
    report = _told().run(_rule(metadata_on_conflict="overwrite"))
    text = str(report)
    assert "labels: mirror.example/team/app:v1: +a (new), -b" in text
    assert "description: mirror.example/team/app: “old” → " in text
    assert "1 relabelled, 1 described" in text
    assert "<td>+a (new), -b</td>" in report._repr_mimebundle_()["text/html"]
    assert Report.from_json(report.to_json()) == report
    assert report.to_rows()[0]["labels"] == "+a (new), -b"


def test_listeners_hear_what_was_changed() -> None:
    """Labels with their artifact's step, texts last."""
    heard: list[Event] = []
    ends = _told()
    ends.listeners.append(heard.append)
    ends.run(_rule(metadata_on_conflict="overwrite"))
    labels = next(event for event in heard if isinstance(event, LabelsChanged))
    assert (labels.to, str(labels.artifact)) == ("mirror", f"{APP}@{IMAGE.digest}")
    assert (labels.attached, labels.detached) == (("a",), ("b",))
    text = next(event for event in heard if isinstance(event, RepositoryDescribed))
    assert (text.to, text.repository, text.old, text.new[:5]) == ("mirror", APP, "old", "<new>")
    assert [type(event).__name__ for event in heard[-4:]] == [
        "LabelsChanged",
        "StepFinished",
        "RepositoryDescribed",
        "RunFinished",
    ]


def test_names_that_steer_a_terminal_do_not() -> None:
    """Whoever may label can write to a reader's screen no more than letters (OCI-8.1)."""
    change = LabelChange(attach=(Label(name="\x1b[2Ja\nb"),), detach=("c\r",))
    assert str(change) == "+ [2Ja b, -c "


def test_metadata_travels_from_other_workers_too() -> None:
    """Labels are changed where the step is done, texts by the parent."""
    source = shared("metadata-source")
    IMAGE.push_to(source, APP, "v1")
    _label(source, READY)
    source.set_description(APP, "new")
    rule = _rule(source="memory://metadata-source", destinations="memory://metadata-mirror")
    with ThreadPoolExecutor(1) as pool, Replicator([rule], executor=pool) as replicator:
        report = replicator.run()
    assert (len(report.labelled), len(report.described)) == (1, 1)
    assert _labels(shared("metadata-mirror")) == {"ready"}
    assert _text(shared("metadata-mirror")) == "new"
