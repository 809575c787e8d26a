"""One connection to the embedded registry: reads requests, sends answers, spoils them if told.

Written by hand on sockets for two reasons: a test wants to cut, stall and lie at any byte,
and a benchmark wants a server that costs little. An answer's head and a small body leave in
one send; a large body is read from its file in blocks.
"""

from __future__ import annotations

import re
import socket
import struct
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NoReturn, cast

import attrs

from harborsync.secrets import MASK
from harborsync.testing import faults
from harborsync.testing.server_wire import Hangup, Request, RequestBody, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import BufferedReader

    from harborsync.clock import Clock
    from harborsync.testing.faults import Fault

_BLOCK: Final = 256 * 1024
_BUFFER: Final = 64 * 1024
_LONGEST_LINE: Final = 64 * 1024
#: A target may be a whole URL, as clients of proxies send it.
_ABSOLUTE: Final = re.compile(r"\Ahttps?://[^/]*", re.IGNORECASE)
_FIRST_LINE: Final = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.([01])\r?\n")
_BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
_LAST_CHUNK: Final = b"0\r\n\r\n"
_SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})


@attrs.frozen(kw_only=True)
class LoggedRequest:
    """One line of the access log.

    Attributes:
        method: The HTTP method.
        path: The decoded path.
        query: The query as sent, undecoded.
        status: The status answered; 0 if the connection ended before.
        connection: Number of the connection, from 1.
        headers: Header fields by lower-case name, secrets masked but for their scheme.
        bytes_in: Bytes of the request body read.
        bytes_out: Bytes of the response body sent.
    """

    method: str
    path: str
    query: str
    status: int
    connection: int
    headers: Mapping[str, str]
    bytes_in: int
    bytes_out: int


def _chunk(block: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(block), block)


def _head(response: Response, *, last: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if response.chunked:
        lines.append("Transfer-Encoding: chunked")
    elif response.status != HTTPStatus.NO_CONTENT and "Content-Length" not in response.headers:
        lines.append(f"Content-Length: {response.size}")
    if last:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _stays(request: Request) -> bool:
    return request.headers.get("connection", "").lower() != "close"


def _masked(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: _masked_value(name, value) for name, value in headers.items()}


def _masked_value(name: str, value: str) -> str:
    if name not in _SECRET_HEADERS:
        return value
    scheme, blank, _ = value.partition(" ")
    return f"{scheme} {MASK}" if blank and name != "cookie" else MASK


class _Note:
    """The line of a request in the access log, written once, before the client can look."""

    def __init__(self, log: Callable[[LoggedRequest], None], request: Request) -> None:
        self._log: Callable[[LoggedRequest], None] | None = log
        self._request = request
        self.status = 0
        self.sent = 0

    def write(self) -> None:
        """Write the line, unless it is written."""
        if self._log is None:
            return
        log, self._log = self._log, None
        request = self._request
        log(
            LoggedRequest(
                method=request.method,
                path=request.path,
                query=request.target.partition("?")[2],
                status=self.status,
                connection=request.connection,
                headers=_masked(request.headers),
                bytes_in=request.body.taken,
                bytes_out=self.sent,
            )
        )


class Connection:
    """Serves one client until it leaves, one request after the other."""

    def __init__(
        self,
        sock: socket.socket,
        number: int,
        *,
        answer: Callable[[Request, Fault], Response],
        fault_for: Callable[[Request], Fault | None],
        log: Callable[[LoggedRequest], None],
        clock: Clock,
        secure: bool = False,
    ) -> None:
        self._socket = sock
        self._number = number
        self._answer = answer
        self._fault_for = fault_for
        self._log = log
        self._clock = clock
        self._secure = secure
        self._stream = cast("BufferedReader", sock.makefile("rb", _BUFFER))

    def serve(self) -> None:
        """Answer requests until one side hangs up."""
        try:
            while self._serve_one():
                pass
        except Hangup as end:
            if end.reset:
                self._arm_reset()
        except OSError:
            pass  # the client left
        finally:
            self.close()

    def close(self) -> None:
        """End the connection."""
        with suppress(OSError):
            self._stream.close()
        self._socket.close()

    def _serve_one(self) -> bool:
        request = self._read_request()
        if request is None:
            return False
        noted = _Note(self._log, request)
        try:
            fault = self._fault_for(request) or faults.NONE
            response = self._respond(request, fault)
            noted.status = response.status
            drained = request.body.drain()
            last = not (drained and response.honest and _stays(request))
            self._send(request, response, fault, noted, last=last)
        finally:
            noted.write()
        if not drained:
            self._linger()
        return not last

    def _respond(self, request: Request, fault: Fault) -> Response:
        if fault.delay:
            self._clock.sleep(fault.delay)
        if fault.cut_request_after is not None:
            request.body.cut_after(fault.cut_request_after, reset=fault.reset)
        if fault.status is not None:
            return Response(status=fault.status, headers=fault.headers, body=fault.body)
        response = self._answer(request, fault)
        if fault is faults.NONE:
            return response
        headers = {**response.headers, **fault.headers}
        if fault.length_error:
            headers["Content-Length"] = str(max(0, response.size + fault.length_error))
        return attrs.evolve(response, headers=headers)

    def _send(
        self, request: Request, response: Response, fault: Fault, noted: _Note, *, last: bool
    ) -> None:
        if fault.lose_answer:
            raise Hangup(reset=fault.reset)
        head = _head(response, last=last)
        if request.method == "HEAD":
            noted.write()
            self._socket.sendall(head)
        elif not response.size:
            noted.write()
            self._socket.sendall(head + _LAST_CHUNK if response.chunked else head)
        else:
            self._send_body(head, response, fault, noted)
            self._stop(fault)

    def _send_body(self, head: bytes, response: Response, fault: Fault, noted: _Note) -> None:
        """Send head and body; what the client may see is in the log before its last byte."""
        stops = fault.stops_after
        size = response.size if stops is None else min(stops, response.size)
        for block in fault.spoil(response.blocks(), self._clock):
            noted.sent += len(block)
            if noted.sent >= size:
                noted.write()
            data = head + (_chunk(block) if response.chunked and block else block)
            self._socket.sendall(data)
            head = b""
        if response.chunked and fault.stops_after is None:
            self._socket.sendall(_LAST_CHUNK)

    def _stop(self, fault: Fault) -> None:
        """End an answer before its end, now or when the client has lost patience."""
        if fault.stops_after is None:
            return
        if fault.stall_after is not None:
            self._stream.read(1)
        raise Hangup(reset=fault.reset)

    def _linger(self) -> None:
        """Let the client finish what it sends, so that it finds our answer and not a reset."""
        socket.socket.shutdown(self._socket, socket.SHUT_WR)
        while self._stream.read1(_BLOCK):
            pass

    def _read_request(self) -> Request | None:
        found = self._read_first_line()
        if found is None:
            return None
        headers = self._read_headers()
        if found[3] == b"0":
            headers.setdefault("connection", "close")
        if not headers.get("content-length", "0").isdecimal():
            self._refuse()
        return Request(
            method=found[1].decode(),
            target=_ABSOLUTE.sub("", found[2].decode("latin-1")),
            headers=headers,
            body=self._body(headers),
            connection=self._number,
            secure=self._secure,
        )

    def _read_first_line(self) -> re.Match[bytes] | None:
        """Read method and target; who speaks something else, such as TLS, is told at once."""
        first = self._stream.peek(1)[:1]
        if not first:
            return None
        line = self._stream.readline(_LONGEST_LINE) if first.isalpha() else b""
        return _FIRST_LINE.fullmatch(line) or self._refuse()

    def _refuse(self) -> NoReturn:
        self._socket.sendall(_BAD_REQUEST)
        raise Hangup

    def _read_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        while line := self._stream.readline(_LONGEST_LINE).rstrip(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            key = name.lower()
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
        return headers

    def _body(self, headers: Mapping[str, str]) -> RequestBody:
        chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        length = headers.get("content-length", "0")
        proceed = self._proceed if headers.get("expect", "").lower() == "100-continue" else None
        return RequestBody(self._stream, None if chunked else int(length), proceed)

    def _proceed(self) -> None:
        self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _arm_reset(self) -> None:
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
