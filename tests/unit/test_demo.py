"""The demonstration shows what it claims, from the registries' own logs."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import pytest

from harborsync import demo
from harborsync.errors import InvalidValue
from harborsync.reference import Digest

EXAMPLE = Path(__file__).parents[2] / "examples" / "01_copy_one_rule.py"


@pytest.fixture(scope="module")
def shown() -> str:
    """Return what the demonstration prints."""
    out = io.StringIO()
    demo.show(out)
    return out.getvalue()


def test_it_shows_the_plan_then_the_copies_then_the_report(shown: str) -> None:
    """In the order in which they happen."""
    first = shown[: shown.index("--- Second run")]
    places = [first.index(text) for text in ("4 to copy", "copied  team/", "4 copied;")]
    assert places == sorted(places)


def test_it_tells_of_the_signature_and_the_sbom(shown: str) -> None:
    """They were at the source, and came along."""
    assert "(a signature)" in shown
    assert "signatures, SBOMs brought:   2" in shown


def test_the_second_run_is_seen_to_write_nothing(shown: str) -> None:
    """The destination's log has requests, and none of a kind that writes."""
    second = shown[shown.index("--- Second run") :]
    assert "4 to skip" in second
    assert "4 skipped; 0 B sent" in second
    asked = next(line for line in second.splitlines() if "at the destination" in line)
    assert "GET" in asked
    assert "sent 0 requests that write (POST, PATCH, PUT, DELETE)" in second


def test_what_is_copied_stays_complete(shown: str) -> None:
    """Every line of the code shown is the code that ran."""
    code = shown[shown.index("def replicate") :]
    assert "Naming(tag_suffix=" in code
    ast.parse(code)


def test_the_first_example_is_the_code_that_is_shown() -> None:
    """Word for word, so that what was seen can be copied."""
    wanted = [
        ast.get_source_segment(text, node)
        for text in (Path(demo.__file__).read_text(), EXAMPLE.read_text())
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name == "replicate"
    ]
    assert len(wanted) == 2
    assert wanted[0] == wanted[1]


def test_the_artifacts_arrive_under_their_new_names() -> None:
    """Tags have the suffix; the signature keeps the name that ties it to its subject."""
    with demo.embedded_registries() as (source, destination):
        report = demo.replicate(str(source.endpoint), str(destination.endpoint))
        assert report.ok
        digest = Digest.parse(source.storage.tags("team/app")["v1.1"])
        tags = set(destination.storage.tags("mirror/team/app"))
        assert tags == {"v1.0-acme", "v1.1-acme", f"{digest.tag_prefix}.sig"}
        web = destination.storage.tags("mirror/team/web")["v2.0-acme"]
        assert len(destination.storage.referrers("mirror/team/web", web)) == 1
        assert "mirror/lab/scratch" not in destination.storage.repositories()


def test_every_embedded_source_is_the_same() -> None:
    """So that what is written about it stays true."""
    with demo.embedded_registries() as (one, _), demo.embedded_registries() as (other, _):
        names = one.storage.repositories()
        assert one.requests == ()
        assert names == ("lab/scratch", "team/app", "team/app-stable", "team/web")
        assert [one.storage.tags(n) for n in names] == [other.storage.tags(n) for n in names]


def test_two_registries_are_those_given() -> None:
    """An example runs against real ones if it is told their addresses."""
    with demo.two_registries(["a.example", "b.example"]) as pair:
        assert pair == ("a.example", "b.example")


def test_two_registries_are_embedded_ones_if_none_are_given() -> None:
    """Plain http on the loopback interface."""
    with demo.two_registries() as (source, destination):
        assert source != destination
        assert source.startswith("registry+http://127.0.0.1:")


def test_one_address_is_not_enough() -> None:
    """A copy has two ends."""
    with (
        pytest.raises(InvalidValue, match="two addresses are wanted"),
        demo.two_registries(["a.example"]),
    ):
        pass
