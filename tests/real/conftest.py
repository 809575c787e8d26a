"""Real programs for the tests marked `real`: see `make real-servers`.

    def test_skopeo_reads_what_we_wrote(program, docker_registry):
        registry = docker_registry()
        subprocess.run([program("skopeo"), "inspect", ..., f"docker://{registry.host}/a:v1"])
        assert ("GET", "/v2/a/manifests/v1", 200) in registry.requests()

``docker_registry`` and ``distribution3`` are factories: a test may start several, and all of
them end with the test.
"""

from __future__ import annotations

import http.client
import itertools
import os
import re
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

from harborsync.endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

_BIN = Path(__file__).parents[2] / ".real" / "bin"
_PATIENCE = 30.0  # seconds; only ever spent when a program is broken

_CONFIG = """\
version: 0.1
log: {{level: info, fields: {{service: registry}}, accesslog: {{disabled: false}}}}
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: {delete}}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http:
  addr: 127.0.0.1:0
{more}
"""


class Program(Protocol):
    """Finds a real program."""

    def __call__(self, name: str, /) -> str:
        """Return the path of the program, or skip the test."""
        ...


class Request(NamedTuple):
    """A line of an access log."""

    method: str
    path: str
    status: int


class Lines:
    """The lines a program writes, as they come; can be waited for."""

    def __init__(self, stream: Iterator[str]) -> None:
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._ended = False
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: Iterator[str]) -> None:
        for line in stream:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def all(self) -> tuple[str, ...]:
        """Return what was written so far."""
        with self._changed:
            return tuple(self._lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the first match of ``pattern`` in any line, as soon as there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._find(pattern), _PATIENCE)
            found = self._find(pattern)
            assert found, f"no {pattern!r} in:\n" + "\n".join(self._lines)
            return found

    def _find(self, pattern: str) -> re.Match[str] | None:
        return next((m for line in self._lines if (m := re.search(pattern, line))), None)


class RealRegistry:
    """A registry program that listens on a free port of the loopback address."""

    def __init__(self, command: list[str], root: Path) -> None:
        self.root = root
        self._marks = itertools.count(1)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
        )
        assert self._process.stdout
        assert self._process.stderr
        self.access_log = Lines(self._process.stdout)
        self.log = Lines(self._process.stderr)
        try:
            self.host = self.log.wait_for(r"listening on (127\.0\.0\.1:\d+)")[1]
        except BaseException:
            self.stop()
            raise

    @property
    def endpoint(self) -> Endpoint:
        """The registry's endpoint."""
        return Endpoint.parse(f"registry+http://{self.host}")

    def requests(self) -> tuple[Request, ...]:
        """Return every request answered so far, in the order in which they ended."""
        mark = f"/v2/?mark={next(self._marks)}"
        connection = http.client.HTTPConnection(self.host, timeout=_PATIENCE)
        connection.request("GET", mark)
        connection.getresponse().read()
        connection.close()
        self.access_log.wait_for(re.escape(f'"GET {mark} HTTP'))
        parsed = (
            re.search(r'"([A-Z]+) (\S+) HTTP/[\d.]+" (\d{3}) ', line)
            for line in self.access_log.all()
        )
        found = (Request(m[1], m[2], int(m[3])) for m in parsed if m)
        return tuple(r for r in found if not r.path.startswith("/v2/?mark="))

    def stop(self) -> None:
        """End the program."""
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()


class StartRegistry(Protocol):
    """Starts a registry program."""

    def __call__(self, *, delete: bool = True, more: str = "") -> RealRegistry:
        """Start one; ``more`` is YAML added to its configuration."""
        ...


def _find(name: str) -> str:
    path = _BIN / name
    if path.exists():
        return str(path)
    message = f"the program {name} is not there: run `make real-servers`"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def _starter(name: str, tmp_path: Path, started: list[RealRegistry]) -> StartRegistry:
    def start(*, delete: bool = True, more: str = "") -> RealRegistry:
        root = tmp_path / f"{name}-{len(started)}"
        root.mkdir()
        config = root / "config.yml"
        text = _CONFIG.format(root=root / "store", delete=str(delete).lower(), more=more)
        config.write_text(text)
        registry = RealRegistry([_find(name), "serve", str(config)], root)
        started.append(registry)
        return registry

    return start


@pytest.fixture
def program() -> Program:
    """Find a real program by its name, or skip the test; under CI=true a lack is a failure."""
    return _find


@pytest.fixture
def running() -> Iterator[list[RealRegistry]]:
    """Hold what was started, and end it after the test."""
    started: list[RealRegistry] = []
    yield started
    for registry in started:
        registry.stop()


@pytest.fixture
def docker_registry(tmp_path: Path, running: list[RealRegistry]) -> StartRegistry:
    """Start Debian's docker-registry 2.8.2, as often as called."""
    return _starter("docker-registry", tmp_path, running)


@pytest.fixture
def distribution3(tmp_path: Path, running: list[RealRegistry]) -> StartRegistry:
    """Start distribution 3, as often as called."""
    return _starter("registry", tmp_path, running)
