"""A planted secret is looked for wherever something is shown, and must not be found."""

from __future__ import annotations

import base64
import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync import ReplicationRule, Replicator, Secret, open_registry
from harborsync.clock import SystemClock
from harborsync.credentials import (
    CallableCredentials,
    Chain,
    Credential,
    DockerConfig,
    EnvironmentCredentials,
    Kind,
    Refreshing,
    StaticCredentials,
    default_credentials,
)
from harborsync.errors import HarborsyncError
from harborsync.provider import OpenContext
from harborsync.testing import LoopbackRegistry
from harborsync.testing.content import random_image
from harborsync.testing.tokens import BasicAuth, TokenAuth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harborsync.events import Event
    from harborsync.report import Report
    from harborsync.testing.tokens import Auth

PLANTED = "pl4nted-s3cret-w0rd"
LOGIN = Credential(username="ann", secret=Secret(PLANTED))
HOST = "registry.example"
# As HTTP Basic sends it; the padding shows nothing.
BASIC = base64.b64encode(f"ann:{PLANTED}".encode()).decode()
ENCODED = BASIC.rstrip("=")


def traces(text: str) -> list[str]:
    """Return what of the secret a text shows."""
    return [sign for sign in (PLANTED, ENCODED) if sign in text]


def shown(thing: object) -> Iterator[str]:
    """Yield what people see of a thing, by whichever way."""
    yield from (repr(thing), str(thing), f"{thing}", f"{[thing]!r}", f"{str(thing)!r:>9}")
    if attrs.has(type(thing)):
        yield repr(attrs.asdict(thing))  # type: ignore[arg-type]
    yield repr(getattr(thing, "__dict__", ""))


HOLDERS: dict[str, Callable[[], object]] = {
    "secret": lambda: Secret(PLANTED),
    "credential": lambda: LOGIN,
    "identity": lambda: Credential(secret=Secret(PLANTED), kind=Kind.IDENTITY),
    "static": lambda: StaticCredentials({HOST: LOGIN}),
    "callable": lambda: CallableCredentials(lambda host: LOGIN),
    "chain": lambda: Chain([StaticCredentials({HOST: LOGIN})]),
    "refreshing": lambda: Refreshing(lambda host: LOGIN, SystemClock()),
    "default": lambda: default_credentials({HOST: LOGIN}, environ={}),
    "context": lambda: OpenContext(credentials=StaticCredentials({HOST: LOGIN})),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_nothing_that_holds_a_secret_shows_it(holder: str) -> None:
    """Reprs, texts, formats, dictionaries of fields: all are masked."""
    thing = HOLDERS[holder]()
    get = getattr(thing, "get", None)
    if get is not None:
        assert get(HOST).secret.reveal() == PLANTED
    for text in shown(thing):
        assert traces(text) == []


@pytest.mark.parametrize("holder", HOLDERS)
def test_nothing_that_holds_a_secret_is_pickled_with_it(holder: str) -> None:
    """It is refused, by our own word or by Python's."""
    thing = HOLDERS[holder]()
    with pytest.raises(
        (HarborsyncError, TypeError, AttributeError, pickle.PicklingError)
    ) as caught:
        pickle.dumps(thing)
    assert traces(str(caught.value)) == []


def test_logins_from_outside_are_held_as_secrets(
    bare_environment: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The environment and docker's file are read into masked values, and nothing is logged."""
    caplog.set_level(logging.DEBUG)
    config = bare_environment / "config.json"
    config.write_text(f'{{"auths": {{"{HOST}": {{"auth": "{BASIC}"}}}}}}')
    from_file = default_credentials({}, environ={"DOCKER_CONFIG": str(bare_environment)})
    found = from_file.get(HOST)
    assert found is not None
    assert found.secret.reveal() == PLANTED
    for thing in (from_file, found, DockerConfig, EnvironmentCredentials):
        assert traces(repr(thing)) == []
    assert traces(caplog.text) == []


class Seen:
    """Takes down every event as people would see it."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Keep the event."""
        self.events.append(event)


def replicate(auth: Callable[[], Auth], login: Credential) -> tuple[Report, Seen]:
    """Replicate between two registries that want logins."""
    seen = Seen()
    with LoopbackRegistry(auth=auth()) as here, LoopbackRegistry(auth=auth()) as there:
        good = StaticCredentials({here.host: LOGIN, there.host: LOGIN})
        source = open_registry(here.endpoint, OpenContext(credentials=good))
        random_image(1).push_to(source, "team/app", "v1")
        source.close()
        rule = ReplicationRule(
            name="all",
            source=here.endpoint,
            destinations=there.endpoint,
            where="name like '**'",
        )
        logins = {here.host: LOGIN, there.host: login}
        with Replicator([rule], credentials=logins, listeners=[seen]) as replicator:
            return replicator.run(), seen


@pytest.mark.parametrize(
    "auth",
    [lambda: BasicAuth(users={"ann": PLANTED}), lambda: TokenAuth(users={"ann": PLANTED})],
    ids=["basic", "token"],
)
@pytest.mark.parametrize("right", [True, False], ids=["accepted", "refused"])
def test_a_whole_run_shows_no_secret(
    auth: Callable[[], Auth], caplog: pytest.LogCaptureFixture, *, right: bool
) -> None:
    """Log lines at the finest level, events, report in every form, and errors are searched."""
    caplog.set_level(logging.DEBUG)
    wrong = Credential(username="ann", secret=Secret(PLANTED + "!"))
    report, seen = replicate(auth, LOGIN if right else wrong)
    assert report.ok is right
    assert seen.events
    texts = [caplog.text, repr(report), str(report), report.to_json(), str(report.to_rows())]
    texts += [str(vars(record)) for record in caplog.records]
    texts += [repr(event) for event in seen.events]
    if not right:
        texts.append(raised_by(report.raise_for_failures))
    for text in texts:
        assert traces(text) == []


def raised_by(work: Callable[[], Any]) -> str:
    """Return the whole traceback of what ``work`` raises."""
    with pytest.raises(HarborsyncError) as caught:
        work()
    return "".join(traceback.format_exception(caught.value))
