"""The two kinds of registries that an emulated Harbor copies from and to: Harbors and others.

Both speak the distribution API; a Harbor is listed through its own, which knows labels and
what belongs to what, takes blobs from any repository, and gets its missing projects made.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import attrs

from harborsync.content import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
)
from harborsync.testing.harbor_far import FarError
from harborsync.testing.harbor_resources import (
    Item,
    Resource,
    items_wanted,
    literal_names,
    names_wanted,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harborsync.testing.harbor_far import Line, Reply

ACCEPT: Final = f"{OCI_MANIFEST}, {OCI_INDEX}, {DOCKER_MANIFEST}, {DOCKER_LIST}"
_API: Final = "/api/v2.0"
_PAGE: Final = 1000
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_CREATED: Final = 201
_AUTHORIZATION: Final = frozenset({401, 403})


@attrs.frozen(kw_only=True)
class Manifest:
    """A manifest as it was read.

    Attributes:
        digest: Its digest.
        media_type: Its type.
        content: Its bytes.
    """

    digest: str
    media_type: str
    content: bytes = attrs.field(repr=False)

    @property
    def parts(self) -> tuple[Mapping[str, Any], ...]:
        """The descriptors of what it consists of."""
        document = json.loads(self.content)
        if "manifests" in document:
            return tuple(document["manifests"])
        config = [document["config"]] if "config" in document else []
        return (*config, *document.get("layers", ()))


class PlainAdapter:
    """Any registry that speaks the distribution API.

    Args:
        line: What its requests go over.
        logs_in: Whether there is a login.
        components: How many components its repositories have: ``any`` or ``only_two``.
    """

    def __init__(self, line: Line, *, logs_in: bool = False, components: str = "any") -> None:
        self._line = line
        self._logs_in = logs_in
        self.components = components

    def healthy(self) -> bool:
        """Tell whether it answers, and takes the login if there is one (recorded: 08)."""
        try:
            reply = self._line.send("GET", "/v2/")
        except FarError:
            return False
        return reply.ok or (not self._logs_in and reply.status in _AUTHORIZATION)

    def fetch(self, filters: Sequence[Mapping[str, Any]]) -> list[Resource]:
        """Return what the filters choose of all that it holds.

        Raises:
            FarError: It cannot be listed.
            BadRule: A pattern is malformed.
        """
        names = literal_names(filters)
        if names is None:
            names = self._listed("/v2/_catalog", "repositories")
        wanted = names_wanted(filters, names)
        found = ((name, items_wanted(filters, self._items(name))) for name in wanted)
        return [Resource(repository=name, kind="image", items=each) for name, each in found if each]

    def prepare(self, resources: Sequence[Resource]) -> list[bool]:
        """Make what must be there before a push; tell which resources cannot be pushed."""
        return [False] * len(resources)

    def head(self, repository: str, reference: str) -> str | None:
        """Return the digest of a manifest, or None if there is none.

        Raises:
            FarError: It did not say.
        """
        headers = {"Accept": ACCEPT}
        reply = self._line.send("HEAD", f"/v2/{repository}/manifests/{reference}", headers)
        if reply.status == _NOT_FOUND:
            return None
        return _good(reply).headers.get("docker-content-digest", "").strip('"')

    def manifest(self, repository: str, reference: str) -> Manifest:
        """Read a manifest.

        Raises:
            FarError: It is not to be had.
        """
        headers = {"Accept": ACCEPT}
        reply = self._line.send("GET", f"/v2/{repository}/manifests/{reference}", headers)
        content = _good(reply).body
        return Manifest(
            digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
            media_type=reply.headers.get("content-type", OCI_MANIFEST),
            content=content,
        )

    def push_manifest(self, repository: str, reference: str, manifest: Manifest) -> None:
        """Store a manifest.

        Raises:
            FarError: It was refused.
        """
        headers = {"Content-Type": manifest.media_type}
        target = f"/v2/{repository}/manifests/{reference}"
        _good(self._line.send("PUT", target, headers, manifest.content))

    def has_blob(self, repository: str, digest: str) -> bool:
        """Tell whether a blob is there; only a plain yes counts."""
        return self._line.send("HEAD", f"/v2/{repository}/blobs/{digest}").ok

    def blob(self, repository: str, digest: str) -> bytes:
        """Read a blob.

        Raises:
            FarError: It is not to be had.
        """
        return _good(self._line.send("GET", f"/v2/{repository}/blobs/{digest}")).body

    def push_blob(self, repository: str, digest: str, content: bytes) -> None:
        """Store a blob.

        Raises:
            FarError: It was refused.
        """
        reply = _good(self._line.send("POST", f"/v2/{repository}/blobs/uploads/"))
        location = _path(reply.headers.get("location", ""))
        mark = "&" if "?" in location else "?"
        headers = {"Content-Type": "application/octet-stream"}
        target = f"{location}{mark}digest={digest}"
        _good(self._line.send("PUT", target, headers, content))

    def mountable(self, digest: str) -> str | None:  # noqa: ARG002 - a Harbor knows
        """Return a repository that a blob can be taken from."""
        return None

    def mount(self, repository: str, digest: str, source: str) -> None:
        """Take a blob from another repository.

        Raises:
            FarError: It was refused.
        """
        query = urlencode({"mount": digest, "from": source}, safe=":/")
        reply = _good(self._line.send("POST", f"/v2/{repository}/blobs/uploads/?{query}"))
        if reply.status != _CREATED:
            msg = f"http status code: {reply.status}, body: "
            raise FarError(msg, reply.status)

    def delete(self, repository: str, digest: str) -> None:
        """Delete a manifest.

        Raises:
            FarError: It was refused.
        """
        _good(self._line.send("DELETE", f"/v2/{repository}/manifests/{digest}"))

    def delete_tag(self, repository: str, tag: str) -> bool:  # noqa: ARG002 - a Harbor can
        """Delete a tag and nothing else; tell whether it was there.

        Raises:
            FarError: This kind of registry cannot.
        """
        msg = "the tag deletion isn't supported"
        raise FarError(msg)

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository; none if it is not there.

        Raises:
            FarError: They cannot be listed.
        """
        try:
            return self._listed(f"/v2/{repository}/tags/list", "tags")
        except FarError as error:
            if error.status == _NOT_FOUND:
                return []
            raise

    def _listed(self, path: str, key: str) -> list[str]:
        """Return a list of names, page by page; some servers send all of them each time."""
        names: dict[str, None] = {}
        while True:
            query = urlencode({"n": _PAGE, **({"last": [*names][-1]} if names else {})})
            reply = _good(self._line.send("GET", f"{path}?{query}"))
            page = reply.json().get(key) or []
            fresh = [name for name in page if name not in names]
            names |= dict.fromkeys(fresh)
            if len(page) < _PAGE or not fresh:
                return list(names)

    def _items(self, repository: str) -> list[Item]:
        return [Item(tags=(tag,)) for tag in self.tags(repository)]


class HarborAdapter(PlainAdapter):
    """A Harbor, this one or another."""

    def healthy(self) -> bool:
        """Tell whether it takes the login.

        Raises:
            FarError: It cannot be reached, which Harbor answers with a blank 500.
        """
        self._line.send("GET", "/api/version")
        reply = self._line.send("GET", "/v2/")
        return reply.ok or (not self._logs_in and reply.status in _AUTHORIZATION)

    def labels(self) -> list[str]:
        """Return the names of its global labels.

        Raises:
            FarError: They cannot be listed.
        """
        return [each.get("name", "") for each in self._pages("/labels", scope="g")]

    def fetch(self, filters: Sequence[Mapping[str, Any]]) -> list[Resource]:
        """Return what the filters choose of all that it holds.

        Raises:
            FarError: It cannot be listed.
            BadRule: A pattern is malformed.
        """
        found = []
        for project in self._pages("/projects"):
            rows = self._pages(f"/projects/{project['name']}/repositories")
            public = project["metadata"].get("public", "")
            for name in names_wanted(filters, (row["name"] for row in rows)):
                items = items_wanted(filters, self._items(name))
                if items:
                    found.append(Resource(repository=name, items=items, public=public))
        return found

    def prepare(self, resources: Sequence[Resource]) -> list[bool]:
        """Make missing projects; what would go into a proxy cache is skipped.

        Raises:
            FarError: It does not let us.
        """
        public: dict[str, bool] = {}
        for each in resources:
            name = each.repository.partition("/")[0]
            public[name] = public.get(name, True) and each.public == "true"
        wanted = " ".join(f"'{name}'" for name in public)
        there = {row["name"]: row for row in self._pages("/projects", q=f"name={{{wanted}}}")}
        for name in public.keys() - there.keys():
            self._make_project(name, public=public[name])
        proxies = {name for name, row in there.items() if row.get("registry_id")}
        return [each.repository.partition("/")[0] in proxies for each in resources]

    def mountable(self, digest: str) -> str | None:
        """Return a repository that a blob can be taken from, or None."""
        query = urlencode({"q": f"blob_digest={digest}", "page_size": 1})
        rows = _good_api(self._line.send("GET", f"{_API}/repositories?{query}")).json()
        return rows[0]["name"] if rows else None

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Delete a tag and nothing else; tell whether it was there.

        Raises:
            FarError: It was refused.
        """
        reply = self._line.send("DELETE", f"{_repository(repository)}/artifacts/{tag}/tags/{tag}")
        if reply.status == _NOT_FOUND:
            return False
        _good_api(reply)
        return True

    def _make_project(self, name: str, *, public: bool) -> None:
        document = {"project_name": name, "metadata": {"public": str(public).lower()}}
        headers = {"Content-Type": "application/json"}
        reply = self._line.send("POST", f"{_API}/projects", headers, json.dumps(document).encode())
        if reply.status != _CONFLICT:
            _good_api(reply)

    def _items(self, repository: str) -> list[Item]:
        path = f"{_repository(repository).removeprefix(_API)}/artifacts"
        rows = self._pages(path, with_label="true", with_accessory="true")
        return [item for row in rows for item in self._with_accessories(path, row)]

    def _with_accessories(self, path: str, row: Mapping[str, Any]) -> Iterator[Item]:
        item = Item(digest=row["digest"], tags=_names(row, "tags"), labels=_names(row, "labels"))
        yield item
        yield from self._accessories(path, row, item)
        for child in row.get("references") or ():
            reply = self._line.send(
                "GET", f"{_API}{path}/{child['child_digest']}?with_accessory=true"
            )
            yield from self._accessories(path, _good_api(reply).json(), item)

    def _accessories(self, path: str, row: Mapping[str, Any], parent: Item) -> Iterator[Item]:
        for accessory in row.get("accessories") or ():
            tags = self._pages(f"{path}/{accessory['digest']}/tags")
            yield Item(
                digest=accessory["digest"],
                tags=tuple(tag["name"] for tag in tags),
                labels=parent.labels,
                parent_tags=parent.tags,
                accessory=True,
            )

    def _pages(self, path: str, **query: str) -> Iterator[Any]:
        page, size = 0, 100
        rows: list[Any] = [None] * size
        while len(rows) == size:
            page += 1
            asked = urlencode({**query, "page": page, "page_size": size})
            rows = _good_api(self._line.send("GET", f"{_API}{path}?{asked}")).json() or []
            yield from rows


def _repository(name: str) -> str:
    """Return the path of a repository; its name is quoted twice (HARBOR-4)."""
    project, _, rest = name.partition("/")
    return f"{_API}/projects/{project}/repositories/{quote(quote(rest, safe=''), safe='')}"


def _names(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(each["name"] for each in row.get(key) or ())


def _good(reply: Reply) -> Reply:
    if reply.ok:
        return reply
    msg = f"http status code: {reply.status}, body: {_text(reply)}"
    raise FarError(msg, reply.status)


def _good_api(reply: Reply) -> Reply:
    if reply.ok:
        return reply
    msg = f"http error: code {reply.status}, message {_text(reply)}"
    raise FarError(msg, reply.status)


def _text(reply: Reply) -> str:
    return reply.body.decode("utf-8", "replace")


def _path(location: str) -> str:
    """Return the part of a URL that is sent in a request."""
    scheme, mark, rest = location.partition("://")
    return f"/{rest.partition('/')[2]}" if mark else scheme
