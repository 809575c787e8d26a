"""Preheating is set up without blank errors, run on a network that is there, and told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.errors import Denied, InvalidValue, NotFound, RegistryError
from harborsync.harbor.preheat import (
    PreheatFilter,
    PreheatInstance,
    PreheatPolicy,
    instance_mistakes,
    preheat_body,
    preheat_mistakes,
    read_preheat_policy,
)
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.harbor.client import Harbor
    from harborsync.testing import FakeClock, LoopbackHarbor

INSTANCE = PreheatInstance(name="dragonfly-1", vendor="dragonfly", endpoint="http://127.0.0.1:9")
EVERYTHING = (
    PreheatFilter(type="repository", value="**"),
    PreheatFilter(type="tag", value="**"),
)
POLICY = PreheatPolicy(name="warm", provider_id=1, filters=EVERYTHING)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": ""}, "name"),
        ({"vendor": "nonsense"}, "vendor"),
        ({"endpoint": "127.0.0.1:9"}, "endpoint"),
        ({"auth_mode": "MAGIC"}, "auth_mode"),
        ({"auth_mode": "BASIC"}, "auth_info"),
        ({"auth_mode": "OAUTH", "auth_info": {"username": Secret("u")}}, "auth_info"),
    ],
)
def test_what_is_wrong_with_an_instance_is_told_before(
    harbor: Harbor, change: dict[str, object], where: str
) -> None:
    """Harbor says nothing but 500 to all of it."""
    wish = attrs.evolve(INSTANCE, **change)  # type: ignore[arg-type]
    assert [mistake.where for mistake in instance_mistakes(wish)] == [where]
    with pytest.raises(InvalidValue, match="cannot make the preheat instance"):
        harbor.preheat.create_instance(wish)
    with pytest.raises(InvalidValue, match="cannot change the preheat instance"):
        harbor.preheat.update_instance(wish)


def test_conditions_on_more_than_names_are_well() -> None:
    """Labels, signatures, severities: whatever Harbor knows."""
    more = (PreheatFilter(type="label", value="prod"), PreheatFilter(type="signature", value=True))
    assert not list(preheat_mistakes(attrs.evolve(POLICY, filters=(*EVERYTHING, *more))))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": ""}, "name"),
        ({"provider_id": None}, "provider_id"),
        ({"trigger": "whenever"}, "trigger"),
        ({"trigger": "scheduled", "cron": "0 2 * * *"}, "cron"),
        ({"filters": EVERYTHING[:1]}, "filters"),
        ({"filters": (*EVERYTHING, PreheatFilter(type="colour"))}, "filters[2]"),
        ({"filters": (PreheatFilter(type="repository", value="a["), EVERYTHING[1])}, "filters[0]"),
    ],
)
def test_what_is_wrong_with_a_policy_is_told_before_any_request(
    harbor: Harbor, server: LoopbackHarbor, change: dict[str, object], where: str
) -> None:
    """And what to do instead."""
    wish = attrs.evolve(POLICY, **change)  # type: ignore[arg-type]
    mistakes = list(preheat_mistakes(wish))
    assert [mistake.where for mistake in mistakes] == [where]
    assert mistakes[0].remedy
    with pytest.raises(InvalidValue, match="cannot make the preheat policy"):
        harbor.preheat.create_policy("app", wish)
    with pytest.raises(InvalidValue, match="cannot change the preheat policy"):
        harbor.preheat.update_policy("app", wish)
    assert server.requests == ()


def test_a_name_that_is_taken_is_told(harbor: Harbor) -> None:
    """Harbor says 500."""
    harbor.preheat.create_instance(INSTANCE)
    with pytest.raises(InvalidValue, match="there is an instance 'dragonfly-1' already"):
        harbor.preheat.create_instance(INSTANCE)


def test_an_instance_is_changed_and_deleted(harbor: Harbor, network: str) -> None:
    """By its name; its login is not told."""
    login = {"username": Secret("u"), "password": Secret("hunter2")}
    wish = attrs.evolve(INSTANCE, auth_mode="BASIC", auth_info=login)
    assert "hunter2" not in repr(wish)
    harbor.preheat.create_instance(wish)
    found = harbor.preheat.instance(INSTANCE.name)
    assert found.auth_mode == "BASIC"
    assert not harbor.preheat.ping(found)
    harbor.preheat.update_instance(attrs.evolve(found, auth_mode="NONE", endpoint=network))
    assert harbor.preheat.ping(harbor.preheat.instance(INSTANCE.name))
    assert harbor.preheat.delete_instance(INSTANCE.name)
    assert not harbor.preheat.delete_instance(INSTANCE.name)


def test_a_login_that_may_not_ping_is_told(
    server: LoopbackHarbor, open_as: Callable[[str, str], Harbor]
) -> None:
    """A refusal is no dead network."""
    robot = server.add_robot("reader", project="app")
    with pytest.raises(Denied):
        open_as(robot.name, robot.secret).preheat.ping(INSTANCE)


def test_a_policy_is_kept_as_texts_that_hold_json(harbor: Harbor, warm: str) -> None:
    """And read back as values."""
    found = harbor.preheat.policy("app", warm)
    assert found.filters == EVERYTHING
    assert found.provider_name == "dragonfly-1"
    harbor.preheat.update_policy("app", attrs.evolve(found, trigger="event_based"))
    assert [each.trigger for each in harbor.preheat.policies("app")] == ["event_based"]
    assert harbor.preheat.delete_policy("app", warm)
    with pytest.raises(NotFound):
        harbor.preheat.policy("app", warm)


def test_what_is_sent_for_a_policy() -> None:
    """Filters and trigger as texts; a scope only if there is one."""
    wish = attrs.evolve(POLICY, trigger="scheduled", cron="0 0 2 * * *", scope="all_peers")
    body = preheat_body(wish)
    assert json.loads(body["filters"])[0] == {"type": "repository", "value": "**"}
    assert json.loads(body["trigger"]) == {
        "type": "scheduled",
        "trigger_setting": {"cron": "0 0 2 * * *"},
    }
    assert body["scope"] == "all_peers"
    assert "scope" not in preheat_body(POLICY)
    assert read_preheat_policy({"id": 1, "enabled": True, **body}) == attrs.evolve(wish, id=1)


@pytest.mark.parametrize("told", ["text", None, {"filters": "{nope"}, {"trigger": "[]"}])
def test_an_answer_of_another_shape_says_so(told: object) -> None:
    """Somebody else answered."""
    with pytest.raises(RegistryError, match="is no PreheatPolicy"):
        read_preheat_policy(told)


def test_a_run_is_followed_to_its_end(harbor: Harbor, warm: str, clock: FakeClock) -> None:
    """And no longer; it is in the history afterwards."""
    run = harbor.preheat.run_and_watch("app", warm)
    assert run.is_over
    assert clock.monotonic() < 60
    assert [each.id for each in harbor.preheat.executions("app", warm)] == [run.id]
    harbor.preheat.stop("app", warm, run.id)


def test_a_run_is_followed_no_longer_than_one_wants(
    harbor: Harbor, warm: str, clock: FakeClock
) -> None:
    """What has not ended by then is returned as it stands."""
    before = clock.monotonic()
    harbor.preheat.run_and_watch("app", warm, at_most=0)
    assert clock.monotonic() == before


def test_a_dead_network_is_found_before_a_run(harbor: Harbor, warm: str) -> None:
    """Harbor would answer with a blank 500."""
    found = harbor.preheat.instance("dragonfly-1")
    harbor.preheat.update_instance(attrs.evolve(found, endpoint="http://127.0.0.1:9"))
    with pytest.raises(RegistryError, match="does not answer Harbor") as caught:
        harbor.preheat.start("app", warm)
    assert "dragonfly-1" in str(caught.value.hint)


def test_a_login_that_may_not_look_at_networks_runs_a_policy_all_the_same(
    server: LoopbackHarbor, open_as: Callable[[str, str], Harbor], warm: str
) -> None:
    """It cannot probe first; reading is all the right that a run takes."""
    robot = server.add_robot("warmer", project="app", access=["preheat-policy:read"])
    assert open_as(robot.name, robot.secret).preheat.start("app", warm)
