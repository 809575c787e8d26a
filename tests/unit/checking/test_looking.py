"""A check goes there, tries what it may, writes nothing, and turns failures into findings."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync import Check, check, open_registry
from harborsync.checking import policy_for
from harborsync.content import OCI_INDEX, Manifest
from harborsync.credentials.base import Credential, Kind
from harborsync.credentials.static import StaticCredentials
from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidReference, UnknownProvider
from harborsync.insight import Can, Deed, Direction, Severity
from harborsync.provider import OpenContext
from harborsync.reference import Tag
from harborsync.secrets import Secret
from harborsync.testing import BasicAuth, FakeClock, LoopbackQuirks, LoopbackRegistry, TokenAuth
from harborsync.testing.content import random_image, random_index
from harborsync.testing.faults import Fault
from harborsync.testing.tls import TestAuthority

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from harborsync.testing.server_wire import Request
    from harborsync.testing.tokens import Access

USERS = {"ann": "pA55w0rd!"}
IMAGE = random_image(1)


def can(found: Check) -> dict[str, str]:
    """Return what may be done."""
    return {str(right.deed): str(right.can) for right in found.rights}


def seed(server: LoopbackRegistry, context: OpenContext | None = None) -> None:
    """Put an image into a registry."""
    registry = open_registry(server.endpoint, context or OpenContext())
    IMAGE.push_to(registry, "team/app", "v1")
    registry.close()
    server.clear_log()


def writes(server: LoopbackRegistry) -> list[str]:
    """Return the requests that write, as far as the registry was asked."""
    lines = (f"{line.method} {line.path}" for line in server.requests)
    return [line for line in lines if not line.startswith(("GET", "HEAD")) and "/token" not in line]


def test_an_open_registry_is_looked_at_without_a_login() -> None:
    """What is read is known, what would write is not; nothing is wrong."""
    with LoopbackRegistry() as server:
        seed(server)
        found = check(server.endpoint, OpenContext())
        assert writes(server) == []
    assert found.ok
    assert found.findings == ()
    assert found.repository == "team/app"
    assert found.identity is None
    assert can(found) == {
        "list": "yes",
        "pull": "yes",
        "push": "unknown",
        "create": "unknown",
        "delete": "unknown",
        "mount": "unknown",
        "referrers": "yes",
    }
    assert [(reach.host, reach.purpose, reach.ok) for reach in found.hosts] == [
        ("127.0.0.1", "registry", True)
    ]


def test_a_write_is_probed_by_an_upload_that_is_cancelled() -> None:
    """A POST and a DELETE of the same session, and nothing is left."""
    with LoopbackRegistry() as server:
        seed(server)
        before = server.storage.repositories()
        found = check(server.endpoint, OpenContext(), probe="write")
        methods = [line.split()[0] for line in writes(server)]
        assert server.storage.repositories() == before
    assert methods == ["POST", "DELETE"]
    assert can(found)["push"] == can(found)["create"] == "yes"
    assert can(found)["delete"] == "unknown"


def test_the_token_tells_who_we_are_and_what_is_withheld(log_in: Any) -> None:
    """A token without push is a no, without a try; the permission is named."""

    def reads(user: str | None, access: Access) -> Collection[str]:
        return access.actions & {"pull"} if user else ()

    with LoopbackRegistry(auth=TokenAuth(users=USERS, grants=reads)) as server:
        found = check(server.endpoint, log_in(server.host), repository="team/app")
    assert found.identity is not None
    assert (found.identity.name, found.identity.origin) == ("ann", "argument")
    push = next(right for right in found.rights if right.deed is Deed.PUSH)
    assert (push.can, push.permission) == (Can.NO, "repository:team/app:pull,push")
    assert push.why == "the token does not grant it"
    assert "registry, token server" in {reach.purpose for reach in found.hosts}


def test_a_token_that_grants_everything_is_no_proof_of_a_write(log_in: Any) -> None:
    """Quotas and read-only modes stand between, so it is unknown until it is tried."""
    with LoopbackRegistry(auth=TokenAuth(users=USERS)) as server:
        context = log_in(server.host)
        seed(server, context)
        found = check(server.endpoint, context, repository="team/app")
        assert can(found)["push"] == can(found)["delete"] == "unknown"
        tried = check(server.endpoint, context, repository="team/app", probe="write")
    assert can(tried)["push"] == "yes"


@pytest.mark.parametrize("auth", [BasicAuth(USERS), TokenAuth(users=USERS)], ids=["basic", "token"])
@pytest.mark.parametrize(
    ("password", "says"),
    [("wrong", "from argument"), (None, "wants a login")],
    ids=["wrong", "none"],
)
def test_a_login_that_is_lacking_or_wrong_is_a_finding(
    auth: Any, password: str | None, says: str, log_in: Any
) -> None:
    """With a remedy, and without the password."""
    with LoopbackRegistry(auth=auth) as server:
        context = log_in(server.host, password=password) if password else OpenContext()
        found = check(server.endpoint, context, repository="team/app")
    assert not found.ok
    assert says in found.findings[0].what
    assert found.findings[0].remedy
    assert can(found)["pull"] != "yes"
    assert "wrong" not in str(found).replace("what is wrong", "")


def test_without_a_repository_a_refused_login_is_told_too() -> None:
    """The catalog is asked, and why it was refused is said."""
    with LoopbackRegistry(auth=BasicAuth(USERS)) as server:
        found = check(server.endpoint, OpenContext())
    assert "wants a login" in found.findings[0].what
    assert set(can(found).values()) == {"unknown"}


def test_a_registry_without_a_catalog_asks_for_a_repository() -> None:
    """That is a note, since many have none."""
    with LoopbackRegistry(quirks=LoopbackQuirks(catalog=False)) as server:
        found = check(server.endpoint, OpenContext())
    assert [finding.severity for finding in found.findings] == [Severity.NOTE]
    assert "--repository" in found.findings[0].remedy


def test_an_empty_repository_is_unknown_not_forbidden() -> None:
    """Nothing was refused."""
    with LoopbackRegistry() as server:
        found = check(server.endpoint, OpenContext(), repository="no/such")
    assert can(found)["list"] == can(found)["pull"] == "unknown"
    assert found.ok


def test_what_is_refused_is_a_no_and_what_fails_is_unknown() -> None:
    """A 403 is about us, a 500 about the registry."""

    def fault(request: Request) -> Fault | None:
        if "/tags/" in request.path:
            return Fault(status=500)
        return Fault(status=403) if request.method == "POST" else None

    with LoopbackRegistry(faults=fault) as server:
        found = check(server.endpoint, OpenContext(), repository="team/app", probe="write")
    assert can(found)["list"] == "unknown"
    assert can(found)["push"] == can(found)["create"] == "no"
    assert not found.ok
    assert all(finding.remedy for finding in found.findings)


def test_an_upload_to_a_repository_that_is_not_there_is_unknown() -> None:
    """It may be made."""

    def fault(request: Request) -> Fault | None:
        return Fault(status=404) if request.method == "POST" else None

    with LoopbackRegistry(faults=fault) as server:
        found = check(server.endpoint, OpenContext(), repository="team/app", probe="write")
    assert can(found)["push"] == "unknown"


def test_a_storage_on_another_host_is_on_the_list() -> None:
    """It is where the bytes come from, so a firewall must let it through."""
    with LoopbackRegistry(quirks=LoopbackQuirks(redirects="other_host")) as server:
        seed(server)
        found = check(server.endpoint, OpenContext())
        assert server.other_host is not None
        port = int(server.other_host.rpartition(":")[2])
    assert [(reach.port, reach.ok) for reach in found.hosts if reach.purpose == "storage"] == [
        (port, True)
    ]


def test_an_index_is_read_down_to_a_blob() -> None:
    """An index has none of its own."""
    with LoopbackRegistry() as server:
        registry = open_registry(server.endpoint, OpenContext())
        random_index(3).push_to(registry, "team/app", "v1")
        registry.close()
        found = check(server.endpoint, OpenContext(), throughput="team/app:v1")
    assert can(found)["pull"] == "yes"
    assert found.throughput is not None
    assert found.throughput > 0
    assert "throughput:" in str(found)


def test_the_throughput_is_read_for_so_long_and_no_longer() -> None:
    """No time at all is over after the first block."""
    with LoopbackRegistry() as server:
        seed(server)
        found = check(server.endpoint, OpenContext(), throughput="team/app:v1", seconds=0.0)
        assert found.throughput is not None
        with pytest.raises(InvalidReference):
            check(server.endpoint, OpenContext(), throughput="no reference")


def test_tls_is_told_with_issuer_and_end(tmp_path: Path) -> None:
    """A certificate that ends tomorrow is a warning."""
    with TestAuthority(tmp_path) as authority, LoopbackRegistry(tls=authority) as server:
        found = check(server.endpoint, OpenContext())
    (reach,) = found.hosts
    assert reach.tls.startswith("TLSv1.")
    assert reach.issuer == "CN=harborsync test authority"
    assert reach.not_after is not None
    assert found.ok
    assert "ends in 0 days" in found.findings[0].what


def test_a_certificate_of_nobody_known_names_its_issuer(tmp_path: Path) -> None:
    """Nothing is asked of such a registry, and the remedy is the file of its CA."""
    with TestAuthority(tmp_path) as authority, LoopbackRegistry(tls=authority) as server:
        found = check(Endpoint(provider="registry", address=server.host), OpenContext())
        assert server.requests == ()
    assert not found.ok
    assert "harborsync test authority" in found.findings[0].what
    assert "ca=" in found.findings[0].remedy
    assert not found.hosts[0].ok
    assert {right.why for right in found.rights} == {"it was not reached"}


@pytest.mark.parametrize(
    ("endpoint", "words", "remedy"),
    [
        ("registry+http://127.0.0.1:1", "no connection", "let this machine out"),
        ("registry://registry.invalid", "resolve", "DNS"),
        ("registry://registry.invalid?proxy=http://127.0.0.1:1", "127.0.0.1:1", "let this machine"),
    ],
    ids=["closed", "unknown", "proxy"],
)
def test_a_registry_that_is_not_reached_says_why(endpoint: str, words: str, remedy: str) -> None:
    """Names, ports, proxies: each has its remedy, and what is lacking is listed."""
    found = check(endpoint, OpenContext())
    assert words in found.findings[0].what
    assert remedy in found.findings[0].remedy
    assert not found.hosts[0].ok
    assert "not reached" in str(found)


@pytest.mark.parametrize(
    ("off", "severity"),
    [(30, None), (120, Severity.WARNING), (-4000, Severity.ERROR)],
)
def test_a_clock_that_is_wrong_is_found(off: int, severity: Severity | None, log_in: Any) -> None:
    """By the Date that the registry sends; a little is fine."""
    clock = FakeClock()
    said = clock.now() - timedelta(seconds=off)

    def dated(request: Request) -> Fault:
        return Fault(headers={"Date": format_datetime(said, usegmt=True)})

    with LoopbackRegistry(faults=dated) as server:
        found = check(server.endpoint, log_in(server.host, clock=clock), repository="a")
    assert found.clock_skew is not None
    assert abs(found.clock_skew - off) < 2
    judged = {each.severity for each in found.findings if "clock" in each.what}
    assert judged == ({severity} if severity else set())
    assert f"{found.clock_skew:+.0f} s" in str(found)


def test_a_date_that_is_none_tells_nothing() -> None:
    """Some servers send nonsense."""
    with LoopbackRegistry(faults=lambda request: Fault(headers={"Date": "soon"})) as server:
        assert check(server.endpoint, OpenContext(), repository="a").clock_skew is None


@pytest.mark.parametrize(
    ("service", "kind"),
    [("harbor-registry", "harbor"), ("registry.aliyuncs.com:cn-beijing:china:cri-a1b2", "acr")],
)
def test_a_domain_of_ones_own_is_told_by_its_door(service: str, kind: str) -> None:
    """The name shows nothing, and the challenge does."""
    with LoopbackRegistry(auth=TokenAuth(users=USERS, service=service)) as server:
        found = check(server.endpoint, OpenContext(), repository="a")
        host = server.host
    notes = [each for each in found.findings if each.severity is Severity.NOTE]
    assert f"of the kind {kind}" in notes[0].what
    assert f"{kind}+http://{host}" in notes[0].remedy


def test_a_bearer_token_is_shown_as_it_is() -> None:
    """No token is bought for it, and it has no name."""
    with LoopbackRegistry(auth=TokenAuth(users=USERS)) as server:
        login = Credential(secret=Secret("no-such-token"), kind=Kind.BEARER)
        context = OpenContext(credentials=StaticCredentials({server.host: login}))
        found = check(server.endpoint, context, repository="a")
    assert found.identity is not None
    assert found.identity.name == "whoever bears the token"
    assert not found.ok
    assert "no-such-token" not in str(found) + found.to_json()


def test_a_place_on_disk_has_no_hosts(tmp_path: Path) -> None:
    """Nobody is asked who we are; there is no policy either."""
    found = check(f"oci:{tmp_path}/layout", OpenContext())
    assert found.hosts == ()
    assert {policy.text for policy in found.policies} == {""}
    assert check("memory://check", OpenContext()).hosts == ()


def test_a_check_travels_as_json_and_shows_in_a_notebook() -> None:
    """Every part is in it."""
    with LoopbackRegistry() as server:
        seed(server)
        found = check(server.endpoint, OpenContext())
    data = json.loads(found.to_json())
    assert data["ok"] is True
    assert {right["deed"] for right in data["rights"]} == {str(deed) for deed in Deed}
    html = found._repr_mimebundle_()["text/html"]
    assert html.count("<table>") == 3


def test_nobody_opens_what_there_is_not() -> None:
    """A wish that cannot work is an error, not a finding."""
    with pytest.raises(UnknownProvider):
        check("nosuch://place", OpenContext())


def test_a_product_without_policies_is_told_the_scopes() -> None:
    """Pull and push apart, below the prefix."""
    (pull,) = policy_for("registry://r.example/team", "pull")
    (push,) = policy_for(Endpoint.parse("registry://r.example"), Direction.PUSH)
    assert (pull.text, push.text) == ("repository:team/*:pull", "repository:*:pull,push")


def test_a_certificate_long_before_its_end_is_fine(tmp_path: Path) -> None:
    """By a clock that stands a year back, tomorrow is far away."""
    clock = FakeClock(datetime.now(UTC) - timedelta(days=365))
    with TestAuthority(tmp_path) as authority, LoopbackRegistry(tls=authority) as server:
        found = check(server.endpoint, attrs.evolve(OpenContext(), clock=clock))
    assert not [each for each in found.findings if "certificate" in each.what]


def test_an_artifact_without_blobs_measures_nothing() -> None:
    """An empty index is there, and there is nothing to read."""
    empty = Manifest.parse(b'{"schemaVersion":2,"manifests":[]}', OCI_INDEX)
    with LoopbackRegistry() as server:
        registry = open_registry(server.endpoint, OpenContext())
        registry.put_manifest("team/app", empty, tag=Tag("v1"))
        found = check(server.endpoint, OpenContext(), throughput="team/app:v1")
    assert found.throughput is None
    assert "no blob" in found.findings[0].what


def test_a_token_server_that_fails_is_only_a_warning(log_in: Any) -> None:
    """What cannot be done without a token shows when it is tried."""

    def fault(request: Request) -> Fault | None:
        return Fault(status=500) if request.path == "/token" else None

    with LoopbackRegistry(auth=TokenAuth(users=USERS), faults=fault) as server:
        found = check(server.endpoint, log_in(server.host), repository="team/app")
    assert found.findings
    assert can(found)["list"] == "unknown"
