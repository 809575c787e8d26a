"""Webhooks are made, changed and deleted, and none that would tell nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.errors import InvalidValue
from harborsync.harbor.webhooks import (
    EVENT_TYPES,
    PayloadFormat,
    WebhookPolicy,
    WebhookTarget,
    _body,
    webhook_mistakes,
)
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from harborsync.harbor.client import Harbor
    from harborsync.testing import LoopbackHarbor

TARGET = WebhookTarget(address="https://sync.example/hook", auth_header=Secret("Bearer hunter2"))
HOOK = WebhookPolicy(name="sync", event_types=("PUSH_ARTIFACT",), targets=(TARGET,))


def test_a_webhook_is_made_changed_and_deleted(harbor: Harbor) -> None:
    """What it shows as its password is a secret here."""
    made = harbor.webhooks.create("app", HOOK)
    found = harbor.webhooks.get("app", made)
    assert found.targets == (attrs.evolve(TARGET, payload_format=found.targets[0].payload_format),)
    assert "hunter2" not in repr(found)
    harbor.webhooks.update("app", attrs.evolve(found, enabled=False))
    assert [each.enabled for each in harbor.webhooks.list("app")] == [False]
    assert harbor.webhooks.events("app") == EVENT_TYPES
    assert harbor.webhooks.deliveries("app", made) == ()
    assert harbor.webhooks.delete("app", made)
    assert not harbor.webhooks.delete("app", made)


def aimed(**change: object) -> dict[str, object]:
    """Change the target."""
    return {"targets": (attrs.evolve(TARGET, **change),)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": ""}, "name"),
        ({"event_types": ()}, "event_types"),
        ({"event_types": ("TAG_CREATED",)}, "event_types"),
        ({"targets": ()}, "targets"),
        (aimed(address="127.0.0.1:9099"), "targets[0].address"),
        (aimed(address="ftp://127.0.0.1"), "targets[0].address"),
        (aimed(type="email"), "targets[0]"),
        (aimed(payload_format="Fancy"), "targets[0]"),
        (aimed(type="slack", payload_format=PayloadFormat.CLOUD_EVENTS), "targets[0]"),
    ],
)
def test_a_webhook_that_would_tell_nobody_is_told_before_any_request(
    harbor: Harbor, server: LoopbackHarbor, change: dict[str, object], where: str
) -> None:
    """Harbor takes an empty name, and an address without a scheme."""
    wish = attrs.evolve(HOOK, **change)  # type: ignore[arg-type]
    assert [mistake.where for mistake in webhook_mistakes(wish)] == [where]
    with pytest.raises(InvalidValue):
        harbor.webhooks.create("app", wish)
    with pytest.raises(InvalidValue):
        harbor.webhooks.update("app", wish)
    assert server.requests == ()


def test_a_format_is_sent_as_it_was_chosen(harbor: Harbor) -> None:
    """Both of them."""
    for form in PayloadFormat:
        hook = attrs.evolve(HOOK, name=form.value, **aimed(payload_format=form))  # type: ignore[arg-type]
        assert (
            harbor.webhooks.get("app", harbor.webhooks.create("app", hook))
            .targets[0]
            .payload_format
            == form
        )


def test_a_format_that_was_not_chosen_is_not_sent() -> None:
    """Harbor takes none for slack, and none before 2.8."""
    assert "payload_format" not in _body(HOOK)["targets"][0]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://hooks.chat.example/services/T1/s3cret", "'https://hooks.chat.example/…'"),
        ("https://me:s3cret@ci.example/hook?token=s3cret", "'https://ci.example/…'"),
        ("https://ci.example", "'https://ci.example'"),
    ],
)
def test_an_address_is_shown_without_what_may_be_a_secret(address: str, shown: str) -> None:
    """Who knows the whole address of a chat room's webhook may write there."""
    assert f"address={shown}," in repr(WebhookTarget(address=address))
