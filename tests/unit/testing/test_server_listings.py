"""Lists of the embedded registry, as an independent client sees them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.content import OCI_INDEX, OCI_MANIFEST
from harborsync.reference import Digest
from harborsync.testing import LoopbackQuirks

if TYPE_CHECKING:
    from harborsync.testing import LoopbackRegistry

TAGS = "/v2/team/app/tags/list"
CONTENT = b'{"schemaVersion": 2}'


@pytest.fixture
def tagged(make: Any, talk: Any) -> Any:
    """Return a function that makes a registry with tags a to e and a client of it."""

    def seed(**quirks: Any) -> tuple[LoopbackRegistry, Any]:
        server: LoopbackRegistry = make(quirks=LoopbackQuirks(**quirks))
        server.storage.put_manifest("team/app", CONTENT, tags=["c", "a", "e", "b", "d"])
        return server, talk(server)

    return seed


def _next(reply: Any) -> str:
    found = re.match(r'<?([^>;]+)>?; rel="next"', reply.headers["Link"])
    assert found is not None
    return found[1]


def test_tags_are_listed_in_order(tagged: Any) -> None:
    """All tags come, sorted, with the repository's name."""
    _, client = tagged()
    assert client("GET", TAGS).json == {"name": "team/app", "tags": list("abcde")}


def test_a_product_tells_more_beside_the_tags(make: Any, talk: Any) -> None:
    """Even where there are none; about what it does not know it tells nothing."""
    known = {"team/app": {"child": ["a"]}}
    server = make(tells=lambda name: known.get(name, {}))
    client = talk(server)
    assert client("GET", TAGS).json == {"name": "team/app", "tags": [], "child": ["a"]}
    assert client("GET", "/v2/team/other/tags/list").status == 404


def test_a_list_comes_page_by_page(tagged: Any) -> None:
    """The Link leads from page to page until there is none (OCI-5.1)."""
    _, client = tagged()
    url, pages = f"{TAGS}?n=2", []
    while url:
        reply = client("GET", url)
        pages.append("".join(reply.json["tags"]))
        url = _next(reply) if "Link" in reply.headers else ""
    assert pages == ["ab", "cd", "e"]


def test_a_list_can_begin_after_a_tag(tagged: Any) -> None:
    """`last` need not be a tag that is there."""
    _, client = tagged()
    assert client("GET", f"{TAGS}?last=bb").json["tags"] == ["c", "d", "e"]


def test_no_entries_can_be_asked_for(tagged: Any) -> None:
    """A page of none is empty."""
    _, client = tagged()
    assert client("GET", f"{TAGS}?n=0").json["tags"] == []


def test_a_repository_that_is_not_there_is_404(client: Any) -> None:
    """Tags of nothing are NAME_UNKNOWN."""
    assert client("GET", TAGS).codes == ["NAME_UNKNOWN"]


def test_repositories_are_listed(client: Any, server: LoopbackRegistry) -> None:
    """The catalog pages like any list (OCI-8.2)."""
    for name in ("b/b", "a", "c"):
        server.storage.put_blob(name, b"x")
    first = client("GET", "/v2/_catalog?n=2")
    assert first.json == {"repositories": ["a", "b/b"]}
    assert client("GET", _next(first)).json == {"repositories": ["c"]}


def _push_referrer(server: LoopbackRegistry, subject: Digest, **fields: Any) -> Digest:
    document = {"schemaVersion": 2, "subject": {"digest": str(subject)}, **fields}
    return server.storage.put_manifest("team/app", json.dumps(document).encode())


def test_referrers_are_listed(client: Any, server: LoopbackRegistry) -> None:
    """Each comes with its type, its annotations and its size (OCI-6.1)."""
    subject = Digest.of(b"subject")
    signature = _push_referrer(server, subject, artifactType="sig", annotations={"a": "1"})
    image = _push_referrer(server, subject, config={"mediaType": "text/plain"})
    server.storage.put_manifest("team/app", b"no JSON")
    reply = client("GET", f"/v2/team/app/referrers/{subject}")
    assert reply.headers["Content-Type"] == OCI_INDEX
    first, second = reply.json["manifests"]
    assert first["mediaType"] == OCI_MANIFEST
    assert (first["digest"], first["artifactType"]) == (str(signature), "sig")
    assert first["annotations"] == {"a": "1"}
    assert (second["digest"], second["artifactType"]) == (str(image), "text/plain")


def test_referrers_can_be_filtered(client: Any, server: LoopbackRegistry) -> None:
    """The answer says that it was filtered (OCI-6.2)."""
    subject = Digest.of(b"subject")
    _push_referrer(server, subject, artifactType="sig")
    _push_referrer(server, subject, artifactType="sbom")
    reply = client("GET", f"/v2/team/app/referrers/{subject}?artifactType=sbom")
    assert reply.headers["OCI-Filters-Applied"] == "artifactType"
    assert [entry["artifactType"] for entry in reply.json["manifests"]] == ["sbom"]


def test_a_referrer_that_is_deleted_is_no_more(client: Any, server: LoopbackRegistry) -> None:
    """The others stay, whatever their fields are."""
    subject = Digest.of(b"subject")
    gone = _push_referrer(server, subject, artifactType="sig")
    stays = _push_referrer(server, subject, config="odd")
    assert client("DELETE", f"/v2/team/app/manifests/{gone}").status == 202
    (left,) = client("GET", f"/v2/team/app/referrers/{subject}").json["manifests"]
    assert left["digest"] == str(stays)


def test_nothing_has_no_referrers(client: Any) -> None:
    """A digest nobody knows has an empty list."""
    assert client("GET", f"/v2/a/referrers/{Digest.of(b'')}").json["manifests"] == []


class TestQuirks:
    """Each switch, seen from outside."""

    def test_pages_can_be_absent(self, tagged: Any) -> None:
        """Parameters are ignored, and the order may be any (OCI-5.4)."""
        _, client = tagged(pages="none", sorted_tags=False)
        assert client("GET", f"{TAGS}?n=2&last=c").json["tags"] == list("caebd")

    @pytest.mark.parametrize(
        ("pages", "form"),
        [
            ("absolute", r"<http://127\.0\.0\.1:\d+/v2/.*>; .*"),
            ("bare", r"/v2/[^>]*; .*"),
            ("relative", r"</v2/.*>; .*"),
        ],
    )
    def test_links_have_many_forms(self, tagged: Any, pages: Any, form: str) -> None:
        """Every form leads to the rest (OCI-5.1)."""
        _, client = tagged(pages=pages)
        reply = client("GET", f"{TAGS}?n=3")
        assert re.fullmatch(form, reply.headers["Link"])
        assert client("GET", _next(reply)).json["tags"] == ["d", "e"]

    def test_a_link_can_lead_away(self, tagged: Any) -> None:
        """The next page is on another host (OCI-5.2)."""
        server, client = tagged(pages="other_host")
        assert f"//{server.other_host}/" in _next(client("GET", f"{TAGS}?n=3"))

    def test_pages_can_go_round(self, tagged: Any) -> None:
        """The Link leads to the same page for ever (OCI-5.3)."""
        _, client = tagged(pages="loop")
        first = client("GET", f"{TAGS}?n=3")
        again = client("GET", _next(first))
        assert again.json == first.json
        assert again.headers["Link"] == first.headers["Link"]

    def test_a_page_can_be_clamped(self, tagged: Any) -> None:
        """More than the limit is the limit; so is no wish at all."""
        _, client = tagged(max_page=2)
        for url in (TAGS, f"{TAGS}?n=9"):
            assert client("GET", url).json["tags"] == ["a", "b"]
        assert client("GET", f"{TAGS}?n=1").json["tags"] == ["a"]

    def test_a_large_page_can_be_refused(self, tagged: Any) -> None:
        """More than the limit is 400, and so is what is no number (OCI-5.4)."""
        _, client = tagged(max_page=2, large_page_status=400)
        for wish in ("9", "-1", "x"):
            assert client("GET", f"{TAGS}?n={wish}").codes == ["PAGINATION_NUMBER_INVALID"]

    def test_tags_can_be_null(self, tagged: Any) -> None:
        """A repository without tags has null for a list (OCI-5.5)."""
        server, client = tagged(tags="null")
        assert client("GET", TAGS).json["tags"] == list("abcde")
        server.storage.delete_manifest("team/app", Digest.of(CONTENT))
        assert client("GET", TAGS).json["tags"] is None

    def test_tags_can_hold_nothings(self, tagged: Any) -> None:
        """Null and empty texts are among them."""
        _, client = tagged(tags="with_nulls")
        assert client("GET", TAGS).json["tags"] == [*"abcde", None, ""]

    def test_tags_can_hold_digests(self, tagged: Any) -> None:
        """Digests are among them."""
        _, client = tagged(tags="with_digests")
        assert client("GET", TAGS).json["tags"][-1] == str(Digest.of(CONTENT))

    def test_a_repository_without_tags_can_be_404(self, tagged: Any) -> None:
        """It may be as if it were not there."""
        server, client = tagged(untagged_list_status=404)
        server.storage.delete_manifest("team/app", Digest.of(CONTENT))
        assert client("GET", TAGS).status == 404

    def test_the_catalog_can_be_absent(self, tagged: Any) -> None:
        """Not every registry lists its repositories."""
        _, client = tagged(catalog=False)
        assert client("GET", "/v2/_catalog").status == 404

    @pytest.mark.parametrize(
        ("referrers", "status", "kind"),
        [
            ("json_404", 404, "application/json"),
            ("text_404", 404, "text/plain; charset=utf-8"),
            ("html", 200, "text/html; charset=utf-8"),
        ],
    )
    def test_referrers_can_be_unknown(
        self, tagged: Any, referrers: Any, status: int, kind: str
    ) -> None:
        """A registry without the API says so in many ways (OCI-6.1)."""
        _, client = tagged(referrers=referrers)
        reply = client("GET", f"/v2/team/app/referrers/{Digest.of(CONTENT)}")
        assert (reply.status, reply.headers["Content-Type"]) == (status, kind)
