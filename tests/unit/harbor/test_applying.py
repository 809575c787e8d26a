"""A Harbor is brought in line with rules, once; what is not ours stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync import Naming, ReplicationRule
from harborsync.credentials.base import Credential, Kind
from harborsync.credentials.static import StaticCredentials
from harborsync.errors import ConfigurationError, RegistryError
from harborsync.harbor.applying import Wish, apply, compare
from harborsync.harbor.changes import Action, Changes
from harborsync.harbor.client import Harbor
from harborsync.harbor.compiling import Compiled, compile_rule
from harborsync.harbor.ownership import owner_of
from harborsync.harbor.policies import ReplicationPolicy
from harborsync.harbor.registries import RegistryCredential, RemoteRegistry
from harborsync.harbor.terms import Terms
from harborsync.harbor.timetable import scheduled
from harborsync.provider import OpenContext
from harborsync.secrets import Secret
from harborsync.testing import BasicAuth, FakeClock, LoopbackHarbor, LoopbackRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator

NIGHTLY = Terms(trigger=scheduled("0 2 * * *"), description="every night")
SECRET = "Marker-Secret-1"


@pytest.fixture
def far() -> Iterator[LoopbackRegistry]:
    """A registry that anybody may write to."""
    with LoopbackRegistry() as registry:
        yield registry


def compiled(
    server: LoopbackHarbor, far: LoopbackRegistry, terms: Terms = NIGHTLY, **fields: Any
) -> Compiled:
    """Compile a rule out of the Harbor of the test."""
    usual = {
        "name": "nightly",
        "source": server.endpoint,
        "destinations": far.endpoint,
        "where": "name like 'app/**' and tag like 'v*'",
        "on_conflict": "overwrite",
    }
    rule = ReplicationRule(**{**usual, **fields})
    return compile_rule(rule, into=server.endpoint, terms=terms)


def writes(server: LoopbackHarbor) -> list[str]:
    """Return the requests that were no reads, and forget all."""
    found = [f"{r.method} {r.path}" for r in server.requests if r.method not in ("GET", "HEAD")]
    server.clear_log()
    return found


def told(changes: Changes) -> list[str]:
    """Return what is done to which object."""
    return [f"{change.action} {change.kind} {change.name}" for change in changes.changes]


def name_of(far: LoopbackRegistry) -> str:
    """Return what the far registry is called at the Harbor."""
    return far.host.replace(":", "-")


# --- once --------------------------------------------------------------------------------------


def test_applying_twice_changes_once(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """Registry first, then policy; the second time nothing is written."""
    wanted = compiled(server, far)
    first = apply(harbor, [wanted])
    assert told(first) == [f"create registry {name_of(far)}", "create policy nightly"]
    assert first.are_done
    assert writes(server) == ["POST /api/v2.0/registries", "POST /api/v2.0/replication/policies"]
    second = apply(harbor, [wanted])
    assert not second
    assert str(second) == "nothing to change"
    assert writes(server) == []


def test_comparing_changes_nothing(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """It tells what applying would do, field by field."""
    found = compare(harbor, [compiled(server, far)])
    assert not found.are_done
    assert told(found) == [f"create registry {name_of(far)}", "create policy nightly"]
    assert "    filters: name 'app/**', tag 'v*'" in str(found)
    assert writes(server) == []
    assert not list(harbor.policies.list())


def test_what_was_applied_replicates(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """Under the names that the rule gives."""
    digest = server.push_image("app/web", "v1")
    server.push_image("app/web", "dev", seed=1)
    apply(harbor, [compiled(server, far, naming=Naming(namespace="mirror", flatten=1))])
    assert harbor.executions.run_and_watch("nightly").ok
    assert far.storage.tags("mirror/web") == {"v1": str(digest)}


def test_drift_is_shown_and_mended(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """Only what drifted is named; all of the policy is as wanted afterwards."""
    wanted = compiled(server, far)
    apply(harbor, [wanted])
    policy = harbor.policies.named("nightly")
    assert policy is not None
    harbor.policies.update(attrs.evolve(policy, enabled=False, speed=100, filters=()))
    drift = compare(harbor, [wanted])
    assert [str(field) for field in drift.changes[0].fields] == [
        "enabled: no -> yes",
        "filters: name 'app/**', tag 'v*'",
        "speed: 100 -> 0",
    ]
    assert told(apply(harbor, [wanted])) == ["update policy nightly"]
    assert not compare(harbor, [wanted])


def test_drift_of_a_registry_is_mended_without_its_secret(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """The login stays as it is; the mask that Harbor shows is never sent."""
    wanted = compiled(server, far)
    apply(harbor, [wanted])
    registry = harbor.registries.named(name_of(far))
    assert registry is not None
    login = RegistryCredential(access_key="me", access_secret=Secret(SECRET))
    harbor.registries.update(attrs.evolve(registry, insecure=True, credential=login))
    found = apply(harbor, [wanted])
    assert [str(field) for field in found.changes[0].fields] == ["insecure: yes -> no"]
    after = harbor.registries.named(name_of(far))
    assert after is not None
    assert after.credential is not None
    assert after.credential.access_key == "me"
    assert not after.insecure


# --- logins ------------------------------------------------------------------------------------


def test_a_login_is_sent_only_if_it_was_given(harbor: Harbor, server: LoopbackHarbor) -> None:
    """It is shown as changed or unknown, never itself."""
    with LoopbackRegistry(auth=BasicAuth({"me": SECRET})) as far:
        wanted = compiled(server, far)
        assert wanted.logins == {name_of(far): "a user name and password"}
        login = Credential(username="me", secret=Secret(SECRET))
        wish = Wish(logins={name_of(far): login})
        shown = compare(harbor, [wanted], wish)
        assert "    login: me" in str(shown)
        assert "    secret: unknown -> changed" in str(shown)
        for text in (str(shown), shown.to_json(), repr(shown), repr(wish)):
            assert SECRET not in text
        apply(harbor, [wanted], wish)
        assert not apply(harbor, [wanted], wish)
        assert not apply(harbor, [wanted])
        renewed = apply(harbor, [wanted], attrs.evolve(wish, renew_logins=True))
        assert [str(field) for field in renewed.changes[0].fields] == ["secret: unknown -> changed"]


def test_another_user_is_a_change(harbor: Harbor, server: LoopbackHarbor) -> None:
    """And its secret goes along."""
    with LoopbackRegistry(auth=BasicAuth({"me": SECRET, "you": SECRET})) as far:
        wanted = compiled(server, far)
        for user in ("me", "you"):
            login = Credential(username=user, secret=Secret(SECRET))
            found = apply(harbor, [wanted], Wish(logins={name_of(far): login}))
        assert [str(field) for field in found.changes[0].fields] == [
            "login: me -> you",
            "secret: unknown -> changed",
        ]


def test_a_login_does_not_go_to_another_address(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """What Harbor does with the secret then differs by version, so it must be given again."""
    wanted = compiled(server, far)
    apply(harbor, [wanted])
    registry = harbor.registries.named(name_of(far))
    assert registry is not None
    login = RegistryCredential(access_key="me", access_secret=Secret(SECRET))
    harbor.registries.update(
        attrs.evolve(
            registry, url=f"http://localhost:{far.host.partition(':')[2]}", credential=login
        )
    )
    with pytest.raises(ConfigurationError, match="another address") as caught:
        compare(harbor, [wanted])
    assert caught.value.hint == f"give its login again: logins={{{name_of(far)!r}: …}}"


def test_a_login_for_nothing_is_refused(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """A misspelt name would leave a registry without one."""
    login = Credential(username="me", secret=Secret(SECRET))
    with pytest.raises(ConfigurationError, match="a login for nobody") as caught:
        compare(harbor, [compiled(server, far)], Wish(logins={"nobody": login}))
    assert caught.value.hint == f"wanted are {name_of(far)}"


def test_a_token_is_no_login_for_a_harbor(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """It logs in by a password."""
    login = Credential(secret=Secret(SECRET), kind=Kind.BEARER)
    with pytest.raises(ConfigurationError, match="is a token"):
        compare(harbor, [compiled(server, far)], Wish(logins={name_of(far): login}))


def test_a_login_is_not_sent_to_a_registry_that_is_not_ours(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """And that is said."""
    someone_elses(harbor, far)
    login = Credential(username="me", secret=Secret(SECRET))
    wish = Wish(logins={name_of(far): login})
    found = compare(harbor, [compiled(server, far, name="other")], wish)
    assert found.notes == ("registry by hand is not ours and keeps its own login",)


# --- what is not ours --------------------------------------------------------------------------


def someone_elses(harbor: Harbor, far: LoopbackRegistry) -> ReplicationPolicy:
    """Make a registry and a policy as a person would."""
    registry = RemoteRegistry(name="by hand", type="docker-registry", url=f"http://{far.host}")
    made = attrs.evolve(registry, id=harbor.registries.create(registry))
    policy = ReplicationPolicy(name="nightly", dest_registry=made, description="mine")
    return attrs.evolve(policy, id=harbor.policies.create(policy))


def test_a_policy_without_our_mark_is_not_touched(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """Unless it is adopted on purpose; then it bears the mark."""
    someone_elses(harbor, far)
    wanted = compiled(server, far)
    server.clear_log()
    with pytest.raises(ConfigurationError, match="'nightly' already") as caught:
        apply(harbor, [wanted])
    assert "adopt=True" in str(caught.value.hint)
    assert writes(server) == []
    assert told(apply(harbor, [wanted], Wish(adopt=True))) == ["update policy nightly"]
    after = harbor.policies.named("nightly")
    assert after is not None
    assert after.description == "every night [harborsync default]"


def test_a_registry_that_leads_there_already_is_used_as_it_is(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """With the login that it has; it is not changed, nor deleted later."""
    someone_elses(harbor, far)
    other = compiled(server, far, name="other")
    assert told(apply(harbor, [other])) == ["create policy other"]
    policy = harbor.policies.named("other")
    assert policy is not None
    assert policy.remote is not None
    assert policy.remote.name == "by hand"
    assert told(apply(harbor, [], Wish(prune=True))) == ["delete policy other"]
    assert harbor.registries.named("by hand") is not None


def test_a_registry_of_that_name_elsewhere_is_in_the_way(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """It is neither changed nor used."""
    with LoopbackRegistry() as elsewhere:
        harbor.registries.create(
            RemoteRegistry(
                name=name_of(far), type="docker-registry", url=f"http://{elsewhere.host}"
            )
        )
        with pytest.raises(ConfigurationError, match="does not bear our mark"):
            compare(harbor, [compiled(server, far)])
        found = apply(harbor, [compiled(server, far)], Wish(adopt=True))
        assert told(found) == [f"update registry {name_of(far)}", "create policy nightly"]


def test_a_registry_cannot_become_of_another_type(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """Harbor ignores the type in a change."""
    mine = RemoteRegistry(
        name=name_of(far),
        type="quay",
        url=f"http://{far.host}",
        description="[harborsync default]",
    )
    harbor.registries.create(mine)
    with pytest.raises(ConfigurationError, match="is of type quay"):
        compare(harbor, [compiled(server, far)])


def test_owners_do_not_touch_each_others(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """Each prunes what bears its own mark."""
    apply(harbor, [compiled(server, far)], Wish(owner="team-a"))
    apply(harbor, [compiled(server, far, name="b")], Wish(owner="team-b", prune=True))
    assert {policy.name for policy in harbor.policies.list()} == {"nightly", "b"}
    with pytest.raises(ConfigurationError, match="does not bear our mark"):
        apply(harbor, [compiled(server, far)], Wish(owner="team-b", adopt=True))


def test_what_no_rule_wants_is_deleted_only_when_asked(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """Policies before the registry they use."""
    wanted = compiled(server, far), compiled(server, far, name="weekly")
    apply(harbor, wanted)
    assert not apply(harbor, wanted[:1])
    assert told(apply(harbor, wanted[:1], Wish(prune=True))) == ["delete policy weekly"]
    gone = apply(harbor, [], Wish(prune=True))
    assert [change.action for change in gone.changes] == [Action.DELETE, Action.DELETE]
    assert told(gone) == ["delete policy nightly", f"delete registry {name_of(far)}"]
    assert not list(harbor.policies.list())
    assert not list(harbor.registries.list())


def test_a_registry_that_a_policy_leaves_is_deleted_at_once(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """The policy leads elsewhere first; a second time nothing changes."""
    apply(harbor, [compiled(server, far)])
    with LoopbackRegistry() as other:
        moved, wish = compiled(server, other), Wish(prune=True)
        assert told(apply(harbor, [moved], wish)) == [
            f"create registry {name_of(other)}",
            "update policy nightly",
            f"delete registry {name_of(far)}",
        ]
        assert not apply(harbor, [moved], wish)


def test_a_registry_that_somebody_uses_is_not_deleted(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """Though it is ours and no rule wants it any more."""
    apply(harbor, [compiled(server, far)])
    ours = harbor.registries.named(name_of(far))
    harbor.policies.create(ReplicationPolicy(name="mine", dest_registry=ours))
    assert told(apply(harbor, [], Wish(prune=True))) == ["delete policy nightly"]


# --- what must not be done ---------------------------------------------------------------------


def test_a_rule_with_gaps_is_not_applied_unless_that_is_accepted(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """The gaps are told; nothing is written."""
    wanted = compiled(server, far, where="name like 'app/**' and age < 3d")
    with pytest.raises(ConfigurationError, match="age < 3d"):
        apply(harbor, [wanted])
    assert writes(server) == []
    assert apply(harbor, [wanted], Wish(accept_gaps=True))


def test_two_rules_of_one_name_are_refused(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """Unless they are the same."""
    one, other = compiled(server, far), compiled(server, far, where="name like 'app/*'")
    with pytest.raises(ConfigurationError, match="two rules want a policy called 'nightly'"):
        compare(harbor, [one, other])
    assert compare(harbor, [one, one]) == compare(harbor, [one])


def test_a_policy_without_a_far_end_is_refused(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """It would copy a Harbor onto itself."""
    wanted = attrs.evolve(compiled(server, far), policies=(ReplicationPolicy(name="x"),))
    with pytest.raises(ConfigurationError, match="leads to no far registry"):
        compare(harbor, [wanted])


def test_a_refusal_of_harbor_leaves_what_was_made_before(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """The next try goes on from there."""
    with LoopbackRegistry() as gone:
        wanted = compiled(server, far), compiled(server, gone, name="lost")
    with pytest.raises(RegistryError):
        apply(harbor, wanted)
    assert harbor.registries.named(name_of(far)) is not None
    assert told(apply(harbor, wanted[:1])) == ["create policy nightly"]


def test_an_old_harbor_is_not_asked_for_what_it_would_forget(clock: FakeClock) -> None:
    """A second time nothing changes there either, and a note says what is lacking."""
    login = Credential(username="admin", secret=Secret("Harbor12345"))
    with LoopbackHarbor(version="2.12", clock=clock) as old, LoopbackRegistry() as far:
        context = OpenContext(credentials=StaticCredentials({old.host: login}), clock=clock)
        wanted = compiled(old, far)
        with Harbor.open(old.endpoint, context) as harbor:
            first, second = apply(harbor, [wanted]), apply(harbor, [wanted])
    assert first
    assert not second
    assert "note: policy nightly: a start is skipped while a run is on only from" in str(second)


def test_the_mark_is_put_behind_the_description(
    harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry
) -> None:
    """Of registries, too."""
    apply(harbor, [compiled(server, far)], Wish(owner="team-a"))
    texts = [policy.description for policy in harbor.policies.list()]
    texts += [registry.description for registry in harbor.registries.list()]
    assert [owner_of(text) for text in texts] == ["team-a", "team-a"]
