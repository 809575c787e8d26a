"""What a real Harbor said about its control plane, asked again of the emulator, in order.

The recorder and the comparison are those that made the recordings; ids that differ are mapped
by what ``Location`` said. Every difference that is left stands in a list, with its reason.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import importlib.util
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pytest

from harborsync.content import Descriptor
from harborsync.testing import BasicAuth, FakeClock, LoopbackHarbor, LoopbackRegistry
from harborsync.testing.content import (
    random_image,
    random_index,
    random_referrer,
    random_signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from harborsync.testing.content import Sample
    from harborsync.testing.harbor_deliveries import Delivery

_SHARED: Final = Path(__file__).parents[4] / "shared"
_VECTORS: Final = _SHARED / "vectors" / "harbor"
_COMPARE: Final = _SHARED / "tools" / "harbor" / "compare.py"
_LATER: Final = 31.0
_NUMBER: Final = re.compile(r"\d+")
_DROPPED: Final = frozenset({"date", "content-length", "connection", "server", "vary"})
pytestmark = pytest.mark.skipif(
    not _COMPARE.exists(), reason="the recordings of a real Harbor are not beside this checkout"
)


class World:
    """The machines of a recording, each played by something embedded."""

    def __init__(self, version: str = "2.15") -> None:
        self.clock = FakeClock()
        self.harbor = LoopbackHarbor(clock=self.clock, version=version)
        self.other = LoopbackHarbor(clock=self.clock, version=version)
        self.plain = LoopbackRegistry()
        self.locked = LoopbackRegistry(auth=BasicAuth({"user": "plain-pass-1"}))
        self.ids: dict[tuple[str, str], str] = {}
        self.digests: dict[str, str] = {}
        self.started = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self.harbor, self.other, self.plain, self.locked):
            each.close()

    @property
    def addresses(self) -> dict[str, str]:
        """What stands for the addresses of the recording."""
        return {
            "127.0.0.1:5055": self.plain.host,
            "127.0.0.1:5056": self.locked.host,
            "localhost:5056": self.locked.host.replace("127.0.0.1", "localhost"),
            "10.77.0.1:8080": self.other.host,
            # The recorded Harbor, under another of its addresses.
            "10.77.0.2:8080": self.harbor.host,
            "nowhere.invalid": "127.0.0.1:9",
            "SECRET-ADMIN": "Harbor12345",
        }

    def translated(self, text: str) -> str:
        """Return text of a recording with our addresses."""
        for theirs, ours in self.addresses.items():
            text = text.replace(theirs, ours)
        for start, digest in self.digests.items():
            text = re.sub(rf"sha256:{start}[0-9a-f]+", digest, text)
        return text

    def path(self, recorded: str) -> str:
        """Return a recorded path with our ids."""
        kind = "webhook/policies" if "/webhook/" in recorded else "replication/policies"
        parts = self.translated(recorded).split("/")
        for at in range(1, len(parts)):
            number, mark, rest = parts[at].partition("?")
            mapped = self.ids.get((_kind(parts[:at]), number), number)
            parts[at] = f"{mapped}{mark}{rest}"
        return re.sub(
            r"policy_id=(\d+)",
            lambda found: f"policy_id={self.ids.get((kind, found[1]), found[1])}",
            "/".join(parts),
        )

    def body(self, recorded: Any) -> Any:
        """Return a recorded body with our addresses and ids."""
        document = json.loads(self.translated(json.dumps(recorded)))
        for name, kind in _ID_FIELDS.items():
            value = document.get(name) if isinstance(document, dict) else None
            holder, key = (value, "id") if isinstance(value, dict) else (document, name)
            if isinstance(holder, dict) and isinstance(holder.get(key), int):
                number = str(holder[key])
                holder[key] = int(self.ids.get((kind, number), number))
        return document

    def match(self, path: str, theirs: Any, ours: Any) -> None:
        """Note what our ids of the things in a list are."""
        if not isinstance(theirs, list) or not isinstance(ours, list):
            return
        kind = _kind(path.partition("?")[0].split("/"))
        for mine, other in zip(theirs, ours, strict=False):
            if isinstance(mine, dict) and "id" in mine and "id" in other:
                self.ids.setdefault((kind, str(mine["id"])), str(other["id"]))

    def learn(self, theirs: list[list[str]], ours: list[list[str]]) -> None:
        """Note what our id of a new thing is."""
        mine, other = _location(theirs), _location(ours)
        if mine and other:
            kind, _, number = mine.rpartition("/")
            self.ids[_kind(kind.split("/")), number] = other.rpartition("/")[2]
            self.started = self.clock.monotonic()

    def send(self, method: str, path: str, *, auth: str, body: Any, headers: Any = None) -> Any:
        """Send a request and return the answer in the form of a recording."""
        fields = dict(headers or {})
        if auth:
            login = base64.b64encode(b"admin:Harbor12345").decode()
            fields["Authorization"] = f"Basic {login}"
        data = body.encode() if isinstance(body, str) else None
        if body is not None and data is None:
            data = json.dumps(body).encode()
            fields.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(self.harbor.host, timeout=60)
        connection.request(method, path, body=data, headers=fields)
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        kept = [[name, value] for name, value in reply.getheaders() if name.lower() not in _DROPPED]
        answer: dict[str, Any] = {"status": reply.status, "headers": kept}
        if content and "json" in (reply.getheader("Content-Type") or ""):
            answer["json"] = json.loads(content)
        elif content:
            answer["body"] = content.decode("utf-8", "replace")
        return answer

    def play(self, exchange: dict[str, Any]) -> dict[str, Any] | None:
        """Do again what an exchange of a recording did; None for a remark of the recorder."""
        request = exchange.get("request")
        if request is None or exchange["name"].startswith("delivery-"):
            return None
        if "response" not in exchange:
            return self._observe(exchange)
        response = self.send(
            request["method"],
            self.path(request["path"]),
            auth=request.get("auth", ""),
            body=self.body(request["json"]) if "json" in request else request.get("body"),
            headers=request.get("headers"),
        )
        self.learn(exchange["response"]["headers"], response["headers"])
        self.match(request["path"], exchange["response"].get("json"), response.get("json"))
        return {"name": exchange["name"], "request": request, "response": response}

    def _observe(self, exchange: dict[str, Any]) -> dict[str, Any]:
        """Look again at a run so many seconds after it began."""
        passed = self.clock.monotonic() - self.started
        self.clock.advance(max(0.0, exchange.get("after_s", 0.0) - passed))
        path = self.path(exchange["request"]["path"])
        seen = self.send("GET", path, auth="basic admin", body=None)["json"]
        if _is_over(exchange["json"]) and not _is_over(seen):
            self.clock.advance(_LATER)
            seen = self.send("GET", path, auth="basic admin", body=None)["json"]
        if "keys" in exchange:
            seen = {name: seen.get(name) for name in exchange["json"]}
        return {**exchange, "json": seen}


_ID_FIELDS: Final = {
    "dest_registry": "registries",
    "src_registry": "registries",
    "registry_id": "registries",
    "id": "registries",
    "policy_id": "replication/policies",
    "provider_id": "preheat/instances",
}


def _other_words(world: World, theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Return the messages of errors that are worded otherwise, numbers aside."""
    said, told = ([each["message"] for each in _errors(exchange)] for exchange in (theirs, ours))
    pairs = zip(said, told, strict=False)
    return [
        f"{a} / {b}"
        for a, b in pairs
        if _NUMBER.sub("0", world.translated(a)) != _NUMBER.sub("0", b)
    ]


def _other_lines(world: World, theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Return what only one of two logs says, digests, dates and numbers aside."""
    if "-log" not in theirs["name"]:
        return []
    said, told = (_lines(world, exchange) for exchange in (theirs, ours))
    return [f"only there: {line}" for line in sorted(said ^ told)]


def _lines(world: World, exchange: dict[str, Any]) -> set[str]:
    text = world.translated(exchange.get("response", {}).get("body", ""))
    text = re.sub(r"sha256:[0-9a-f]{64}", "DIGEST", text)
    return {_NUMBER.sub("0", line) for line in text.splitlines()}


def _errors(exchange: dict[str, Any]) -> list[dict[str, Any]]:
    body = exchange.get("response", {}).get("json")
    return body.get("errors", []) if isinstance(body, dict) else []


def _is_over(seen: Any) -> bool:
    """Tell whether what was seen is a run that has ended."""
    return isinstance(seen, dict) and seen.get("status") not in {None, "InProgress", "Running"}


def _outcome(exchange: dict[str, Any]) -> dict[str, Any]:
    """Return what is told of a run that has ended, besides its ids and dates."""
    seen = exchange.get("json") or exchange.get("response", {}).get("json")
    if not _is_over(seen) or "total" not in seen:
        return {}
    names = ("status", "status_text", "trigger", "total", "succeed", "failed", "stopped")
    return {name: seen[name] for name in names}


def _kind(parts: list[str]) -> str:
    """Return what an id is one of: the end of the path to it."""
    text = "/".join(parts)
    for kind in ("replication/policies", "replication/executions", "webhook/policies"):
        if text.endswith(kind):
            return kind
    return parts[-1] if parts else ""


def _location(headers: list[list[str]]) -> str:
    return next((value for name, value in headers if name.lower() == "location"), "")


def _compare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recordings_compare", _COMPARE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _differences(
    world: World, file: str, before: Mapping[str, Callable[[World], object]] | None = None
) -> tuple[int, dict[str, list[str]]]:
    """Play a file and return how many exchanges were compared, and what differs by name."""
    compare = _compare()
    recorded = json.loads((_VECTORS / file).read_text())["exchanges"]
    found: dict[str, list[str]] = {}
    count = 0
    for exchange in recorded:
        if before and exchange["name"] in before:
            before[exchange["name"]](world)
        ours = world.play(exchange)
        if ours is None:
            continue
        count += 1
        lines = list(compare.paths(compare.told(exchange), compare.told(ours)))
        lines += _other_words(world, exchange, ours) + _other_lines(world, exchange, ours)
        theirs, mine = _outcome(exchange), _outcome(ours)
        lines += [
            f"{name}: {theirs[name]} / {mine.get(name)}"
            for name in theirs
            if theirs[name] != mine.get(name)
        ]
        if lines:
            found[exchange["name"]] = lines
    return count, found


# --- files that need no more than their requests ------------------------------------------------


def _registry(world: World, recorded: int, **body: Any) -> None:
    """Make an endpoint that a recording knows from elsewhere."""
    sent = world.body({"insecure": True, **body})
    answer = world.send("POST", "/api/v2.0/registries", auth="admin", body=sent)
    world.ids["registries", str(recorded)] = _location(answer["headers"]).rpartition("/")[2]


def _far_harbor(world: World, recorded: int, name: str, url: str = "http://10.77.0.1:8080") -> None:
    credential = {"type": "basic", "access_key": "admin", "access_secret": "SECRET-ADMIN"}
    _registry(world, recorded, name=name, type="harbor", url=url, credential=credential)


def _plain(world: World, recorded: int, name: str) -> None:
    _registry(world, recorded, name=name, type="docker-registry", url="http://127.0.0.1:5055")


def _use_registry(world: World) -> None:
    body = world.body({"name": "uses-it", "dest_registry": {"id": 2}})
    world.send("POST", "/api/v2.0/replication/policies", auth="admin", body=body)


def _stop_using_registry(world: World) -> None:
    world.send("DELETE", "/api/v2.0/replication/policies/1", auth="admin", body=None)


def test_endpoints_answer_as_recorded() -> None:
    """Every exchange of the recording about registries has the same answer."""
    before = {
        "create-plain": lambda world: _plain(world, 1, "proxy-plain"),
        "list": lambda world: _plain(world, 13, "exec-plain"),
        "delete-in-use-by-policy": _use_registry,
        "delete": _stop_using_registry,
    }
    with World() as world:
        world.other.add_label("release")
        count, found = _differences(world, "08-registries.json", before)
    assert (count, found) == (79, {})


def test_policies_answer_as_recorded() -> None:
    """Every exchange of the recording about replication policies has the same answer."""
    with World() as world:
        _plain(world, 16, "policy-dest")
        _far_harbor(world, 17, "policy-src")
        count, found = _differences(world, "09-policies.json")
    assert (count, found) == (99, {})


def test_the_system_answers_as_recorded() -> None:
    """Every exchange of the recording about the system and preheating has the same answer."""
    with World() as world:
        for number in range(2, 6):
            world.harbor.add_project(f"p{number}")
        world.harbor.add_project("sysproj")
        for tag in ("1", "2"):
            world.harbor.push_image("sysproj/web", tag, seed=int(tag))
        for number in range(8):
            world.harbor.push_image(f"p2/x{number}", "1", seed=number)
        count, found = _differences(world, "18-system.json")
    # Nothing is collected, so the log has nothing to tell but that it began.
    assert all("garbage_collection.go" in line for line in found.pop("gc-log"))
    assert (count, found) == (62, {})


# --- runs ---------------------------------------------------------------------------------------


def _seed_source(world: World) -> None:
    world.harbor.add_project("execsrc")
    for seed, (name, tag) in enumerate(
        (("web", "1.0"), ("web", "1.1"), ("api/v1", "1.0"), ("slow", "1.0"))
    ):
        world.harbor.push_image(f"execsrc/{name}", tag, seed=seed)
        world.clock.advance(1.0)
    _plain(world, 13, "exec-plain")
    _far_harbor(world, 14, "exec-other", "http://10.77.0.2:8080")


def _change_image(world: World) -> None:
    world.harbor.push_image("execsrc/web", "1.1", seed=9)


def _collect_garbage(world: World) -> None:
    """Delete what has no tag, as a collection of another file did meanwhile."""
    repository = world.harbor.state.repositories["execsrc/web"]
    untagged = [each.digest for each in repository.artifacts.values() if not each.tags]
    for digest in untagged:
        path = f"/api/v2.0/projects/execsrc/repositories/web/artifacts/{digest}"
        world.send("DELETE", path, auth="admin", body=None)


def _make_puller(world: World) -> None:
    robot = world.harbor.add_robot("puller", project="execdst", access=["repository:pull"])
    credential = {"type": "basic", "access_key": robot.name, "access_secret": robot.secret}
    url = "http://10.77.0.2:8080"
    _registry(world, 20, name="exec-denied", type="harbor", url=url, credential=credential)


def _change_secret(world: World) -> None:
    for robot in world.harbor.state.robots.values():
        robot.secret = "Another-secret-1"


def _have_events(world: World) -> None:
    body = {"name": "by-event", "enabled": True, "trigger": {"type": "event_based"}}
    policy = world.body({**body, "dest_registry": {"id": 13}})
    world.send("POST", "/api/v2.0/replication/policies", auth="admin", body=policy)
    for number in range(3):
        world.harbor.push_image("execsrc/event", str(number), seed=number)
    world.clock.advance(_LATER)


def _skip_runs(world: World) -> None:
    """Have a run skipped, as the recording had from another file."""
    body = {"name": "one-at-a-time", "enabled": True, "single_active_replication": True}
    policy = world.body({**body, "dest_registry": {"id": 13}})
    made = world.send("POST", "/api/v2.0/replication/policies", auth="admin", body=policy)
    number = int(_location(made["headers"]).rpartition("/")[2])
    for _ in range(2):
        start = {"policy_id": number}
        world.send("POST", "/api/v2.0/replication/executions", auth="admin", body=start)


def _be_between_ticks(world: World) -> None:
    """Go on to a moment when no scheduled run is open."""
    world.clock.advance((45 - world.clock.now().second) % 60)


def test_runs_answer_as_recorded() -> None:
    """Every exchange of the recording about runs has the same answer."""
    before = {
        "policy-no-override": _change_image,
        "policy-to-harbor": _collect_garbage,
        "policy-denied": _make_puller,
        "stale-credential-start": _change_secret,
        "list-failed": _skip_runs,
        "list-trigger": _have_events,
        "delete-e-push": _be_between_ticks,
    }
    with World() as world:
        _seed_source(world)
        count, found = _differences(world, "10-executions.json", before)
    assert (count, found) == (87, {})


def _event_actions(world: World) -> dict[str, Callable[[], object]]:
    """What set off the runs of the recording about events, by the name of the first look."""
    harbor = world.harbor
    for name in ("evsrc", "evdst"):
        harbor.add_project(name)
    path = "/api/v2.0/projects/evsrc/repositories/ev%252Fapp"

    def call(method: str, rest: str, body: Any = None) -> None:
        answer = world.send(method, f"{path}{rest}", auth="admin", body=body)
        assert answer["status"] in {200, 201}

    return {
        "push": lambda: harbor.push_image("evsrc/ev/app", "a", seed=1),
        "tag-created": lambda: call("POST", "/artifacts/a/tags", {"name": "b"}),
        "push-second-tag": lambda: harbor.push_image("evsrc/ev/app", "c", seed=1),
        "tag-deleted": lambda: call("DELETE", "/artifacts/c/tags/c"),
        "artifact-deleted": lambda: call("DELETE", "/artifacts/a"),
        "push-digest": lambda: harbor.push_image("evsrc/ev/app", seed=1),
        "push-again": lambda: harbor.push_image("evsrc/ev/app", "d", seed=1),
        "repository-deleted": lambda: call("DELETE", ""),
    }


def test_runs_by_events_answer_as_recorded() -> None:
    """A push, a tag and three kinds of deletion are carried to the far side as recorded."""
    with World() as world:
        _far_harbor(world, 21, "ev-far", "http://10.77.0.2:8080")
        actions = _event_actions(world)

        def do(name: str) -> Callable[[World], None]:
            def act(world: World) -> None:
                actions[name]()
                world.clock.advance(3.0)
                world.harbor.settle()
                runs = world.send("GET", "/api/v2.0/replication/executions", auth="x", body=None)
                newest = str(runs["json"][0]["id"])
                recorded = {"push": 119, "repository-deleted": 126}.get(name)
                order = list(actions)
                number = recorded or 119 + order.index(name)
                world.ids["replication/executions", str(number)] = newest

            return act

        before: dict[str, Callable[[World], object]] = {
            f"{name}-execution": do(name) for name in actions
        }
        before["list-event-based"] = lambda world: world.clock.advance(_LATER)
        count, found = _differences(world, "10-replication-events.json", before)
    assert (count, found) == (32, {})


def _push_big_image(world: World) -> None:
    world.harbor.add_project("stopsrc")
    manifest = random_image(3, layers=2, layer_bytes=1_500_000)
    world.harbor.push("stopsrc/big", manifest, "1.0")


def test_a_stopped_run_answers_as_recorded() -> None:
    """A run slowed down by its policy is skipped beside, stopped, and gone with its policy."""
    with World() as world:
        _push_big_image(world)
        _plain(world, 22, "stop-plain")
        before: dict[str, Callable[[World], None]] = {
            "execution-running": lambda world: world.clock.advance(2.0),
            "stopped-task-log-later": lambda world: world.clock.advance(10.0),
        }
        count, found = _differences(world, "10-replication-stop.json", before)
        assert (count, found) == (20, {})
        assert not world.plain.storage.tags("stopped/big")


# --- webhooks -----------------------------------------------------------------------------------


def _put(world: World, repository: str, reference: str, sample: Sample) -> None:
    """Push over HTTP, so that somebody did it; by digest what has no tag."""
    for blob in sample.blobs:
        world.harbor.storage.put_blob(repository, blob.content)
    *parts, last = sample.manifests
    for manifest, name in (*((part, "") for part in parts), (last, reference)):
        answer = world.send(
            "PUT",
            f"/v2/{repository}/manifests/{name or manifest.digest}",
            auth="admin",
            body=manifest.raw.decode(),
            headers={"Content-Type": manifest.media_type},
        )
        assert answer["status"] == 201, answer


def _pull(world: World, repository: str, reference: str, method: str = "GET") -> None:
    accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
    path = f"/v2/{repository}/manifests/{reference}"
    world.send(method, path, auth="admin", body=None, headers={"Accept": accept})


def _replicate(world: World, **policy: Any) -> None:
    body = world.body({"enabled": True, "override": True, **policy})
    made = world.send("POST", "/api/v2.0/replication/policies", auth="admin", body=body)
    number = int(_location(made["headers"]).rpartition("/")[2])
    start = {"policy_id": number}
    world.send("POST", "/api/v2.0/replication/executions", auth="admin", body=start)


def _keep_newest(world: World) -> None:
    for number in range(3):
        _put(world, "hooks/keep", f"k{number}", random_image(20 + number))
        world.clock.advance(1.0)
    project = world.harbor.state.project("hooks")
    rule = {
        "template": "latestPushedK",
        "params": {"latestPushedK": 1},
        "action": "retain",
        "tag_selectors": [
            {
                "kind": "doublestar",
                "decoration": "matches",
                "pattern": "**",
                "extras": '{"untagged":true}',
            }
        ],
        "scope_selectors": {
            "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "keep"}]
        },
    }
    scope = {"level": "project", "ref": project.id}
    body = {"algorithm": "or", "rules": [rule], "scope": scope}
    made = world.send("POST", "/api/v2.0/retentions", auth="admin", body=body)
    world.ids["retentions", "4"] = _location(made["headers"]).rpartition("/")[2]


def _fill_quota(world: World) -> None:
    """Push what takes nine tenths of what a project may hold."""
    sample = random_image(50)
    project = world.harbor.state.project("hooks")
    size = len(sample.manifest.raw) + sum(len(blob.content) for blob in sample.blobs)
    project.limit = int((project.used + size) / 0.9)
    _put(world, "hooks/quota", "1", sample)


def _exceed_quota(world: World) -> None:
    world.clock.advance(5.0)
    answer = world.send("POST", "/v2/hooks/quota/blobs/uploads/", auth="admin", body="")
    where = _location(answer["headers"]).partition(world.harbor.host)[2]
    body = "x" * 200_000
    digest = f"sha256:{hashlib.sha256(body.encode()).hexdigest()}"
    answer = world.send("PUT", f"{where}&digest={digest}", auth="admin", body=body)
    assert answer["status"] == 403


def _hook_actions(world: World) -> dict[str, Callable[[], object]]:
    """What set off each group of recorded deliveries."""
    image, other, index = random_image(1), random_image(2), random_index(3)
    digest = image.manifest.digest
    signature = random_signature(4, digest)
    bill = random_referrer(5, Descriptor.of(image.manifest.raw, image.manifest.media_type))
    api, multi = "hooks/web/api", "hooks/multi"

    def call(method: str, rest: str, body: Any = None) -> None:
        path = f"/api/v2.0/projects/hooks/repositories/{rest}"
        answer = world.send(method, path, auth="admin", body=body)
        assert answer["status"] in {200, 201}, answer

    def push_twice() -> None:
        for _ in range(2):
            _put(world, api, "1.0", image)

    def pull_index() -> None:
        _pull(world, multi, "2.0")
        _pull(world, multi, str(index.manifests[0].digest))

    def replicate_away() -> None:
        filters = [{"type": "name", "value": api}]
        there: dict[str, Any] = {
            "dest_registry": {"id": 901},
            "dest_namespace": "hookmirror",
        }
        _replicate(world, name="hook-push", filters=filters, **there)

    def replicate_here() -> None:
        filters = [{"type": "name", "value": "hooktrouble/app"}]
        here: dict[str, Any] = {"src_registry": {"id": 902}, "dest_namespace": "hooks"}
        _replicate(world, name="hook-pull", filters=filters, **here)

    return {
        "push-again": push_twice,
        "push-second-tag": lambda: _put(world, api, "1.0-alias", image),
        "push-digest": lambda: _put(world, api, "", other),
        "push-index": lambda: _put(world, multi, "2.0", index),
        "push-cosign-tag": lambda: _put(world, api, str(signature.tag), signature),
        "push-subject": lambda: _put(world, api, "", bill),
        "tag-created-by-api": lambda: call(
            "POST", "web%252Fapi/artifacts/1.0/tags", {"name": "by-api"}
        ),
        "pull-head": lambda: _pull(world, api, "1.0", "HEAD"),
        "pull-tag": lambda: _pull(world, api, "1.0"),
        "pull-digest": lambda: _pull(world, api, str(digest)),
        "pull-index-and-child": pull_index,
        "replication-push": replicate_away,
        "replication-pull": replicate_here,
        "tag-deleted-by-api": lambda: call("DELETE", "web%252Fapi/artifacts/1.0/tags/1.0-alias"),
        "artifact-deleted": lambda: call("DELETE", "web%252Fapi/artifacts/1.0"),
        "artifact-deleted-untagged": lambda: call(
            "DELETE", f"web%252Fapi/artifacts/{other.manifest.digest}"
        ),
        "repository-deleted": lambda: call("DELETE", "multi"),
        "setup-retention": lambda: _keep_newest(world),
        "retention": lambda: None,
        "quota-warning": lambda: _fill_quota(world),
        "quota-exceeded": lambda: _exceed_quota(world),
    }


class Mailbox:
    """Receives webhooks as the recorder did, some of its addresses being unwell."""

    def __init__(self) -> None:
        self.taken: list[Delivery] = []
        self.looked = 0

    def __call__(self, delivery: Delivery) -> int:
        """Take a delivery and answer as its address is meant to."""
        path = delivery.address.rpartition("/")[2]
        before = sum(each.address == delivery.address for each in self.taken)
        self.taken.append(delivery)
        if path == "slow":
            raise TimeoutError
        return 500 if path == "always500" or (path == "first500" and not before) else 200

    def fresh(self, path: str) -> list[Delivery]:
        """Return what came to an address since the last look at all of them."""
        return [each for each in self.taken[self.looked :] if each.address.endswith(path)]


def _other_resource(theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Tell whether another artifact is named, or by another tag, digests aside."""
    tags = [
        [
            re.sub("[0-9a-f]{64}", "HEX", each["tag"])
            for each in document.get("event_data", document.get("data", {})).get("resources", [])
        ]
        for document in (theirs, ours)
    ]
    return [] if tags[0] == tags[1] else [f"tags: {tags[0]} / {tags[1]}"]


def _told_alike(compare: ModuleType, theirs: dict[str, Any], ours: Delivery) -> list[str]:
    """Return how a delivery differs from a recorded one."""
    request = theirs["request"]
    names = {"Content-Type", "Authorization"}
    wanted = {name: value for name, value in request["headers"] if name in names}
    found = [name for name in wanted if ours.headers.get(name) != wanted[name]]
    found += compare.paths(compare.shape(request["json"]), compare.shape(ours.document))
    found += _other_resource(request["json"], ours.document)
    same = ("type", "operator")
    return found + [name for name in same if request["json"].get(name) != ours.document.get(name)]


def _make_hook(world: World, recorded: int) -> None:
    target = {"type": "http", "address": "http://127.0.0.1:9099/x"}
    body = {"name": "short-lived", "event_types": ["PUSH_ARTIFACT"], "targets": [target]}
    path = "/api/v2.0/projects/hooks/webhook/policies"
    made = world.send("POST", path, auth="admin", body=body)
    world.ids["webhook/policies", str(recorded)] = _location(made["headers"]).rpartition("/")[2]


class Post:
    """Plays the recording of webhooks: requests, what set deliveries off, deliveries."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.compare = _compare()
        self.mailbox = Mailbox()
        self.group: list[Delivery] = []
        self.actions = _hook_actions(world)
        self.before: dict[str, Callable[[], object]] = {
            "create-default": lambda: _put(world, "hooktrouble/app", "1.0", random_image(0)),
            "update": lambda: _make_hook(world, 22),
            "retries-first500": world.harbor.settle,
        }
        for name in ("default", "cloud", "first500", "always500", "slow", "x", "two-a", "two-b"):
            world.harbor.deliveries.receivers[f"http://127.0.0.1:9099/{name}"] = self.mailbox

    def play(self, exchange: dict[str, Any]) -> list[str]:
        """Play one entry and return what differs."""
        name = exchange["name"]
        if name.startswith("deliveries-"):
            return self._act(exchange)
        if name.startswith("delivery-"):
            return self._find(exchange)
        if name.startswith("retries-"):
            return self._count_tries(exchange)
        if name in _NO_HOOK_REPLAY:
            return []
        self.before.get(name, lambda: None)()
        ours = self.world.play(exchange)
        told = self.compare.told
        return [] if ours is None else list(self.compare.paths(told(exchange), told(ours)))

    def _act(self, exchange: dict[str, Any]) -> list[str]:
        """Do what set off a group of deliveries, and count them."""
        self.actions[exchange["name"].removeprefix("deliveries-")]()
        self.world.clock.advance(3.0)
        self.world.harbor.settle()
        fresh = {path: len(self.mailbox.fresh(path)) for path in ("/default", "/cloud")}
        self.group = self.mailbox.taken[self.mailbox.looked :]
        self.mailbox.looked = len(self.mailbox.taken)
        # The recorder kept only some of the second receiver's.
        wanted = {path: count for path, count in exchange["count"].items() if count}
        return [
            f"{path}: {wanted[path]} / {fresh[path]}"
            for path in wanted
            if fresh[path] != wanted[path]
        ]

    def _find(self, exchange: dict[str, Any]) -> list[str]:
        """Find a recorded delivery among those of its group."""
        request = exchange["request"]
        kind = request["json"]["type"]
        same = [each for each in self.group if each.address.endswith(request["path"])]
        found = [
            _told_alike(self.compare, exchange, each)
            for each in same
            if each.document["type"] == kind
        ]
        return min(found, key=len, default=["not delivered"])

    def _count_tries(self, exchange: dict[str, Any]) -> list[str]:
        self.world.clock.advance(200.0)
        self.world.harbor.settle()
        path = exchange["name"].removeprefix("retries-")
        tries = sum(each.address.endswith(path) for each in self.mailbox.taken)
        wanted = len(exchange["answered"])
        return [] if tries == wanted else [f"{wanted} / {tries}"]


# Requests that name something the recorder has made by other requests.
_NO_HOOK_REPLAY: Final = frozenset({"quota-small", "quota-blob-refused", "quota-unlimited"})


def test_webhooks_are_delivered_as_recorded() -> None:
    """Each thing that happens is told as often, to whom, and in the form it was recorded."""
    recorded = json.loads((_VECTORS / "11-webhooks.json").read_text())["exchanges"]
    with World() as world:
        for name in ("hooks", "hooktrouble"):
            world.harbor.add_project(name)
        world.harbor.push_image("hooktrouble/app", "1.0")
        _plain(world, 901, "hook-plain")
        _far_harbor(world, 902, "hook-self", "http://10.77.0.2:8080")
        post = Post(world)
        found = {exchange["name"]: post.play(exchange) for exchange in recorded}
    assert len(found) == 120
    assert {name: lines for name, lines in found.items() if lines} == {}


# --- proxy cache --------------------------------------------------------------------------------


class Upstream:
    """The registry behind the proxy cache of the recording, with images of ours."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.web, self.multi = random_image(1, layers=1), random_index(2)
        self.changed = random_image(3, layers=1)
        self._seed("upstream/web", self.web)
        self._seed("upstream/multi", self.multi)

    def _seed(self, repository: str, sample: Sample) -> None:
        storage = self._world.plain.storage
        for blob in sample.blobs:
            storage.put_blob(repository, blob.content)
        for manifest in sample.manifests:
            last = manifest is sample.manifest
            tags = ["1.0"] if last else []
            storage.put_manifest(
                repository, manifest.raw, tags=tags, media_type=manifest.media_type
            )

    def move(self, _: World) -> None:
        """Let the tag point to another image."""
        self._seed("upstream/web", self.changed)

    def remove(self, _: World) -> None:
        """Delete the image that the tag points to."""
        self._world.plain.storage.delete_manifest("upstream/web", self.changed.manifest.digest)

    @property
    def digests(self) -> dict[str, str]:
        """Our digests, by what stands for them in the recording."""
        document = json.loads(self.web.manifest.raw)
        return {
            "caf43001": str(self.web.manifest.digest),
            "7b260dc5": document["layers"][0]["digest"],
            "7bfb20a0": document["config"]["digest"],
            "462604ba": str(self.multi.manifests[0].digest),
        }


def test_a_proxy_cache_answers_as_recorded() -> None:
    """Cold and warm reads, refused writes, a moved and a deleted tag answer as recorded."""
    with World() as world:
        upstream = Upstream(world)
        world.digests.update(upstream.digests)
        world.harbor.add_project("execsrc")
        world.harbor.push_image("execsrc/web", "1.0")
        _plain(world, 1, "proxy-plain")
        before = {
            "repositories": lambda world: world.clock.advance(25.0),
            "changed-head": upstream.move,
            "gone-head": upstream.remove,
            "artifacts-index": lambda world: world.clock.advance(25.0),
        }
        count, found = _differences(world, "17-proxy-cache.json", before)
    # The answer of the upstream is quoted, and ours words its details otherwise.
    assert [line.partition('"detail"')[1] for line in found.pop("missing-blob")] == ['"detail"']
    assert (count, found) == (35, {})
