"""The way to a registry: every host that is involved, and what its door says."""

from __future__ import annotations

import socket
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.checking.remedies import finding_of
from harborsync.checking.values import Reach
from harborsync.clouds import nearer_host, recognise, recognise_challenge
from harborsync.errors import Cancelled, HarborsyncError
from harborsync.http.claims import challenge_of, realm_of
from harborsync.http.reach import Reached, Reaching
from harborsync.http.session import ask_how_to_log_in
from harborsync.http.urls import Origin
from harborsync.insight import Finding, Severity
from harborsync.limits import HostLimits

if TYPE_CHECKING:
    from datetime import datetime

    from harborsync.endpoint import Endpoint
    from harborsync.http.dial import Resolver
    from harborsync.http.wire import Answer
    from harborsync.provider import OpenContext

_SOON: Final = 30  # days before its end that a certificate is renewed in good time
#: Seconds that a clock may be off before somebody minds: tokens, then the signatures of clouds.
_SKEW_SHOWS, _SKEW_BREAKS = 60.0, 300.0
_NEARBY_TIMEOUT: Final = 2.0
_HARBOR: Final = "harbor-registry"  # the service that Harbor's challenge names (HARBOR §5)


class Way:
    """Goes to the hosts of one registry, and notes what it finds; one thread.

    Args:
        endpoint: The registry, its host spelt out.
        context: Clock, limits, policy.
        resolve: Looks names up.

    Attributes:
        hosts: The hosts so far.
        findings: What is wrong with them.
        answer: What the registry says to somebody without a login, or None if it was not reached.
        clock_skew: Seconds that our clock is ahead, or None.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        context: OpenContext,
        *,
        resolve: Resolver = socket.getaddrinfo,
    ) -> None:
        self._endpoint = endpoint
        self._context = context
        self._resolve = resolve
        self.home = f"http{'' if endpoint.plain_http else 's'}://{endpoint.host}"
        self._reaching = Reaching(endpoint, context, self.home, resolve=resolve)
        self.hosts: list[Reach] = []
        self.findings: list[Finding] = []
        self.answer: Answer | None = None
        self.clock_skew: float | None = None

    def go(self) -> None:
        """Go to the registry, and to the token server that it names."""
        if self.reach(self.home, "registry"):
            self._knock()
        realm = realm_of(self.answer) if self.answer is not None else None
        if realm is not None:
            self.reach(realm, "token server", named_by_home=True)

    def reach(self, origin: str, purpose: str, *, named_by_home: bool = False) -> bool:
        """Go to one host, and tell whether it can be spoken to.

        Raises:
            Cancelled: We are to stop.
        """
        self._context.cancel.check()
        reached = self._reaching.reach(origin, named_by_home=named_by_home)
        place = Origin.parse(origin)
        self._add(_reach(place, purpose, reached))
        if reached.fault is not None:
            self._note(finding_of(reached.fault), reached)
        elif reached.not_after is not None:
            self._look_at_end(place, reached.not_after)
        return reached.fault is None

    def _add(self, reach: Reach) -> None:
        """Add a host to the list; one that is there already gets a further purpose."""
        for number, each in enumerate(self.hosts):
            if (each.host, each.port) == (reach.host, reach.port):
                purposes = dict.fromkeys((*each.purpose.split(", "), reach.purpose))
                self.hosts[number] = attrs.evolve(each, purpose=", ".join(purposes))
                return
        self.hosts.append(reach)

    def look_nearer(self) -> str:
        """Return a host that serves the same inside the cloud's network, if this machine is there."""
        found = recognise(self._endpoint.host)
        nearer = nearer_host(found) if found is not None else None
        if nearer is None:
            return ""
        limits = attrs.evolve(HostLimits(), connect_timeout=_NEARBY_TIMEOUT)
        context = attrs.evolve(self._context, limits=limits)
        reaching = Reaching(self._endpoint, context, self.home, resolve=self._resolve)
        reached = reaching.reach(f"https://{nearer}")
        if reached.fault is not None:
            return ""
        what = f"{nearer} serves the same inside the cloud's network, and is reached from here"
        remedy = "use it: it is nearer, and its traffic mostly not billed"
        self.findings.append(Finding(severity=Severity.NOTE, what=what, remedy=remedy))
        return nearer

    def _note(self, finding: Finding, reached: Reached) -> None:
        if reached.issuer:
            finding = attrs.evolve(finding, what=f"{finding.what}; it is by {reached.issuer}")
        self.findings.append(finding)

    def _look_at_end(self, place: Origin, end: datetime) -> None:
        days = (end - self._context.clock.now()).days
        if days < _SOON:
            what = f"the certificate of {place.netloc} ends in {days} days"
            remedy = "have it renewed before"
            self.findings.append(Finding(severity=Severity.WARNING, what=what, remedy=remedy))

    def _knock(self) -> None:
        asked = self._context.clock.now()
        try:
            self.answer = ask_how_to_log_in(self._endpoint, self._context)
        except Cancelled:
            raise
        except HarborsyncError as error:
            self.findings.append(finding_of(error))
            return
        middle = asked + (self._context.clock.now() - asked) / 2
        said = _date(self.answer)
        if said is not None:
            self.clock_skew = (middle - said).total_seconds()
            self._judge_clock(abs(self.clock_skew))
        self._recognise_door(self.answer)

    def _judge_clock(self, off: float) -> None:
        if off <= _SKEW_SHOWS:
            return
        severity = Severity.ERROR if off > _SKEW_BREAKS else Severity.WARNING
        what = f"this machine's clock is {off:.0f} s away from that of {self._endpoint.host}"
        remedy = "set it by NTP: signed requests and tokens go by it"
        self.findings.append(Finding(severity=severity, what=what, remedy=remedy))

    def _recognise_door(self, answer: Answer) -> None:
        """Say whose registry it is, where the host's name does not tell and the door does."""
        host = self._endpoint.host
        challenge = challenge_of(answer)
        if self._endpoint.provider not in _PLAIN or recognise(host) or challenge is None:
            return
        cloud = recognise_challenge(host, [challenge.service])
        name = "harbor" if challenge.service == _HARBOR else cloud.provider if cloud else ""
        if name:
            what = f"behind {host} is a registry of the kind {name}"
            word = f"{name}+http" if self._endpoint.plain_http else name
            remedy = f"write {word}://{self._endpoint.address}: it is listed in fewer requests"
            self.findings.append(Finding(severity=Severity.NOTE, what=what, remedy=remedy))


_PLAIN: Final = frozenset({"auto", "registry"})


def _reach(place: Origin, purpose: str, reached: Reached) -> Reach:
    return Reach(
        host=place.host,
        port=place.port,
        purpose=purpose,
        ok=reached.fault is None,
        address=reached.address,
        round_trip=reached.seconds,
        tls=reached.tls,
        issuer=reached.issuer,
        not_after=reached.not_after,
    )


def _date(answer: Answer) -> datetime | None:
    try:
        said = parsedate_to_datetime(answer.headers.get("Date"))
    except ValueError:
        return None
    return said if said.tzinfo is not None else None
