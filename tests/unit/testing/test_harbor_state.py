"""What the emulated Harbor knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.testing.harbor_state import HarborEvent, new_secret
from harborsync.testing.harbor_wire import HarborError

if TYPE_CHECKING:
    from harborsync.testing import LoopbackHarbor


def test_numbers_begin_at_one_in_each_table(harbor: LoopbackHarbor) -> None:
    """And go up."""
    assert [harbor.state.next_id("x") for _ in range(3)] == [1, 2, 3]
    assert harbor.state.next_id("y") == 1


def test_a_room_is_made_once(harbor: LoopbackHarbor) -> None:
    """By what makes it, which is its key."""
    first = harbor.state.room(dict)
    first["a"] = 1
    assert harbor.state.room(dict) is first
    assert harbor.state.room(list) == []


def test_what_is_not_there_is_told_by_its_name(harbor: LoopbackHarbor) -> None:
    """Each with the words of Harbor."""
    state = harbor.state
    harbor.push_image("app/web", "1.0")
    for call, words in (
        (lambda: state.project("x"), "project x not found"),
        (lambda: state.repository("app/x"), "repository app/x not found"),
        (lambda: state.artifact("app/web", "x"), "artifact app/web:x not found"),
        (lambda: state.artifact("app/web", "sha256:x"), "artifact app/web@sha256:x not found"),
        (lambda: state.label(9), "label 9 not found"),
    ):
        with pytest.raises(HarborError, match=words):
            call()


def test_events_are_told_to_all_subscribers_once(harbor: LoopbackHarbor) -> None:
    """A subscriber may cause more, which are told the next time."""
    told: list[str] = []
    event = HarborEvent(kind="push", project=harbor.state.project("app"))

    def answer(happened: HarborEvent) -> None:
        told.append(happened.kind)
        if happened.kind == "push":
            harbor.state.emit(HarborEvent(kind="pull", project=happened.project))

    harbor.subscribe(answer)
    harbor.subscribe(lambda happened: told.append(f"{happened.kind}, too"))
    harbor.state.emit(event)
    harbor.state.tell_subscribers()
    assert told == ["push", "push, too"]
    harbor.state.tell_subscribers()
    assert told[2:] == ["pull", "pull, too"]


def test_no_password_is_shown(harbor: LoopbackHarbor) -> None:
    """Not by any row that has one."""
    robot = harbor.add_robot("ci")
    user = harbor.add_user("ann", "Very-Secret-1")
    assert robot.secret not in repr(robot)
    assert "Very-Secret-1" not in repr(user)


def test_a_new_secret_is_strong() -> None:
    """By Harbor's own rule: letters of both cases and digits."""
    secret = new_secret()
    assert 8 <= len(secret) <= 128
    assert any(map(str.isupper, secret))
    assert any(map(str.islower, secret))
    assert any(map(str.isdigit, secret))


def test_labels_that_were_deleted_are_gone(harbor: LoopbackHarbor) -> None:
    """Even where their numbers still stand."""
    harbor.push_image("app/web", "1.0")
    row = harbor.artifact("app/web", "1.0")
    label = harbor.add_label("a")
    row.label_ids = [label.id, 99]
    assert list(harbor.state.labels_of(row)) == [label]
