"""Harbor as a destination: projects, tags, copies and quotas by its API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.credentials import Credential, StaticCredentials
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    ConnectionLost,
    Denied,
    InvalidValue,
    NotFound,
    RegistryError,
    TagImmutable,
    Unsupported,
)
from harborsync.gate import open_registry
from harborsync.provider import OpenContext
from harborsync.reference import Digest, Tag
from harborsync.registries.harbor_writing import Copies, Mounts, Tags
from harborsync.registry import Room
from harborsync.retry import RetryPolicy
from harborsync.secrets import Secret
from harborsync.testing import FakeClock, LoopbackHarbor
from harborsync.testing.content import random_image, random_referrer, random_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.registry import Registry

WRITES = (
    "repository:pull",
    "repository:push",
    "repository:list",
    "artifact:create",
    "artifact:list",
    "artifact:read",
    "project:read",
    "tag:create",
)
IMAGE = random_image(1)
V1, V2 = Tag("v1"), Tag("v2")


class World:
    """A Harbor with a project, and ways to log in to it."""

    def __init__(self, harbor: LoopbackHarbor) -> None:
        self.harbor = harbor
        self.clock = FakeClock()
        self._opened: list[Registry] = []
        self._robots = 0
        harbor.add_project("team")

    def robot(
        self, *, access: tuple[str, ...] = WRITES, options: str = "", **more: Any
    ) -> Registry:
        """Open it as a robot with some permissions."""
        self._robots += 1
        robot = self.harbor.add_robot(f"r{self._robots}", access=access, **more)
        return self.open(robot.name, robot.secret, options)

    def user(self, options: str = "") -> Registry:
        """Open it as the administrator."""
        return self.open("admin", "Harbor12345", options)

    def open(self, name: str, password: str, options: str = "") -> Registry:
        """Open it with a login."""
        login = Credential(username=name, secret=Secret(password))
        context = OpenContext(
            clock=self.clock,
            credentials=StaticCredentials({self.harbor.host: login}),
            retry=RetryPolicy(attempts=1),
        )
        endpoint = Endpoint.parse(f"harbor+http://{self.harbor.host}{options}")
        self._opened.append(open_registry(endpoint, context))
        return self._opened[-1]

    def asked(self, method: str, part: str) -> int:
        """Return how many requests of a kind there were."""
        return sum(each.method == method and part in each.path for each in self.harbor.requests)

    def close(self) -> None:
        """Close everything."""
        for registry in self._opened:
            registry.close()


@pytest.fixture
def world() -> Iterator[World]:
    """Return a Harbor with an empty project."""
    with LoopbackHarbor() as harbor:
        found = World(harbor)
        yield found
        found.close()


def _ensure(registry: Registry, repository: str) -> bool:
    assert registry.abilities.creates is not None
    return registry.abilities.creates.ensure_repository(repository)


def _add_tag(registry: Registry, tag: Tag = V2, digest: Digest = IMAGE.digest) -> bool:
    assert registry.abilities.tags is not None
    return registry.abilities.tags.add_tag("team/app", digest, tag)


def _copy(registry: Registry, to: str = "team/copy") -> bool:
    assert registry.abilities.copies is not None
    return registry.abilities.copies.copy_within("team/app", IMAGE.digest, to)


def _room(registry: Registry, repository: str = "small/app") -> Room | None:
    assert registry.abilities.room is not None
    return registry.abilities.room.room(repository)


# --- projects --------------------------------------------------------------------------------


def test_a_project_that_is_there_is_looked_for_once(world: World) -> None:
    """However many repositories go into it; nothing is made."""
    registry = world.robot()
    assert [_ensure(registry, f"team/{name}") for name in ("a", "b/c", "a")] == [False] * 3
    assert world.asked("GET", "/projects") == 1
    assert world.asked("POST", "/projects") == 0


@pytest.mark.parametrize(("options", "public"), [("", "false"), ("?public=yes", "true")])
def test_a_project_that_is_lacking_is_made(world: World, options: str, public: str) -> None:
    """Private, unless the endpoint says otherwise; and then it can be pushed to."""
    registry = world.robot(options=options, system=["project:create"])
    assert _ensure(registry, "fresh/app")
    assert not _ensure(registry, "fresh/web")
    assert world.harbor.state.project("fresh").metadata["public"] == public
    IMAGE.push_to(registry, "fresh/app", "v1")
    assert world.harbor.tags("fresh/app") == {"v1": IMAGE.digest}


def test_nothing_is_made_where_that_is_forbidden(world: World) -> None:
    """By the option; then nothing is asked either."""
    registry = world.robot(options="?create=never", system=["project:create"])
    assert not _ensure(registry, "fresh/app")
    assert world.harbor.requests == ()


def test_who_may_make_no_project_is_told_what_to_do(world: World) -> None:
    """A robot of one project, for instance."""
    with pytest.raises(Denied, match="cannot make the project fresh") as caught:
        _ensure(world.robot(project="team"), "fresh/app")
    assert "project:create" in (caught.value.hint or "")


def test_a_project_that_is_hidden_from_us_is_there(world: World) -> None:
    """Harbor says so when it is to be made; whether we may write to it shows at the push."""
    world.harbor.add_user("carol", "Secret-123")
    world.harbor.add_project("secret")
    registry = world.open("carol", "Secret-123")
    assert not _ensure(registry, "secret/app")
    assert world.asked("POST", "/projects") == 1


def test_a_project_that_another_makes_meanwhile_is_found_from_then_on(world: World) -> None:
    """What was known of it before is forgotten, as if it had been made here."""
    registry = world.user()
    assert registry.abilities.labels is not None
    with pytest.raises(NotFound):
        registry.abilities.labels.find_labels("fresh/app", frozenset({"ready"}))
    world.harbor.add_project("fresh")
    assert not _ensure(registry, "fresh/app")
    assert registry.abilities.labels.find_labels("fresh/app", frozenset({"ready"})) == ()


def test_a_project_that_cannot_be_made_for_another_reason_says_which(world: World) -> None:
    """A name that Harbor does not take."""
    with pytest.raises(RegistryError, match=r"cannot make the project bad__name"):
        _ensure(world.user(), "bad__name/app")


def test_a_project_that_caches_another_registry_is_refused(world: World) -> None:
    """Before anything is sent."""
    world.harbor.state.project("team").registry_id = 7
    with pytest.raises(Unsupported, match="caches another registry") as caught:
        _ensure(world.robot(), "team/app")
    assert "ordinary project" in (caught.value.hint or "")


# --- tags ------------------------------------------------------------------------------------


def test_a_robot_adds_a_tag_by_the_api(world: World) -> None:
    """One request, and no event of a push."""
    world.harbor.push("team/app", IMAGE, "v1")
    registry = world.robot()
    assert _add_tag(registry)
    assert world.harbor.tags("team/app") == {"v1": IMAGE.digest, "v2": IMAGE.digest}
    assert len(world.harbor.requests) == 1


@pytest.mark.parametrize(("options", "is_added"), [("", False), ("?tags_by=api", True)])
def test_a_user_pushes_unless_told_otherwise(world: World, options: str, is_added: bool) -> None:
    """A password costs Harbor a tenth of a second with each request to the API."""
    world.harbor.push("team/app", IMAGE, "v1")
    assert _add_tag(world.user(options)) is is_added


def test_a_robot_pushes_if_told_to(world: World) -> None:
    """Some want the event that only a push fires."""
    world.harbor.push("team/app", IMAGE, "v1")
    assert not _add_tag(world.robot(options="?tags_by=push"))
    assert world.harbor.requests == ()


def test_another_way_to_make_tags_is_refused(world: World) -> None:
    """Before the first request."""
    with pytest.raises(InvalidValue, match="tags_by cannot be 'hand'"):
        world.robot(options="?tags_by=hand")


def test_a_robot_without_the_right_is_asked_once(world: World) -> None:
    """From then on it pushes, in this project."""
    world.harbor.push("team/app", IMAGE, "v1")
    registry = world.robot(access=("repository:pull", "repository:push"))
    assert [_add_tag(registry) for _ in range(2)] == [False, False]
    assert world.asked("POST", "/tags") == 1


@pytest.mark.parametrize("tag", ["v1", "v3"])
def test_a_tag_that_is_there_or_of_what_is_not_must_be_pushed(world: World, tag: str) -> None:
    """Which is no reason not to try the next one."""
    world.harbor.push("team/app", IMAGE, "v1")
    registry = world.robot()
    digest = IMAGE.digest if tag == "v1" else random_image(9).digest
    assert not _add_tag(registry, Tag(tag), digest)
    assert _add_tag(registry)


def test_a_rule_against_a_tag_is_told(world: World) -> None:
    """A push would be refused as well."""

    class Refusing:
        """An API that refuses for a rule."""

        def ask(self, *_: Any, **__: Any) -> Any:
            return type("Answer", (), {"status": 412})()

        def refused(self, *_: Any, **__: Any) -> TagImmutable:
            return TagImmutable("configured as immutable")

    api: Any = Refusing()
    with pytest.raises(TagImmutable):
        Tags(api, lambda: True).add_tag("team/app", IMAGE.digest, V1)


# --- copies ----------------------------------------------------------------------------------


def test_harbor_copies_by_itself(world: World) -> None:
    """With what is said about the artifact, and with every tag it has."""
    signature, sbom = random_signature(2, IMAGE.digest), random_referrer(3, IMAGE.descriptor)
    world.harbor.push("team/app", IMAGE, "v1")
    for sample in (signature, sbom):
        world.harbor.push("team/app", sample)
    registry = world.robot()
    assert _copy(registry)
    assert world.harbor.tags("team/copy")["v1"] == IMAGE.digest
    for sample in (IMAGE, signature, sbom):
        assert registry.resolve("team/copy", sample.digest) is not None
    assert world.asked("POST", "/artifacts") == 1


def test_a_copy_that_harbor_refuses_is_left_to_us(world: World) -> None:
    """For want of a right it is not asked again; for a source that is lacking it is."""
    registry = world.robot()
    assert [_copy(registry) for _ in range(2)] == [False, False]
    assert world.asked("POST", "/artifacts") == 2
    lesser = world.robot(access=("repository:pull", "repository:push"))
    assert [_copy(lesser) for _ in range(2)] == [False, False]
    assert world.asked("POST", "/artifacts") == 3


class _Lost:
    """An API that cannot be reached."""

    def ask(self, *_: Any, **__: Any) -> Any:
        raise ConnectionLost("reset")

    page = ask


@pytest.mark.parametrize(
    "act",
    [
        lambda api: Tags(api, lambda: True).add_tag("team/app", IMAGE.digest, V1),
        lambda api: Copies(api).copy_within("team/app", IMAGE.digest, "team/copy"),
        lambda api: Mounts(api).origins("team/app", IMAGE.blobs[0].descriptor),
    ],
)
def test_an_api_that_cannot_be_reached_is_gone_around(act: Callable[[Any], object]) -> None:
    """A push is repeated with more patience."""
    assert not act(_Lost())


# --- room ------------------------------------------------------------------------------------


def test_a_quota_tells_what_is_left(world: World) -> None:
    """Asked once for all repositories of a project, for as long as planning takes."""
    world.harbor.add_project("small", limit=1000)
    registry = world.user()
    expected = Room(whose="project small", left=1000)
    assert [_room(registry, f"small/{name}") for name in "ab"] == [expected] * 2
    assert world.asked("GET", "/summary") == 1
    world.clock.advance(60)
    assert _room(registry) == expected
    assert world.asked("GET", "/summary") == 2


def test_no_quota_is_no_limit(world: World) -> None:
    """Nor is one that nobody tells us, or of a project that is not there."""
    registry = world.user()
    assert _room(registry, "team/app") is None
    assert _room(registry, "absent/app") is None
    assert _room(registry, "single") is None
    assert _room(world.robot(access=("repository:pull",)), "team/app") is None


# --- mounts ----------------------------------------------------------------------------------


def test_harbor_knows_where_a_blob_is(world: World) -> None:
    """In one repository, which is asked for; where nobody has it, in none."""
    world.harbor.push("team/app", IMAGE, "v1")
    registry = world.robot()
    mounts = registry.abilities.mounts
    assert mounts is not None
    config = IMAGE.blobs[0].descriptor
    assert mounts.origins("team/web", config) == ("team/app",)
    assert mounts.origins("team/app", config) == ()
    assert mounts.origins("team/web", random_image(9).blobs[0].descriptor) == ()
    assert mounts.may_mount("team/web", "team/app")
    assert not mounts.may_mount("team/web", "single")


def test_a_mount_that_is_forbidden_costs_one_request(world: World) -> None:
    """Harbor answers 401 to all of it; why is looked up, and then the blob is sent (HARBOR §6)."""
    world.harbor.add_project("other")
    world.harbor.push("other/app", IMAGE, "v1")
    registry = world.robot(project="team")
    blob = IMAGE.blobs[0]
    put = registry.put_blob(
        "team/web", blob.descriptor, _opening(blob.content), mount_from=["other/app"], absent=True
    )
    assert put.outcome == "uploaded"
    assert [each.status for each in world.harbor.requests] == [401, 200, 202, 201]
    assert world.clock.monotonic() == FakeClock().monotonic()


def _opening(content: bytes) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def opened(offset: int = 0, /) -> Iterator[Iterator[bytes]]:
        yield iter([content[offset:]])

    return opened
