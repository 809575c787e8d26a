"""A layer of ten gigabytes: what the process that copies it weighs.

Neither end keeps anything: the source makes up zeros, the destination throws away what it gets.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from harborsync.content import EMPTY, EMPTY_CONTENT, OCI_MANIFEST
from harborsync.reference import Digest

pytestmark = pytest.mark.slow

GIB = 2**30
MOST_MIB = 120
BLOCK = bytes(2**20)
ZEROS = {
    GIB: "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14",
    10 * GIB: "732377e7f4a2abdc13ddfa1eb4c9c497fd2a2b294674d056cf51581b47dd586d",
}

PROGRAM = """
import json, sys
from harborsync import ReplicationRule, Replicator
from harborsync.http.session import open_transport
from harborsync.provider import OpenContext
from harborsync.registries.distribution import DistributionRegistry
from harborsync.registry import Quirks

source, destination, quirks = sys.argv[1:]
rule = ReplicationRule(name="huge", source=source, destinations=destination, where="name is 'a/b'")

def opener(endpoint):
    context = OpenContext()
    quirk = Quirks(**json.loads(quirks))
    transport = open_transport(endpoint, context)
    return DistributionRegistry(endpoint.host, transport, context, quirks=quirk)

with Replicator([rule], opener=opener) as replicator:
    report = replicator.run().raise_for_failures()
# getrusage would tell the peak of the process that started this one, too.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = int(status["VmHWM"].split()[0]) // 1024
print(json.dumps({"sent": report.bytes_sent, "peak": peak}))
"""


class Nowhere(ThreadingHTTPServer):
    """A registry that makes up one image, whose layer is all zeros, and forgets what it is sent.

    Args:
        size: Bytes of the layer.
        tags: What is listed: one tag at the source, none at the destination.
    """

    daemon_threads = True

    def __init__(self, size: int, *tags: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tags = json.dumps({"name": "a/b", "tags": tags}).encode()
        self.layer = f"sha256:{ZEROS[size]}"
        self.size = size
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": EMPTY.to_json(),
            "layers": [{"mediaType": "x/zeros", "digest": self.layer, "size": size}],
        }
        self.manifest = json.dumps(document).encode()
        self.bodies: list[tuple[str, int]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """Where it is."""
        return f"registry+http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Nowhere
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """Have nothing yet."""
        self._say(404)

    def do_GET(self) -> None:
        if self.path.endswith(self.server.layer):
            self._say(200, length=self.server.size)
            for _ in range(self.server.size // len(BLOCK)):
                self.wfile.write(BLOCK)
        elif "/manifests/" in self.path:
            digest = str(Digest.of(self.server.manifest))
            self._say(200, self.server.manifest, digest=digest)
        elif "/blobs/" in self.path:
            self._say(200, EMPTY_CONTENT)
        elif "/tags/" in self.path:
            self._say(200, self.server.tags)
        else:
            self._say(404)

    def do_POST(self) -> None:
        self._say(202, location="/v2/a/b/blobs/uploads/1")

    def do_PUT(self) -> None:
        self._swallow()
        self._say(201)

    def do_PATCH(self) -> None:
        self._swallow()
        self._say(202, location="/v2/a/b/blobs/uploads/1")

    def _swallow(self) -> None:
        left, space = int(self.headers["Content-Length"]), bytearray(len(BLOCK))
        self.server.bodies.append((self.command, left))
        while left:
            left -= self.rfile.readinto(memoryview(space)[: min(left, len(space))])

    def _say(
        self,
        status: int,
        body: bytes = b"",
        *,
        length: int = 0,
        digest: str = "",
        location: str = "",
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(body)))
        self.send_header("Content-Type", OCI_MANIFEST)
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        if location:
            self.send_header("Location", location)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("size", "quirks", "pieces"),
    [
        (10 * GIB, {}, 0),
        (GIB, {"upload": "chunked", "chunk_bytes": 2**20, "max_chunks": 8}, 8),
        (GIB, {"upload": "chunked", "chunk_bytes": 2**20, "min_chunk_bytes": 256 * 2**20}, 4),
    ],
    ids=["in one request", "in few pieces", "in long pieces"],
)
def test_a_huge_layer_weighs_little(size: int, quirks: dict[str, Any], pieces: int) -> None:
    """Whatever its length and that of its pieces, less than 120 MiB."""
    with Nowhere(size, "v1") as source, Nowhere(size) as destination:
        command = [sys.executable, "-c", PROGRAM, source.endpoint, destination.endpoint]
        done = subprocess.run(
            [*command, json.dumps(quirks)],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    said = json.loads(done.stdout)
    print(f"peak: {said['peak']} MiB for {size // GIB} GiB, {pieces or 1} pieces")
    of_layer = [
        method for method, length in destination.bodies if length > len(destination.manifest)
    ]
    assert of_layer == (["PATCH"] * pieces or ["PUT"])
    assert said["sent"] == size + EMPTY.size
    assert said["peak"] <= MOST_MIB
