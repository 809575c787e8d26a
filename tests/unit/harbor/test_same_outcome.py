"""A rule that is compiled without gaps brings over the same, whoever follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync import Naming, ReplicationRule, Replicator, Secret
from harborsync.credentials.base import Credential
from harborsync.harbor.applying import Wish, apply
from harborsync.harbor.compiling import compile_rule
from harborsync.harbor.importing import Imported, import_policies
from harborsync.testing import LoopbackHarbor, LoopbackRegistry
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.client import Harbor

ADMIN = Credential(username="admin", secret=Secret("Harbor12345"))
CONTENT = {
    "app/web": ("v1.0", "v1.1-rc1", "latest"),
    "app/web/ui": ("v2.0", "dev"),
    "app/api": ("v1.0",),
    "lib/base": ("v3", "old"),
}
RULES: dict[str, dict[str, Any]] = {
    "everything": {"where": "everything"},
    "a glob on names": {"where": "name like 'app/**'"},
    "one part of a name": {"where": "name like 'app/*'"},
    "listed repositories": {"where": "everything", "repositories": ("app/web", "app/api")},
    "globs on tags": {"where": "tag like 'v*' and not tag like '*-rc*'"},
    "one of some tags": {"where": "tag in ('v1.0', 'latest') or tag like 'd?v'"},
    "a label": {"where": "label has 'signed'"},
    "no label": {"where": "name like 'app/**' and not label has 'signed'"},
    "all below a namespace": {"where": "everything", "naming": Naming(namespace="mirror")},
    "the last part only": {
        "where": "name like '*/*'",
        "naming": Naming(namespace="a/b", flatten=-1),
    },
    "a namespace replaced": {"where": "tag like 'v*'", "naming": Naming("m/{path}/{name}")},
    "a namespace moved": {
        "where": "name like 'app/web/**'",
        "naming": Naming(namespaces={"app/web": "moved"}),
    },
}


@pytest.fixture
def filled(server: LoopbackHarbor) -> LoopbackHarbor:
    """A Harbor with some repositories, tags, a label, and an artifact without a tag."""
    server.add_project("lib")
    for seed, (repository, tags) in enumerate(CONTENT.items()):
        for number, tag in enumerate(tags):
            server.push_image(repository, tag, seed=10 * seed + number)
    label = server.add_label("signed")
    server.artifact("app/web", "v1.0").label_ids.append(label.id)
    server.push("app/web", random_image(99))
    return server


@pytest.fixture
def ends() -> Iterator[tuple[LoopbackRegistry, LoopbackRegistry]]:
    """Two empty registries."""
    with LoopbackRegistry() as one, LoopbackRegistry() as other:
        yield one, other


def content(registry: LoopbackRegistry) -> dict[str, tuple[dict[str, str], set[str]]]:
    """Return all tags of a registry, and all manifests, tagged or not."""
    storage = registry.storage
    return {
        name: (storage.tags(name), {str(each.digest) for each in storage.manifests(name)})
        for name in storage.repositories()
    }


def follow(rule: ReplicationRule, server: LoopbackHarbor) -> None:
    """Follow a rule by ourselves."""
    with Replicator([rule], credentials={server.host: ADMIN}) as replicator:
        replicator.run().raise_for_failures()


@pytest.mark.parametrize("fields", RULES.values(), ids=RULES.keys())
def test_harbor_and_we_bring_over_the_same(
    harbor: Harbor,
    filled: LoopbackHarbor,
    ends: tuple[LoopbackRegistry, LoopbackRegistry],
    fields: dict[str, Any],
) -> None:
    """Tag by tag, digest by digest, and nothing that has no tag."""
    ours, theirs = (
        ReplicationRule(
            name="same",
            source=filled.endpoint,
            destinations=end.endpoint,
            on_conflict="overwrite",
            **fields,
        )
        for end in ends
    )
    follow(ours, filled)
    apply(harbor, [compile_rule(theirs, into=filled.endpoint).check()])
    assert harbor.executions.run_and_watch("same").ok
    assert content(ends[0])
    assert content(ends[0]) == content(ends[1])


def test_a_policy_and_the_rule_it_becomes_bring_over_the_same(
    harbor: Harbor, filled: LoopbackHarbor, ends: tuple[LoopbackRegistry, LoopbackRegistry]
) -> None:
    """But for what the import has noted."""
    rule = ReplicationRule(
        name="there",
        source=filled.endpoint,
        destinations=ends[0].endpoint,
        on_conflict="overwrite",
        where="name like 'app/**' and not tag like 'dev'",
        naming=Naming(namespace="copies", flatten=1),
    )
    apply(harbor, [compile_rule(rule, into=filled.endpoint)], Wish(owner="tests"))
    assert harbor.executions.run_and_watch("there").ok
    (back,) = import_policies(harbor, here=filled.endpoint)
    assert isinstance(back, Imported)
    assert back.notes == ()
    with Replicator([back.rule], credentials={filled.host: ADMIN}) as replicator:
        assert not replicator.plan().to_copy


def test_a_harbor_pulls_the_same_as_we_bring(harbor: Harbor, server: LoopbackHarbor) -> None:
    """From below a project of another Harbor, into a project of its own."""
    with LoopbackHarbor() as far:
        far.add_project("team")
        digest = far.push_image("team/web/ui", "v1.0")
        far.push_image("team/web/ui", "dev", seed=1)
        far.push_image("library/other", "v1.0", seed=2)
        far_end = attrs.evolve(far.endpoint, address=f"{far.host}/team")
        rules = [
            ReplicationRule(
                name=name,
                source=far_end,
                destinations=attrs.evolve(server.endpoint, address=f"{server.host}/app/{name}"),
                where="tag like 'v*'",
                on_conflict="overwrite",
                naming=Naming(flatten=1, namespace="x"),
                metadata=(),
            )
            for name in ("ours", "theirs")
        ]
        logins = {server.host: ADMIN, far.host: ADMIN}
        with Replicator(rules[:1], credentials=logins) as replicator:
            replicator.run().raise_for_failures()
        wanted = compile_rule(rules[1], into=server.endpoint).check()
        apply(harbor, [wanted], Wish(logins=dict.fromkeys(wanted.logins, ADMIN)))
        assert harbor.executions.run_and_watch("theirs").ok
    for name in ("ours", "theirs"):
        assert server.tags(f"app/{name}/x/web/ui") == {"v1.0": digest}
        assert not server.tags(f"app/{name}/x/other")
