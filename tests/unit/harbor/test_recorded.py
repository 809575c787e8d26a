"""What a real Harbor said is read into our values, every body of it."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.harbor import (
    immutable_rules,
    labels,
    policies,
    preheat,
    projects,
    quotas,
    registries,
    retention,
    robots,
    runs,
    system,
    webhooks,
)
from harborsync.harbor.records import MASK, read, write
from harborsync.permissions.harbor import Access

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VECTORS = Path(__file__).parents[3] / "../shared/vectors/harbor"
FILES = (
    "07-robots",
    "08-registries",
    "09-policies",
    "10-executions",
    "10-replication-events",
    "10-replication-stop",
    "11-webhooks",
    "12-limits",
    "18-system",
)


def reads(kind: type) -> Callable[[Any], object]:
    """Return what reads values of a kind."""
    return partial(read, kind)


READERS: dict[str, Callable[[Any], object]] = {
    r"/replication/policies(/\d+)?": policies.read_policy,
    r"/replication/executions(/\d+)?": reads(runs.Execution),
    r"/replication/executions/\d+/tasks": reads(runs.ExecutionTask),
    r"/registries(/\d+)?": reads(registries.RemoteRegistry),
    r"/registries/\d+/info": reads(registries.RegistryInfo),
    r"/robots(/\d+)?": reads(robots.Robot),
    r"/labels(/\d+)?": reads(labels.HarborLabel),
    r"/projects(/[^/]+)?": reads(projects.Project),
    r"/projects/[^/]+/summary": reads(projects.ProjectSummary),
    r"/projects/[^/]+/webhook/policies(/\d+)?": reads(webhooks.WebhookPolicy),
    r"/projects/[^/]+/webhook/policies/\d+/executions": reads(webhooks.Delivery),
    r"/projects/[^/]+/immutabletagrules": reads(immutable_rules.ImmutableRule),
    r"/projects/[^/]+/preheat/policies(/[^/]+)?": preheat.read_preheat_policy,
    r"/projects/[^/]+/preheat/policies/[^/]+/executions": reads(preheat.PreheatExecution),
    r"/p2p/preheat/instances(/[^/]+)?": reads(preheat.PreheatInstance),
    r"/quotas": reads(quotas.Quota),
    r"/retentions/\d+": reads(retention.RetentionPolicy),
    r"/retentions/\d+/executions": reads(retention.RetentionExecution),
    r"/systeminfo": reads(system.SystemInfo),
    r"/health": reads(system.Health),
    r"(/projects/[^/]+)?/auditlog-exts": reads(system.AuditEntry),
    r"/audit-logs": reads(system.AuditEntry),
    r"/schedules": reads(system.ScheduleEntry),
    r"/jobservice/pools": reads(system.WorkerPool),
}
# What is read by hand, by others, or by nobody.
NOT_RECORDS = re.compile(
    r"/(permissions|configurations|replication/adapter|statistics|schedules/all|users/|v2"
    r"|jobservice/(pools/|queues)|system/|scanners|p2p/preheat/providers|auditlog-exts/events"
    r"|retentions/\d+/executions/\d+/tasks"
    r"|projects/[^/]+/(repositories|scanner|preheat/providers|metadatas|webhook/(events|jobs|lasttrigger))"
    r"|projects/[^/]+/webhook/policies/\d+/executions/\d+/tasks)"
)


def bodies(name: str) -> Iterator[tuple[str, str, Any]]:
    """Yield entry, path and body of everything that was answered to a GET or made a robot."""
    path = VECTORS / f"{name}.json"
    if not path.exists():
        pytest.skip(f"the recordings are not here: {path}")
    for exchange in json.loads(path.read_text())["exchanges"]:
        request = exchange.get("request", {})
        answer = exchange.get("response") or exchange
        if request.get("method") not in {"GET", "POST"} or answer.get("status", 200) >= 400:
            continue
        if request["method"] == "POST" and "response" not in exchange:
            continue  # a delivery of a webhook
        if answer.get("json") is not None:
            place = request["path"].partition("?")[0].removeprefix("/api/v2.0")
            yield exchange["name"], place, answer["json"]


@pytest.mark.parametrize("name", FILES)
def test_every_recorded_body_is_read(name: str) -> None:
    """Whatever is null, lacking or empty in it; a path that nobody knows is told."""
    count = 0
    for entry, place, body in bodies(name):
        if NOT_RECORDS.match(place):
            continue
        reader = next((r for p, r in READERS.items() if re.fullmatch(p, place)), None)
        assert reader, f"{entry}: nobody reads {place}"
        for item in body if isinstance(body, list) else [body]:
            assert attrs.has(type(reader(item)))
            count += 1
    assert count > 5


def test_no_recorded_secret_shows() -> None:
    """Not in the text of any value that was read."""
    for name in ("07-robots", "08-registries", "11-webhooks"):
        for _, place, body in bodies(name):
            reader = next((r for p, r in READERS.items() if re.fullmatch(p, place)), None)
            for item in (body if isinstance(body, list) else [body]) if reader else ():
                shown = repr(reader(item)) if reader else ""
                assert "SECRET" not in shown
                assert "hook-secret" not in shown


def test_a_mask_is_never_sent_back() -> None:
    """What Harbor shows instead of a secret is not a secret."""
    for _, place, body in bodies("08-registries"):
        if re.fullmatch(r"/registries(/\d+)?", place):
            for item in body if isinstance(body, list) else [body]:
                assert MASK not in str(write(read(registries.RemoteRegistry, item)))


def test_what_can_be_granted_is_what_harbor_lists() -> None:
    """The table of permissions is the recorded one, in both kinds."""
    from harborsync.permissions.harbor import GRANTABLE

    told = next(body for _, place, body in bodies("18-system") if place == "/permissions")
    for kind, known in GRANTABLE.items():
        assert known == {read(Access, item) for item in told[kind]}


def test_a_policy_that_was_read_is_sent_as_it_was() -> None:
    """All of what the server reads: what GET told, PUT would leave as it is."""
    told = {entry: body for entry, _, body in bodies("09-policies")}
    before = told["create-push-full-after"]
    sent = policies.policy_body(policies.read_policy(before))
    for field in ("name", "description", "enabled", "dest_namespace", "filters", "trigger"):
        assert sent[field] == before[field]
    for field in ("deletion", "override", "speed", "single_active_replication", "copy_by_chunk"):
        assert sent[field] == before.get(field, False)
    assert sent["dest_registry"] == {"id": before["dest_registry"]["id"]}
    assert sent["src_registry"] is None
    assert MASK not in str(sent)


def refused_policies() -> Iterator[tuple[str, int, Any]]:
    """Yield the policies that were sent, with what they were answered."""
    path = VECTORS / "09-policies.json"
    if not path.exists():
        pytest.skip(f"the recordings are not here: {path}")
    for exchange in json.loads(path.read_text())["exchanges"]:
        if exchange["request"]["method"] == "POST" and "response" in exchange:
            yield exchange["name"], exchange["response"]["status"], exchange["request"]["json"]


# What our values cannot even hold, or what only the server knows.
SERVER_ONLY = {
    "create-filter-name-number",
    "create-filter-label-numbers",
    "create-trigger-empty",
    "create-speed-string",
    "create-registry-unknown",
    "create-duplicate",
    "create-anonymous",
}


def test_every_recorded_refusal_of_a_policy_is_told_before() -> None:
    """By its mistakes, and what the server takes in although it never works is, too."""
    told_though_taken = set()
    for name, status, body in refused_policies():
        if name in SERVER_ONLY:
            continue
        mistakes = tuple(policies.policy_mistakes(policies.read_policy(body)))
        if status >= 400:
            assert mistakes, f"{name} was refused with {status}, and we say nothing"
        elif mistakes:
            told_though_taken.add(name)
    assert told_though_taken == {
        "create-event-based-pull",
        "create-empty-filter-value",
        "create-replace-count-minus-two",
        "create-speed-negative",
        "create-filter-bad-pattern",
    }


def wishes(name: str, pattern: str) -> Iterator[tuple[str, int, Any]]:
    """Yield the objects that were to be made at a path, with what that was answered."""
    path = VECTORS / f"{name}.json"
    if not path.exists():
        pytest.skip(f"the recordings are not here: {path}")
    for exchange in json.loads(path.read_text())["exchanges"]:
        request = exchange.get("request", {})
        place = request.get("path", "").removeprefix("/api/v2.0")
        if request.get("method") == "POST" and re.fullmatch(pattern, place):
            yield exchange["name"], exchange["response"]["status"], request["json"]


WISHES: dict[str, tuple[str, str, Callable[[Any], Any], Callable[[Any], Iterator[Any]]]] = {
    "registries": (
        "08-registries",
        "/registries",
        reads(registries.RemoteRegistry),
        registries.registry_mistakes,
    ),
    "robots": ("07-robots", "/robots", reads(robots.Robot), robots.robot_mistakes),
    "webhooks": (
        "11-webhooks",
        r"/projects/[^/]+/webhook/policies",
        reads(webhooks.WebhookPolicy),
        webhooks.webhook_mistakes,
    ),
    "instances": (
        "18-system",
        "/p2p/preheat/instances",
        reads(preheat.PreheatInstance),
        preheat.instance_mistakes,
    ),
}
# Refusals that depend on what the server knows or reaches, or that our values cannot express.
OF_THE_SERVER = re.compile(
    r"create-(duplicate|refused-port|unknown-host|harbor-refused-port|tls-on-plain-http|anonymous"
    r"|locked-wrong-secret|harbor-wrong-secret|wrong-field-type|level-unknown|project-missing"
    r"|duplicate-name|in-missing-project)|preheat-instance-duplicate"
)
TAKEN_THOUGH_WRONG = {
    "registries": {"create-with-slash-and-query", "create-schemeless"},
    "robots": set[str](),
    "webhooks": {"create-no-scheme", "create-empty-name"},
    "instances": set[str](),
}


@pytest.mark.parametrize("kind", WISHES)
def test_every_recorded_refusal_is_told_before(kind: str) -> None:
    """Also what the server takes in although it never works; and nothing that is well."""
    file, pattern, reader, faults_of = WISHES[kind]
    taken_though_wrong = set()
    for name, status, body in wishes(file, pattern):
        if OF_THE_SERVER.fullmatch(name):
            continue
        mistakes = tuple(faults_of(reader(body)))
        if status >= 400:
            assert mistakes, f"{name} was refused with {status}, and we say nothing"
        elif mistakes:
            taken_though_wrong.add(name)
    assert taken_though_wrong == TAKEN_THOUGH_WRONG[kind]
