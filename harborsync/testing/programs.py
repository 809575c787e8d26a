"""Real registry programs, started on a free port of the loopback address and ended again.

For tests and benchmarks that want a server nobody here wrote: Debian's ``docker-registry`` and
the ``registry`` of distribution 3 take the same configuration.
"""

from __future__ import annotations

import http.client
import itertools
import os
import re
import subprocess
import threading
from typing import TYPE_CHECKING, NamedTuple

from harborsync.endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

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


class Request(NamedTuple):
    """A line of an access log."""

    method: str
    path: str
    status: int


class Lines:
    """The lines a program writes, as they come; can be waited for."""

    def __init__(self, stream: Iterable[str]) -> None:
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._ended = False
        self._reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Wait until the program has said its last word."""
        self._reader.join(_PATIENCE)

    def _read(self, stream: Iterable[str]) -> None:
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
            if found is None:
                msg = f"no {pattern!r} in:\n" + "\n".join(self._lines)
                raise LookupError(msg)
            return found

    def _find(self, pattern: str) -> re.Match[str] | None:
        return next((m for line in self._lines if (m := re.search(pattern, line))), None)


class RealRegistry:
    """A registry program that listens on a free port of the loopback address.

    Args:
        program: Path of the program.
        root: A folder for its configuration and its store.
        delete: Whether it lets manifests and blobs be deleted.
        more: YAML added to its configuration.
    """

    def __init__(self, program: str, root: Path, *, delete: bool = True, more: str = "") -> None:
        self.root = root
        config = root / "config.yml"
        config.write_text(
            _CONFIG.format(root=root / "store", delete=str(delete).lower(), more=more)
        )
        self._marks = itertools.count(1)
        self._process = subprocess.Popen(  # noqa: S603 - the caller's own program
            [program, "serve", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
        )
        self.access_log = Lines(self._process.stdout or ())
        self.log = Lines(self._process.stderr or ())
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
        for lines in (self.access_log, self.log):
            lines.close()
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()
