"""Labels are for everybody or for one project, and none is made that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.errors import InvalidValue, NotFound
from harborsync.harbor.labels import HarborLabel, label_mistakes

if TYPE_CHECKING:
    from harborsync.harbor.client import Harbor
    from harborsync.testing import LoopbackHarbor


def test_labels_are_for_everybody_or_for_a_project(harbor: Harbor) -> None:
    """One name can be both."""
    here = harbor.labels.create(HarborLabel(name="release", color="#0065AB"), project="app")
    everywhere = harbor.labels.create(HarborLabel(name="release"))
    assert [each.id for each in harbor.labels.list(project="app")] == [here]
    assert [each.is_global for each in harbor.labels.list()] == [True]
    assert not harbor.labels.get(here).is_global
    harbor.labels.update(attrs.evolve(harbor.labels.get(here), description="kept"))
    after = harbor.labels.get(here)
    assert (after.description, after.color, after.is_global) == ("kept", "#0065AB", False)
    assert harbor.labels.delete(everywhere)
    assert not harbor.labels.delete(everywhere)


@pytest.mark.parametrize(
    "label",
    [HarborLabel(name=""), HarborLabel(name="n" * 129), HarborLabel(name="x", color="red")],
    ids=["no name", "a long name", "a color"],
)
def test_a_label_that_cannot_be_is_told_before_any_request(
    harbor: Harbor, server: LoopbackHarbor, label: HarborLabel
) -> None:
    """Harbor takes empty names."""
    assert len(list(label_mistakes(label))) == 1
    with pytest.raises(InvalidValue):
        harbor.labels.create(label)
    with pytest.raises(InvalidValue):
        harbor.labels.update(label)
    assert server.requests == ()


def test_a_label_for_a_project_that_is_not_there_is_refused(harbor: Harbor) -> None:
    """Harbor would make it."""
    with pytest.raises(NotFound):
        harbor.labels.create(HarborLabel(name="x"), project="nobody")
