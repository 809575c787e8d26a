"""The metadata service of a cloud machine: the one place no registry may ever point us to.

It is asked by a transport of its own that can reach nothing else, so that the address policy
of the registries needs no exception.
"""

from __future__ import annotations

import http.client
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from harborsync.errors import InvalidValue
from harborsync.http.exchange import check_headers
from harborsync.http.faults import translated
from harborsync.http.urls import check_target
from harborsync.http.wire import ERROR_CAP, Answer, Headers

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Amazon, Google and most others.
LINK_LOCAL: Final = "169.254.169.254"
#: Amazon's container service.
ECS: Final = "169.254.170.2"
#: Alibaba Cloud.
ALIBABA: Final = "100.100.100.200"
#: Tencent Cloud, whose resolvers call it metadata.tencentyun.com (DataDog/datadog-agent).
TENCENT: Final = "169.254.0.23"


class MetadataTransport:
    """Speaks plain http with one fixed address, through no proxy and along no redirect.

    Safe to use from many threads; each request has a connection of its own.

    Args:
        address: The numeric address.
        port: Its port.
        timeout: Seconds for the connection and for each wait; short, since on a machine that
            has no such service nobody answers.

    Raises:
        InvalidValue: ``address`` is a name.
    """

    def __init__(self, address: str = LINK_LOCAL, port: int = 80, *, timeout: float = 2.0) -> None:
        try:
            ip_address(address)
        except ValueError as error:
            msg = f"{address[:100]!r} is no numeric address"
            raise InvalidValue(msg) from error
        self._address = address
        self._port = port
        self._timeout = timeout

    def ask(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer, whatever its status; at most 64 KiB of it.

        Raises:
            TransportError: Nobody answers, which is so on most machines.
        """
        fields = dict(headers or {})
        check_headers(fields)
        whom = f"http://{self._address}:{self._port}"
        return translated(partial(self._ask, method, check_target(path), fields), whom)

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(self._address, self._port, timeout=self._timeout)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return Answer(
                method=method,
                url=f"http://{self._address}:{self._port}{path}",
                status=response.status,
                headers=Headers(response.getheaders()),
                body=response.read(ERROR_CAP),
            )
        finally:
            connection.close()
