"""How an emulated Harbor sends webhooks; see also test_harbor_recordings."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import FakeClock, LoopbackHarbor, LoopbackRegistry
    from harborsync.testing.harbor_deliveries import Delivery

_ADDRESS = "http://receiver/hook"


@pytest.fixture
def hook(admin: Any) -> Callable[..., None]:
    """Return a function that makes webhook policies of ``app``."""

    def make_one(address: str = _ADDRESS, **target: Any) -> None:
        where = {"type": "http", "address": address, **target}
        kinds = ["PUSH_ARTIFACT", "DELETE_ARTIFACT"]
        body = {"name": address, "enabled": True, "event_types": kinds, "targets": [where]}
        assert admin("POST", "/projects/app/webhook/policies", body).status == 201

    return make_one


def test_a_function_can_stand_for_a_receiver(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, hook: Callable[..., None]
) -> None:
    """It gets the body as sent, and ``Authorization`` word for word."""
    hook(auth_header="Secret thing")
    taken: list[Delivery] = []
    harbor.deliveries.receivers[_ADDRESS] = taken.append
    digest = harbor.push_image("app/web", "1")
    harbor_clock.advance(1.0)
    harbor.settle()
    (delivery,) = taken
    assert delivery.headers["Authorization"] == "Secret thing"
    (resource,) = delivery.document["event_data"]["resources"]
    assert resource["digest"] == str(digest)
    assert harbor.deliveries.sent[0].status == 200
    assert "Secret" not in repr(delivery)


def test_a_real_receiver_gets_a_real_request(
    harbor: LoopbackHarbor,
    harbor_clock: FakeClock,
    hook: Callable[..., None],
    server: LoopbackRegistry,
) -> None:
    """One that does not say 2xx gets it three times in all, a minute and more apart."""
    hook(f"http://{server.host}/hook")
    harbor.push_image("app/web", "1")
    harbor_clock.advance(200.0)
    harbor.settle()
    assert [(each.method, each.path, each.status) for each in server.requests] == [
        ("POST", "/hook", 404)
    ] * 3
    assert [each.status for each in harbor.deliveries.sent] == [404] * 3


def test_notices_can_come_twice_and_in_any_order(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, hook: Callable[..., None]
) -> None:
    """At least once and unordered is all that is promised (HARBOR-12)."""
    hook()
    taken: list[str] = []

    def receive(delivery: Delivery) -> None:
        taken.append(delivery.document["event_data"]["resources"][0]["tag"])

    harbor.deliveries.receivers["*"] = receive
    harbor.deliveries.copies = 2
    harbor.deliveries.disorder = random.Random(7)
    for number in range(4):
        harbor.push_image("app/web", str(number), seed=number)
    harbor_clock.advance(5.0)
    harbor.settle()
    assert sorted(taken) == sorted("00112233")
    assert taken != sorted(taken)


def test_copies_come_one_after_the_other_in_order(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, hook: Callable[..., None]
) -> None:
    """Without disorder the second one follows at once, with the very same body."""
    hook(payload_format="CloudEvents")
    harbor.deliveries.receivers["*"] = lambda _: 204
    harbor.deliveries.copies = 2
    harbor.push_image("app/web", "1")
    harbor_clock.advance(1.0)
    harbor.settle()
    one, two = harbor.deliveries.sent
    assert one.at < two.at
    assert one.body == two.body
    assert one.document["id"] == two.document["id"]


def test_a_deleted_repository_has_no_date(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, hook: Callable[..., None], admin: Any
) -> None:
    """It is gone when the notice is written."""
    harbor.push_image("app/web", "1")
    hook()
    harbor.deliveries.receivers["*"] = lambda _: None
    admin("DELETE", "/projects/app/repositories/web")
    harbor_clock.advance(1.0)
    harbor.settle()
    repository = harbor.deliveries.sent[0].document["event_data"]["repository"]
    assert "date_created" not in repository
