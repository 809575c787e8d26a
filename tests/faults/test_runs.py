"""Whole runs over what can go wrong: what arrives, what does not, and what the report says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync import Options
from harborsync.errors import Side
from harborsync.report import Outcome
from harborsync.retry import RetryPolicy
from harborsync.testing import faults
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from tests.faults.conftest import MakeWay, Way

MIB = 2**20
LARGE, SMALL = random_image(1, layers=1, layer_bytes=3 * MIB), random_image(2)
BIG = LARGE.blobs[-1].descriptor.digest
APP = "/v2/team/app/"
BLOBS = APP + "blobs/sha256:"


def always(method: str, path: str, fault: faults.Fault) -> tuple[faults.Cue, ...]:
    """Let a fault happen to every such request."""
    return (faults.on(method, path, fault, times=None),)


def is_untouched(way: Way) -> bool:
    """Tell whether nothing of the one that failed is at the destination, and the other is."""
    blobs = way.destination.storage.blobs("team/app")
    return (way.arrived("app"), bool(blobs)) == (None, False) and way.arrived("other") is not None


SPOILT_BLOBS = {
    "damaged": (faults.corrupt(10), "DigestMismatch", "has the digest"),
    "too long": (faults.wrong_length(5), "SizeMismatch", "should have"),
    "too short": (faults.wrong_length(-5), "SizeMismatch", "should have"),
    "a page": (faults.html_page(200), "SizeMismatch", "should have"),
    "an error page": (faults.html_page(502), "ServerError", "status 502"),
    "cut for ever": (faults.cut_response(100), "ConnectionLost", "broke off"),
    "gone": (faults.status(404), "NotFound", "cannot read blob"),
    "dripping": (faults.drip(1, 9.0), "Timeout", "bytes came in"),
    "at a dead host": (faults.redirect("http://127.0.0.1:1/?sig=SECRET"), "ConnectFailed", ":1"),
    "at a forbidden one": (
        faults.redirect("http://169.254.169.254/?sig=SECRET"),
        "AddressRefused",
        "never connected to",
    ),
    "in a circle": (faults.redirect(f"{APP}blobs/{BIG}"), "AddressRefused", "in a circle"),
}


@pytest.mark.parametrize(("fault", "kind", "words"), SPOILT_BLOBS.values(), ids=SPOILT_BLOBS)
def test_a_spoilt_blob_fails_its_artifact_and_leaves_nothing(
    make_way: MakeWay, fault: faults.Fault, kind: str, words: str
) -> None:
    """The report names the source and what is wrong; every other artifact arrives."""
    way = make_way(source=always("GET", f"{APP}blobs/{BIG}", fault))
    way.seed(app=LARGE, other=SMALL)
    report = way.run()
    assert report.outcomes == (("copied", 1), ("failed", 1))
    failure = report.failed[0].failure
    assert failure is not None
    assert (failure.kind, failure.side) == (kind, Side.SOURCE)
    assert words in failure.message
    assert "team/app:v1" in failure.message
    assert "SECRET" not in report.to_json()
    assert str(BIG) not in way.destination.storage.blobs("team/app")
    assert way.arrived("app") is None
    assert way.arrived("other") == str(SMALL.digest)


SPOILT_LISTS = {
    "a page for tags": ("GET", APP + "tags/list", faults.html_page(200)),
    "a page for a manifest": ("*", APP + "manifests/", faults.html_page(200)),
    "a damaged manifest": ("GET", APP + "manifests/", faults.corrupt(10)),
    "another digest": ("*", APP + "manifests/", faults.lying_digest()),
    "an error for ever": ("*", APP, faults.status(500)),
}


@pytest.mark.parametrize(("method", "path", "fault"), SPOILT_LISTS.values(), ids=SPOILT_LISTS)
def test_what_cannot_be_planned_is_named_and_stops_nothing_else(
    make_way: MakeWay, method: str, path: str, fault: faults.Fault
) -> None:
    """The report has a failure of the source for it, and the rest is copied."""
    way = make_way(source=always(method, path, fault))
    way.seed(app=LARGE, other=SMALL)
    report = way.run()
    assert report.outcomes == (("copied", 1),)
    assert [each.failure.side for each in report.unplanned] == [Side.SOURCE]
    assert "team/app" in report.unplanned[0].what
    assert not report.ok
    assert is_untouched(way)


@pytest.mark.parametrize("path", [APP + "tags/list", "/v2/_catalog"])
def test_lists_without_end_end(make_way: MakeWay, path: str) -> None:
    """A next page that was seen is none (OCI-5.3)."""
    way = make_way(source=always("GET", path, faults.endless_pages(f"{path}?n=1000&again=1")))
    way.seed(app=LARGE, other=SMALL)
    assert way.run().outcomes == (("copied", 2),)


BAD_DESTINATIONS = {
    "stores another blob": ("PUT", APP + "blobs/", faults.lying_digest(), "stored sha256:0000"),
    "a page for a session": ("POST", APP + "blobs/", faults.html_page(200), "open an upload"),
    "a page for a commit": ("PUT", APP + "blobs/", faults.html_page(200), "blob unknown"),
    "a page for a manifest": ("PUT", APP + "manifests/", faults.html_page(200), "does not have it"),
    "sent elsewhere": (
        "POST",
        APP + "blobs/",
        faults.redirect("http://127.0.0.1:1/"),
        "status 307",
    ),
    "forgets uploads": ("PUT", APP + "blobs/", faults.vanish_uploads(), "BLOB_UPLOAD_UNKNOWN"),
    "never says a word": ("PUT", APP + "manifests/", faults.cut_request(0), "without an answer"),
}


@pytest.mark.parametrize(
    ("method", "path", "fault", "words"), BAD_DESTINATIONS.values(), ids=BAD_DESTINATIONS
)
def test_a_destination_that_fails_is_named_and_gets_no_tag(
    make_way: MakeWay, method: str, path: str, fault: faults.Fault, words: str
) -> None:
    """Whatever it pretends; the tries come to an end, and the others arrive."""
    way = make_way(destination=always(method, path, fault))
    way.seed(app=LARGE, other=SMALL)
    # One after the other: a server that forgets uploads forgets those of everybody.
    report = way.run(options=Options(artifacts_at_once=1))
    assert report.outcomes == (("copied", 1), ("failed", 1))
    failure = report.failed[0].failure
    assert failure is not None
    assert failure.side == Side.DESTINATION
    assert words in failure.message
    assert way.arrived("app") is None
    assert way.arrived("other") == str(SMALL.digest)
    assert len(way.destination.requests) < 100


def test_sessions_that_vanish_are_opened_anew(make_way: MakeWay) -> None:
    """Also twice in a row (OCI-4.18)."""
    way = make_way(destination=(faults.on("PUT", "/blobs/", faults.vanish_uploads(), times=2),))
    way.seed(app=LARGE, other=SMALL)
    assert way.run().outcomes == (("copied", 2),)
    assert way.destination.storage.open_uploads == 0


@pytest.mark.parametrize("path", ["/blobs/", "/manifests/"])
def test_writes_whose_answer_was_lost_are_not_done_twice_over(make_way: MakeWay, path: str) -> None:
    """What was committed is found there; a second commit does no harm (OCI-7.5)."""
    way = make_way(destination=(faults.on("PUT", path, faults.lose_answer(), times=2),))
    way.seed(app=LARGE, other=SMALL)
    report = way.run()
    assert report.outcomes == (("copied", 2),)
    large = LARGE.blobs[-1]
    taken = [r.bytes_in for r in way.destination.requests if r.bytes_in >= len(large.content)]
    assert len(taken) == 1


def test_tokens_that_end_in_mid_body_are_replaced(make_way: MakeWay) -> None:
    """Every token ends with a cut of a large body, at both ends, and the rest follows (OCI-2.17)."""
    cut = faults.Fault(cut_response_after=MIB, expire_tokens=True)
    lost = faults.Fault(lose_answer=True, expire_tokens=True)
    retry = RetryPolicy(deadline=None)
    # One request after the other: a token that ends between its issue and its first use is a
    # login refused (OCI-2.16).
    options = Options(retry=retry, artifacts_at_once=1, blobs_at_once=1)
    way = make_way(
        source=(faults.on("GET", BLOBS, cut, times=2),),
        destination=(
            faults.on("PUT", "/blobs/", lost, times=2),
            faults.on("PATCH", "/blobs/", lost, times=2),
        ),
        options=options,
        login=True,
    )
    way.seed(app=LARGE, other=SMALL)
    assert way.run().outcomes == (("copied", 2),)


@pytest.mark.parametrize("end", ["source", "destination"])
def test_an_artifact_that_takes_too_long_fails_alone(make_way: MakeWay, end: str) -> None:
    """By a message that names the limit; what waits are asked for count as well."""
    path = BLOBS if end == "source" else APP + "blobs/uploads"
    slow: Any = {end: always("*", path, faults.status(503, retry_after=50))}
    retry = RetryPolicy(attempts=50, deadline=None)
    options = Options(artifact_timeout=120, retry=retry, artifacts_at_once=1)
    way = make_way(options=options, **slow)
    way.seed(app=LARGE)
    report = way.run()
    failure = report.failed[0].failure
    assert failure is not None
    assert failure.kind == "OutOfTime"
    assert "Options.artifact_timeout = 120 s" in failure.message
    assert failure.hint is not None
    assert "run again" in failure.hint
    assert report.results[0].outcome is Outcome.FAILED
    assert 120 <= report.results[0].seconds <= 120 + 2 * 50


@pytest.mark.parametrize(
    "fault",
    [faults.corrupt(10), faults.wrong_length(5), faults.wrong_length(-5), faults.html_page(200)],
    ids=["damaged", "too long", "too short", "a page"],
)
def test_what_was_spoilt_on_the_way_once_is_read_again(
    make_way: MakeWay, fault: faults.Fault
) -> None:
    """A second reading tells a bad way from a bad source (OCI-4.20)."""
    way = make_way(source=(faults.on("GET", f"{APP}blobs/{BIG}", fault),))
    way.seed(app=LARGE, other=SMALL)
    assert way.run().outcomes == (("copied", 2),)
    blob = way.destination.storage.blob("team/app", BIG)
    assert blob is not None
    assert BIG.matches(blob.read())
    assert way.destination.storage.open_uploads == 0


def test_tries_come_to_an_end_whatever_fails_together(make_way: MakeWay) -> None:
    """A source that always breaks off and a destination that takes next to nothing: few requests."""
    big = random_image(3, layers=1, layer_bytes=8 * MIB)
    path = f"{APP}blobs/{big.blobs[-1].descriptor.digest}"
    way = make_way(
        source=always("GET", path, faults.cut_response(2 * MIB)),
        destination=(
            *always("PUT", APP + "blobs/uploads", faults.cut_request(MIB)),
            *always("PATCH", APP + "blobs/uploads", faults.cut_request(100)),
        ),
    )
    way.seed(app=big, other=SMALL)
    report = way.run()
    assert report.outcomes == (("copied", 1), ("failed", 1))
    assert way.arrived("app") is None
    # At most as many tries in a row without progress as the policy allows, at each of both ends.
    attempts = way.options.retry.attempts
    downloads = [request for request in way.source.requests if request.path == path]
    assert 0 < len(downloads) <= attempts * 4
    assert len(way.destination.requests) <= 20 + attempts * 4


def test_a_manifest_that_was_damaged_once_is_read_again(make_way: MakeWay) -> None:
    """Its digest tells; damage that stays is a failure of the source."""
    way = make_way(source=(faults.on("GET", APP + "manifests/", faults.corrupt(10)),))
    way.seed(app=LARGE, other=SMALL)
    assert way.run().outcomes == (("copied", 2),)
