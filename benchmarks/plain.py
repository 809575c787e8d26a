"""The floor to be measured against: a copier on plain sockets that can do nothing else.

python -m benchmarks.plain cold|unchanged SOURCE DESTINATION THREADS

It keeps connections, hashes what it carries, sends each blob once to the registry and mounts it
elsewhere. It knows no login, TLS, redirect, filter, retry or cancelling, and believes lengths.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.meter import measured

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

_BLOCK = 1024 * 1024
_ACCEPT = (
    "Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json\r\n"
)


class BrokenError(Exception):
    """Something that cannot be copied, or is not as it should be."""


class Answer(NamedTuple):
    """A status, the header fields by their lower-case names, and a body unless it is streamed."""

    status: int
    fields: dict[str, str]
    body: bytes = b""

    @property
    def upload(self) -> str:
        """Path and query of the upload session that was opened."""
        location = self.fields["location"]
        path = location.partition("://")[2].partition("/")[2]
        return f"/{path}" if path else location


class Connection:
    """A connection that is kept; one thread uses it.

    Args:
        host: ``address:port``.
    """

    def __init__(self, host: str) -> None:
        address, _, port = host.rpartition(":")
        self._host = host
        self._socket = socket.create_connection((address, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._block = memoryview(bytearray(_BLOCK))
        self._ahead = b""

    def request(self, method: str, path: str, fields: str = "", body: bytes = b"") -> Answer:
        """Send a small request and read all of the answer."""
        self.send(method, path, fields, len(body), body)
        return self.receive(method)

    def send(
        self, method: str, path: str, fields: str = "", length: int = 0, body: bytes = b""
    ) -> None:
        """Send a request's head, and its body as far as that is given here."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n{fields}"
        if method in {"POST", "PUT"}:
            head += f"Content-Length: {length}\r\n"
        self._socket.sendall(f"{head}\r\n".encode() + body)

    def send_block(self, block: memoryview) -> None:
        """Send more of a request's body."""
        self._socket.sendall(block)

    def receive(self, method: str) -> Answer:
        """Read an answer to its end."""
        answer = self.receive_head()
        if method == "HEAD":
            return answer
        if "transfer-encoding" in answer.fields:
            return answer._replace(body=b"".join(self._chunks()))
        body = self._exactly(int(answer.fields.get("content-length", 0)))
        return answer._replace(body=body)

    def receive_head(self) -> Answer:
        """Read an answer's head; a status that is none of success is a failure."""
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        fields = (line.partition(": ") for line in lines)
        answer = Answer(int(first[9:12]), {name.lower(): value for name, _, value in fields})
        if answer.status >= 300:
            msg = f"{self._host}: {first} {answer.fields}"
            raise BrokenError(msg)
        return answer

    def blocks(self, length: int) -> Iterator[memoryview]:
        """Yield an answer's body; each block is good until the next one."""
        ahead, self._ahead = self._ahead, b""
        if ahead:
            yield memoryview(ahead)
        left = length - len(ahead)
        while left:
            count = self._socket.recv_into(self._block, min(left, _BLOCK))
            left -= count
            yield self._block[:count]

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._until(b"\r\n"), 16):
            yield self._exactly(size)
            self._until(b"\r\n")
        self._until(b"\r\n")

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._ahead:
            self._fill()
        found, _, self._ahead = self._ahead.partition(mark)
        return found

    def _exactly(self, count: int) -> bytes:
        while len(self._ahead) < count:
            self._fill()
        found, self._ahead = self._ahead[:count], self._ahead[count:]
        return found

    def _fill(self) -> None:
        piece = self._socket.recv(64 * 1024)
        if not piece:
            msg = f"{self._host} hung up"
            raise BrokenError(msg)
        self._ahead += piece


class Once:
    """Does each piece of work once; who comes later waits until it is done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[Hashable, threading.Event] = {}

    def do(self, key: Hashable, work: Callable[[], None]) -> bool:
        """Do the work, or wait for it; tells whether it was done here."""
        mine = threading.Event()
        with self._lock:
            begun = self._begun.setdefault(key, mine)
        if begun is not mine:
            begun.wait()
            return False
        work()
        mine.set()
        return True


class Copier:
    """What one thread does; all threads share ``once`` and ``homes``.

    Args:
        source: Where from.
        destination: Where to.
        once: What is done, or being done.
        homes: By digest, the repository that got the bytes of a blob.
    """

    def __init__(self, source: str, destination: str, once: Once, homes: dict[str, str]) -> None:
        self._source = Connection(source)
        self._destination = Connection(destination)
        self._once = once
        self._homes = homes

    def copy(self, repository: str, reference: str) -> None:
        """Bring over what a tag points to, or a digest."""
        path = f"/v2/{repository}/manifests/{reference}"
        manifest = self._source.request("GET", path, _ACCEPT)
        digest = manifest.fields["docker-content-digest"]
        self._once.do((repository, digest), lambda: self._content(repository, manifest.body))
        kind = f"Content-Type: {manifest.fields['content-type']}\r\n"
        self._destination.request("PUT", path, kind, manifest.body)

    def compare(self, repository: str, tag: str) -> None:
        """Look a tag up at both ends; a difference is a failure."""
        path = f"/v2/{repository}/manifests/{tag}"
        ends = (self._source, self._destination)
        here, there = (
            end.request("HEAD", path, _ACCEPT).fields["docker-content-digest"] for end in ends
        )
        if here != there:
            msg = f"{repository}:{tag} differs"
            raise BrokenError(msg)

    def _content(self, repository: str, raw: bytes) -> None:
        document = json.loads(raw)
        for child in document.get("manifests", ()):
            self.copy(repository, child["digest"])
        for blob in (document.get("config"), *document.get("layers", ())):
            if blob is not None:
                self._blob(repository, blob)

    def _blob(self, repository: str, blob: dict[str, Any]) -> None:
        digest = blob["digest"]
        self._once.do((repository, digest), lambda: self._carry_or_mount(repository, digest))

    def _carry_or_mount(self, repository: str, digest: str) -> None:
        if not self._once.do(digest, lambda: self._carry(repository, digest)):
            query = f"mount={digest}&from={self._homes[digest]}"
            self._destination.request("POST", f"/v2/{repository}/blobs/uploads/?{query}")

    def _carry(self, repository: str, digest: str) -> None:
        self._source.send("GET", f"/v2/{repository}/blobs/{digest}")
        size = int(self._source.receive_head().fields["content-length"])
        upload = self._destination.request("POST", f"/v2/{repository}/blobs/uploads/").upload
        mark = "&" if "?" in upload else "?"
        kind = "Content-Type: application/octet-stream\r\n"
        self._destination.send("PUT", f"{upload}{mark}digest={digest}", kind, size)
        hashed = hashlib.sha256()
        for block in self._source.blocks(size):
            hashed.update(block)
            self._destination.send_block(block)
        self._destination.receive("PUT")
        if f"sha256:{hashed.hexdigest()}" != digest:
            msg = f"{digest} has other bytes"
            raise BrokenError(msg)
        self._homes[digest] = repository


def tags_of(host: str) -> Iterator[tuple[str, str]]:
    """Yield every tag of every repository."""
    connection = Connection(host)
    catalog = json.loads(connection.request("GET", "/v2/_catalog?n=1000").body)
    for repository in catalog["repositories"]:
        tags = json.loads(connection.request("GET", f"/v2/{repository}/tags/list").body)
        yield from ((repository, tag) for tag in tags["tags"])


def main(mode: str, source: str, destination: str, threads: int) -> None:
    """Copy or compare every tag."""
    once, homes = Once(), dict[str, str]()
    threading.excepthook = _end

    def work() -> None:
        copier = Copier(source, destination, once, homes)
        do = copier.copy if mode == "cold" else copier.compare
        for repository, tag in tags:  # one iterator for all threads
            do(repository, tag)

    with measured():
        tags = iter(list(tags_of(source)))
        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


def _end(failed: threading.ExceptHookArgs) -> None:
    """End the process with the first thread that fails; others may be waiting for it."""
    traceback.print_exception(failed.exc_value)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
