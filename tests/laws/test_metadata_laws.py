"""What holds for labels and descriptions, whatever is at both ends."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from harborsync.artifact import Label
from harborsync.registries.memory import MemoryRegistry
from harborsync.replicator import Replicator
from harborsync.rule import Metadata, OnOtherMetadata, ReplicationRule
from harborsync.state import MemoryState
from harborsync.testing.clock import FakeClock
from harborsync.testing.content import random_image

REPOSITORIES = ("team/app", "team/web")
IMAGES = {seed: random_image(seed, layers=1, layer_bytes=100) for seed in range(3)}
WRITES = {"put_blob", "put_manifest", "change_labels", "set_description", "ensure_repository"}

LABELS = st.builds(
    Label,
    name=st.sampled_from(["ready", "draft", "a<b>&'\"", "gelöscht \N{ROCKET}"]),
    color=st.sampled_from(["", "#0065AB"]),
    is_global=st.booleans(),
)


@attrs.frozen(kw_only=True)
class _Content:
    """An image under a tag, its labels, and the text about its repository."""

    repository: str
    seed: int
    tag: str
    labels: tuple[Label, ...]
    text: str

    def put_into(self, registry: MemoryRegistry) -> None:
        image = IMAGES[self.seed]
        image.push_to(registry, self.repository, self.tag)
        registry.change_labels(
            self.repository, image.digest, attach=self.labels, detach=frozenset()
        )
        registry.set_description(self.repository, self.text)


CONTENTS = st.lists(
    st.builds(
        _Content,
        repository=st.sampled_from(REPOSITORIES),
        seed=st.sampled_from(sorted(IMAGES)),
        tag=st.sampled_from(["v1", "v2"]),
        labels=st.lists(LABELS, max_size=3).map(tuple),
        text=st.sampled_from(["", "plain", 'R&D <b>"it\'s"</b> &amp;', "\N{ROCKET}"]),
    ),
    max_size=5,
)
RULES = st.builds(
    ReplicationRule,
    name=st.just("r"),
    source=st.just("source.example"),
    destinations=st.just("mirror.example"),
    where=st.just("everything"),
    naming=st.sampled_from(["{repository}", "copies/{repository}"]),
    on_conflict=st.sampled_from(["fail", "overwrite", "skip"]),
    metadata=st.none() | st.sets(st.sampled_from(Metadata)),
    metadata_on_conflict=st.sampled_from(OnOtherMetadata),
)


def _metadata(registry: MemoryRegistry) -> dict[str, Any]:
    """Return all labels and texts of a registry."""
    return {
        name: ({digest: names for digest, names in held.labels.items() if names}, held.description)
        for name, held in registry._repositories.items()
    }


@given(here=CONTENTS, there=CONTENTS, rule=RULES)
def test_a_second_run_changes_no_metadata(
    here: list[_Content], there: list[_Content], rule: ReplicationRule
) -> None:
    """Nor has the first one written anything to the source."""
    source, mirror = MemoryRegistry("source"), MemoryRegistry("mirror")
    ends = {"source.example": source, "mirror.example": mirror}
    for registry, contents in ((source, here), (mirror, there)):
        for content in contents:
            content.put_into(registry)
    asked, before = len(source.operations), _metadata(source)
    with Replicator(
        [rule],
        opener=lambda endpoint: ends[endpoint.host],
        clock=FakeClock(),
        state=MemoryState(),
    ) as replicator:
        assert not replicator.run().warnings
        written, after = len(mirror.operations), _metadata(mirror)
        report = replicator.run()
    assert (report.labelled, report.descriptions) == ((), ())
    assert not WRITES & set(mirror.operations[written:])
    assert _metadata(mirror) == after
    assert not WRITES & set(source.operations[asked:])
    assert _metadata(source) == before


@given(here=CONTENTS, there=CONTENTS)
def test_overwriting_makes_both_ends_alike(here: list[_Content], there: list[_Content]) -> None:
    """What the source has is what the destination has of it afterwards."""
    source, mirror = MemoryRegistry("source"), MemoryRegistry("mirror")
    ends = {"source.example": source, "mirror.example": mirror}
    for registry, contents in ((source, here), (mirror, there)):
        for content in contents:
            content.put_into(registry)
    rule = ReplicationRule(
        name="r",
        source="source.example",
        destinations="mirror.example",
        where="everything",
        on_conflict="overwrite",
        metadata_on_conflict="overwrite",
    )
    with Replicator([rule], opener=lambda end: ends[end.host], clock=FakeClock()) as replicator:
        replicator.run().raise_for_failures()
    for name, held in source._repositories.items():
        copied = mirror._repositories[name]
        assert copied.description == held.description
        for digest in set(held.tags.values()):
            assert copied.labels.get(digest, set()) == held.labels.get(digest, set())
