"""Labels and descriptions from Harbor to Harbor, and a Harbor's webhooks read by what reads them."""

from __future__ import annotations

import base64
import json
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import attrs
import pytest

from harborsync.artifact import Label
from harborsync.credentials import Credential, StaticCredentials
from harborsync.gate import open_registry
from harborsync.provider import OpenContext
from harborsync.reference import Tag
from harborsync.replicator import Replicator
from harborsync.rule import ReplicationRule
from harborsync.secrets import Secret
from harborsync.testing import LoopbackHarbor
from harborsync.testing.clock import FakeClock
from harborsync.triggers import (
    Change,
    Delivered,
    Gatekeeper,
    Pending,
    Pushed,
    Repeats,
    read_delivery,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.registry import Registry
    from harborsync.report import Report

ADMIN = Credential(username="admin", secret=Secret("Harbor12345"))
APP = "team/app"
ODD = 'R&D <b>"it\'s"</b> &amp; \N{ROCKET}'
READY = Label(name="ready & <set>", color="#48960C", description="may go out")
STABLE = Label(name="stable \N{ROCKET}", color="#0065AB", is_global=True)


@attrs.define
class _Pair:
    """Two Harbors, and an image in the first of them."""

    here: LoopbackHarbor
    there: LoopbackHarbor

    def __attrs_post_init__(self) -> None:
        for harbor in (self.here, self.there):
            harbor.add_project("team")
        self.here.push_image(APP, "v1")

    def run(self, **wish: Any) -> Report:
        """Follow a rule; afterwards the logs hold what it asked."""
        rule = ReplicationRule(
            name="r",
            source=self.here.endpoint,
            destinations=self.there.endpoint,
            **{"where": "name like 'team/**'", **wish},
        )
        logins = {self.here.host: ADMIN, self.there.host: ADMIN}
        for harbor in (self.here, self.there):
            harbor.clear_log()
        with Replicator([rule], credentials=logins) as replicator:
            return replicator.run().raise_for_failures()


@pytest.fixture
def pair() -> Iterator[_Pair]:
    """Return two Harbors."""
    with LoopbackHarbor() as here, LoopbackHarbor() as there:
        yield _Pair(here, there)


def _opened(harbor: LoopbackHarbor) -> Registry:
    credentials = StaticCredentials({harbor.host: ADMIN})
    return open_registry(harbor.endpoint, OpenContext(credentials=credentials))


def _give(harbor: LoopbackHarbor, *labels: Label, text: str = "") -> None:
    """Put labels on what is there, and describe its repository."""
    registry, digest = _opened(harbor), harbor.tags(APP)["v1"]
    assert registry.abilities.labels is not None
    registry.abilities.labels.change_labels(APP, digest, attach=labels, detach=frozenset())
    assert registry.abilities.descriptions is not None
    registry.abilities.descriptions.set_description(APP, text)
    registry.close()


def _kept(harbor: LoopbackHarbor) -> tuple[dict[str, Label], str]:
    """Return the labels of what is there, and what is written about its repository."""
    registry, digest = _opened(harbor), harbor.tags(APP)["v1"]
    assert registry.abilities.labels is not None
    names = registry.abilities.labels.get_labels(APP, digest)
    labels = registry.abilities.labels.find_labels(APP, names)
    assert registry.abilities.descriptions is not None
    text = registry.abilities.descriptions.get_descriptions(frozenset({APP}))[APP]
    registry.close()
    return {label.name: label for label in labels}, text


def _asked(harbor: LoopbackHarbor) -> Counter[str]:
    return Counter(request.method for request in harbor.requests)


# --- metadata --------------------------------------------------------------------------------


def test_metadata_travels_from_harbor_to_harbor(pair: _Pair) -> None:
    """Labels of both scopes with their colours, and a text with all that HTML escapes."""
    _give(pair.here, READY, STABLE, text=ODD)
    before = _kept(pair.here)
    report = pair.run()
    assert (len(report.labelled), len(report.described), report.warnings) == (1, 1, ())
    assert _kept(pair.there) == before == ({READY.name: READY, STABLE.name: STABLE}, ODD)
    assert _kept(pair.here) == before


@pytest.mark.parametrize("mode", ["add", "overwrite", "keep"])
def test_metadata_travels_into_a_project_that_is_made_for_it(pair: _Pair, mode: str) -> None:
    """There were no labels to find, and no text to read."""
    pair.here.add_project("fresh")
    pair.here.push_image("fresh/app", "v1")
    registry, digest = _opened(pair.here), pair.here.tags("fresh/app")["v1"]
    assert registry.abilities.labels is not None
    registry.abilities.labels.change_labels("fresh/app", digest, attach=[READY], detach=frozenset())
    report = pair.run(where="name like 'fresh/**'", metadata_on_conflict=mode)
    assert [str(result.labels) for result in report] == [f"+{READY.name} (new)"]
    assert report.warnings == ()


def test_a_second_run_writes_nothing_and_asks_one_thing_more(pair: _Pair) -> None:
    """The text at the destination; all else is in the listings, escaped or not."""
    _give(pair.here, READY, STABLE, text=ODD)
    pair.run()
    plain = pair.run(metadata=())
    asked = {harbor: _asked(harbor) for harbor in (pair.here, pair.there)}
    report = pair.run()
    assert (report.labelled, report.descriptions, plain.labelled) == ((), (), ())
    assert _asked(pair.here) == asked[pair.here]
    assert _asked(pair.there) - asked[pair.there] == Counter({"GET": 1})
    assert set(_asked(pair.here) | _asked(pair.there)) <= {"GET", "HEAD"}


def test_labels_that_change_later_are_changed_alone(pair: _Pair) -> None:
    """One of the destination's own stays, unless the rule says otherwise."""
    own = Label(name="kept here", color="#C92100")
    pair.run()
    _give(pair.here, READY)
    _give(pair.there, own)
    (result,) = pair.run()
    assert (result.outcome, str(result.labels)) == ("relabelled", "+ready & <set> (new)")
    assert _kept(pair.there)[0] == {READY.name: READY, own.name: own}
    (result,) = pair.run(metadata_on_conflict="overwrite")
    assert str(result.labels) == "-kept here"
    assert _kept(pair.there)[0] == {READY.name: READY}


def test_a_login_that_may_not_label_copies_all_the_same(pair: _Pair) -> None:
    """What it may not do is a warning."""
    _give(pair.here, READY, text=ODD)
    robot = pair.there.add_robot(
        "sync", access=["repository:pull", "repository:push", "artifact:list", "artifact:read"]
    )
    rule = ReplicationRule(
        name="r",
        source=pair.here.endpoint,
        destinations=pair.there.endpoint,
        where="everything",
    )
    login = Credential(username=robot.name, secret=Secret(robot.secret))
    logins = {pair.here.host: ADMIN, pair.there.host: login}
    with Replicator([rule], credentials=logins) as replicator:
        plan = replicator.plan()
        report = replicator.run(plan)
    assert report.ok
    assert len(report.copied) == 1
    assert len(plan.notes) + len(report.warnings) >= 2


# --- webhooks --------------------------------------------------------------------------------


@attrs.define
class _Desk:
    """Takes in what a Harbor delivers."""

    gatekeeper: Gatekeeper
    repeats: Repeats
    pending: Pending
    events: list[Delivered] = attrs.field(factory=list)

    def __call__(self, delivery: Any) -> int:
        if not self.gatekeeper.admits(delivery.headers.get("Authorization")):
            return 401
        event = read_delivery(delivery.body)
        if not self.repeats.is_repeat(event):
            self.events.append(event)
            self.pending.add(event)
        return 200


@pytest.mark.parametrize("form", ["Default", "CloudEvents"])
def test_what_an_embedded_harbor_delivers_is_read(form: str) -> None:
    """Each once, though it comes twice and in no order; pushes become one change."""
    clock = FakeClock()
    desk = _Desk(Gatekeeper([Secret("Bearer hook")]), Repeats(clock=clock), Pending(clock=clock))
    with LoopbackHarbor(clock=clock) as harbor:
        harbor.add_project("team")
        _hook(harbor, form)
        harbor.deliveries.copies = 2
        harbor.deliveries.disorder = Random(1)
        harbor.deliveries.receivers["*"] = desk
        digests = {harbor.push_image(APP, tag, seed=seed) for seed, tag in ((1, "v1"), (2, "v2"))}
        clock.advance(5)
        harbor.settle()
        sent = len(harbor.deliveries.sent)
    pushed = [event for event in desk.events if isinstance(event, Pushed)]
    assert (len(pushed), len(desk.events), sent) == (2, 2, 4)
    assert {digest for event in pushed for digest in event.digests} == digests
    clock.advance(60)
    (change,) = desk.pending.take()
    assert change == Change(repository=APP, tags=frozenset({Tag("v1"), Tag("v2")}))


def _hook(harbor: LoopbackHarbor, form: str) -> None:
    wanted = {
        "name": "hook",
        "enabled": True,
        "event_types": ["PUSH_ARTIFACT", "DELETE_ARTIFACT"],
        "targets": [
            {
                "type": "http",
                "address": "http://receiver.example/",
                "auth_header": "Bearer hook",
                "payload_format": form,
            }
        ],
    }
    login = base64.b64encode(b"admin:Harbor12345").decode()
    request = Request(
        f"{harbor.url}/api/v2.0/projects/team/webhook/policies",
        data=json.dumps(wanted).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Basic {login}"},
    )
    with urlopen(request) as answer:
        assert answer.status == 201
