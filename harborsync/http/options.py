"""The options of an endpoint that concern the cable, read once and checked."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from harborsync.errors import InvalidReference, InvalidValue
from harborsync.http.proxies import Proxies
from harborsync.http.tls import TlsIdentity
from harborsync.reference import check_host
from harborsync.units import Duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harborsync.endpoint import Endpoint
    from harborsync.limits import HostLimits

#: The options read here; a provider may read others.
NAMES: Final = frozenset(
    {
        "ca",
        "cert",
        "key",
        "insecure",
        "proxy",
        "trusted_hosts",
        "trusted_realms",
        "connections",
        "large",
        "timeouts",
        "redirects",
    }
)
_TIMEOUTS: Final = {
    "connect": "connect_timeout",
    "first_byte": "first_byte_timeout",
    "patient": "patient_timeout",
    "idle": "idle_timeout",
}
_FOLLOW_REFUSE: Final = {"follow": True, "refuse": False}
_NO_YES: Final = {"false": False, "true": True}


@attrs.frozen(kw_only=True)
class CableOptions:
    """How the cable to one endpoint is laid.

    Attributes:
        tls: Who we trust and who we are.
        proxies: Which proxy to go through; none unless the user says so.
        trusted_hosts: Hosts the registry may point to although they are private or loopback, and
            may have uploads sent to.
        trusted_realms: Hosts whose token server may be given the credentials.
        limits: Connections and timeouts.
        goes_elsewhere: Whether reading follows a redirect to another host, such as a CDN or an
            object store.
    """

    tls: TlsIdentity
    proxies: Proxies
    trusted_hosts: tuple[str, ...]
    trusted_realms: tuple[str, ...]
    limits: HostLimits
    goes_elsewhere: bool = True

    @classmethod
    def of(
        cls, endpoint: Endpoint, limits: HostLimits, environment: Mapping[str, str] | None = None
    ) -> Self:
        """Read the options of ``endpoint``, which win over ``limits``.

        Args:
            endpoint: Whose options.
            limits: What holds where the endpoint says nothing.
            environment: Where ``proxy=env`` looks; the process's own if None.

        Raises:
            InvalidValue: An option cannot be read.
        """
        options = endpoint.options
        return cls(
            tls=_tls(options),
            proxies=_proxies(options.get("proxy", "none"), environment),
            trusted_hosts=_hosts(options, "trusted_hosts"),
            trusted_realms=_hosts(options, "trusted_realms"),
            limits=_limits(options, limits),
            goes_elsewhere=_flag(options, "redirects", _FOLLOW_REFUSE),
        )


def check_names(endpoint: Endpoint, further: Iterable[str] = ()) -> None:
    """Refuse options that nobody reads: they are misspelt, and would be missed in silence.

    Args:
        endpoint: Whose options.
        further: Those that its provider reads itself.

    Raises:
        InvalidValue: There is one.
    """
    known = NAMES.union(further)
    unknown = sorted(endpoint.options.keys() - known)
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, n=1)
        msg = f"the endpoint for {endpoint.address} has the unknown option {unknown[0]!r}"
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
        raise InvalidValue(msg, hint=hint)


def _tls(options: Mapping[str, str]) -> TlsIdentity:
    if "key" in options and "cert" not in options:
        msg = "the option key names the key of a client certificate, and there is none"
        raise InvalidValue(msg, hint="add cert=PATH")
    return TlsIdentity(
        ca=options.get("ca"),
        cert=options.get("cert"),
        key=options.get("key"),
        insecure=_flag(options, "insecure"),
    )


def _flag(options: Mapping[str, str], name: str, words: Mapping[str, bool] = _NO_YES) -> bool:
    """Return what a word stands for; without the option it is the first of ``words``."""
    text = options.get(name, next(iter(words)))
    if text not in words:
        raise _malformed(name, text, f"write {' or '.join(words)}")
    return words[text]


def _proxies(text: str, environment: Mapping[str, str] | None) -> Proxies:
    if text == "none":
        return Proxies()
    if text == "env":
        return Proxies.from_environment(os.environ if environment is None else environment)
    if "@" in text:
        msg = "the option proxy holds a user name or password"
        raise InvalidValue(msg, hint="write proxy=env and put the URL into HTTPS_PROXY")
    return Proxies.all_through(text)


def _hosts(options: Mapping[str, str], name: str) -> tuple[str, ...]:
    text = options.get(name, "")
    hosts = tuple(host.strip().lower() for host in text.split(",") if host.strip())
    for host in hosts:
        try:
            check_host(host)
        except InvalidReference as error:
            raise _malformed(name, text, "write hosts without ports, with commas") from error
    return tuple(host.strip("[]") for host in hosts)


def _limits(options: Mapping[str, str], limits: HostLimits) -> HostLimits:
    connections = _number(options, "connections", limits.connections)
    large = _number(options, "large", min(limits.large, max(2, connections - 1)))
    timeouts = _timeouts(options, "timeouts")
    try:
        sized = attrs.evolve(limits, connections=connections, large=large)
        return attrs.evolve(sized, **timeouts)
    except ValueError as error:
        msg = f"the options connections, large and timeouts cannot be so: {error.args[0]}"
        raise InvalidValue(
            msg, hint="large is at least 2 and less than connections, a timeout more than 0s"
        ) from error


def _number(options: Mapping[str, str], name: str, otherwise: int) -> int:
    text = options.get(name)
    if text is None:
        return otherwise
    if not text.isascii() or not text.isdigit():
        raise _malformed(name, text, "write a whole number")
    return int(text)


def _timeouts(options: Mapping[str, str], option: str) -> dict[str, Any]:
    text = options.get(option, "")
    found = {}
    for part in filter(None, text.split(",")):
        name, _, span = part.partition(":")
        if name not in _TIMEOUTS:
            hint = "write it like connect:5s,idle:2m; there are also first_byte and patient"
            raise _malformed(option, text, hint)
        found[_TIMEOUTS[name]] = Duration.parse(span).seconds
    return found


def _malformed(name: str, text: str, hint: str) -> InvalidValue:
    return InvalidValue(f"the option {name} cannot be {text[:100]!r}", hint=hint)
