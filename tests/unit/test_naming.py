"""Names at the destination follow from names at the source, and are told apart."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from harborsync.errors import FilterSyntaxError, InvalidReference, InvalidValue, NamingCollision
from harborsync.naming import Naming, find_collisions, refuse_collisions
from harborsync.reference import ArtifactRef
from harborsync.registry import Quirks

DIGEST = "sha256:" + "a" * 64
SIGNATURE = "sha256-" + "a" * 64 + ".sig"


def _named(naming: Naming, source: str) -> str:
    return str(naming.apply(ArtifactRef.parse(source)))


@pytest.mark.parametrize(
    ("naming", "source", "destination"),
    [
        (Naming(), "team/app:v1", "team/app:v1"),
        (Naming("mirror/{repository}"), "team/app:v1", "mirror/team/app:v1"),
        (Naming("{project}/{path}/{name}"), "a/b/c/d:v1", "a/b/c/d:v1"),
        (Naming("{project}/{path}/{name}"), "a/b:v1", "a/b:v1"),
        (Naming("{project}/{path}/{name}"), "a:v1", "a:v1"),
        (Naming("{name}/{project}"), "a/b/c", "c/a"),
        (Naming("x/{namespace}-{name}"), "a/b/c", "x/a/b-c"),
        (Naming(tag="{tag}-acr"), "a:v1", "a:v1-acr"),
        (Naming(tag="{name}-{tag}"), "a/b:v1", "a/b:b-v1"),
        (Naming(tag_prefix="eu-", tag_suffix=".x"), "a:v1", "a:eu-v1.x"),
        (Naming(tag="{tag}-acr", tag_prefix="eu-"), f"a@{DIGEST}", f"a@{DIGEST}"),
        (Naming("m/{repository}", tag_suffix="-x"), f"a:v1@{DIGEST}", f"m/a:v1-x@{DIGEST}"),
        (Naming("m/{repository}", tag="{tag}-x"), f"a:{SIGNATURE}", f"m/a:{SIGNATURE}"),
        (Naming(namespaces={"library": "hub/official"}), "library/nginx", "hub/official/nginx"),
        (Naming(namespaces={"a": "x", "a/b": "y/z"}), "a/b/c", "y/z/c"),
        (Naming(namespaces={"a": "x"}), "ab/c", "ab/c"),
        (Naming(namespaces={"a": ""}), "a/c", "c"),
        (Naming(namespaces={"a/b": "x"}), "a/b", "x"),
        (Naming(namespaces={"a/": "/x/y/"}), "a/c", "x/y/c"),
        (Naming(rewrites={"^team-": "", "_+": "-"}), "team-a/x__y", "a/x-y"),
        (Naming(rewrites=[(r"^(\w+)/(\w+)$", r"\2/\1")]), "a/b", "b/a"),
        (Naming("{name}-copy", namespaces={"a": "b"}, rewrites={"b": "c"}, namespace="n"), "a/x", "x-copy"),
        (Naming(namespaces={"a": "b"}, rewrites={"b": "c"}, namespace="n", flatten=0), "a/x", "n/c/x"),
    ],
)  # fmt: skip
def test_a_name_passes_all_stations(naming: Naming, source: str, destination: str) -> None:
    """Digests stay, and so do tags that hang on one (OCI-6.10)."""
    assert _named(naming, source) == destination


@pytest.mark.parametrize(
    ("source", "level", "destination"),
    [
        ("a", -1, "n/a"),
        ("a", 0, "n/a"),
        ("a", 1, None),
        ("a", 2, None),
        ("a", 3, None),
        ("a/b", -1, "n/b"),
        ("a/b", 0, "n/a/b"),
        ("a/b", 1, "n/b"),
        ("a/b", 2, None),
        ("a/b", 3, None),
        ("a/b/c", -1, "n/c"),
        ("a/b/c", 0, "n/a/b/c"),
        ("a/b/c", 1, "n/b/c"),
        ("a/b/c", 2, "n/c"),
        ("a/b/c", 3, None),
        ("a/b/c/d", -1, "n/d"),
        ("a/b/c/d", 0, "n/a/b/c/d"),
        ("a/b/c/d", 1, "n/b/c/d"),
        ("a/b/c/d", 2, "n/c/d"),
        ("a/b/c/d", 3, "n/d"),
    ],
)
def test_flattening_gives_what_harbor_gives(
    source: str, level: int, destination: str | None
) -> None:
    """The last part is never dropped: a level that would is an error there and here."""
    naming = Naming(namespace="n", flatten=level)
    if destination is None:
        with pytest.raises(InvalidReference, match="path parts, so that none is left"):
            _named(naming, source)
    else:
        assert _named(naming, source) == destination


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repository": "{repo}"}, "unknown field {repo}"),
        ({"repository": "{tag}"}, "unknown field {tag}"),
        ({"repository": "{name.__class__}"}, "unknown field {name.__class__}"),
        ({"repository": "{}"}, "unknown field {}"),
        ({"tag": "{digest}"}, "unknown field {digest}"),
        ({"repository": "{name"}, "has no partner"),
        ({"tag": "tag}"}, "has no partner"),
        ({"flatten": -2}, "-2 is no flattening level"),
        ({"namespaces": {"/": "x"}}, "an empty text is no namespace"),
    ],
)
def test_a_naming_that_can_never_work_is_refused(options: dict[str, Any], message: str) -> None:
    """At once, and with what would be allowed."""
    with pytest.raises(InvalidValue) as caught:
        Naming(**options)
    assert message in caught.value.message
    assert caught.value.hint


def test_a_rewrite_that_is_no_expression_is_refused() -> None:
    """The fault is shown in the expression."""
    with pytest.raises(FilterSyntaxError):
        Naming(rewrites={"(": ""})


@pytest.mark.parametrize(
    ("naming", "source"),
    [
        (Naming("{project}"), "app:v1"),
        (Naming("Mirror/{name}"), "app:v1"),
        (Naming(tag_prefix="-"), "app:v1"),
        (Naming(tag_suffix="x" * 127), "app:v1"),
        (Naming("x/{repository}"), "a" * 254),
    ],
)
def test_a_name_that_is_none_names_its_source(naming: Naming, source: str) -> None:
    """What came out, and what went in."""
    with pytest.raises(InvalidReference) as caught:
        _named(naming, source)
    assert caught.value.message.startswith(f"{source} would become a name that is none: ")
    assert caught.value.hint


def test_a_naming_is_a_value() -> None:
    """Mappings and pairs make equal ones."""
    one = Naming(namespaces={"b": "y", "a": "x"}, rewrites={"b": "y", "a": "x"})
    assert one == Naming(namespaces=[("a", "x"), ("b", "y")], rewrites=[("b", "y"), ("a", "x")])
    assert one != Naming(namespaces=[("a", "x"), ("b", "y")], rewrites=[("a", "x"), ("b", "y")])
    assert pickle.loads(pickle.dumps(one)) == one
    assert hash(one)


# --- limits --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "quirks", "found"),
    [
        ("a" * 11, Quirks(max_name_length=10), "11 characters, and may have at most 10"),
        ("a/b/c", Quirks(max_name_depth=2), "3 path parts, and may have at most 2"),
        ("a", Quirks(min_name_depth=2), "1 path parts, and must have at least 2"),
    ],
)
def test_a_name_the_destination_does_not_take_is_refused(
    name: str, quirks: Quirks, found: str
) -> None:
    """Before anything is sent (OCI-1.2)."""
    with pytest.raises(InvalidReference, match=found):
        Naming.check(ArtifactRef(name), quirks)


def test_a_name_within_the_limits_passes() -> None:
    """On the limits, too."""
    quirks = Quirks(max_name_length=3, max_name_depth=2, min_name_depth=2)
    Naming.check(ArtifactRef("a/b"), quirks)


# --- collisions ----------------------------------------------------------------------------


def test_all_of_twenty_collisions_are_found_with_both_sources() -> None:
    """Among eighty that do not collide."""
    naming = Naming("{name}")
    twins = [ArtifactRef.parse(f"{team}/app{n}:v1") for team in ("a", "b") for n in range(20)]
    others = [ArtifactRef.parse(f"c/other{n}:v1") for n in range(80)]
    collisions = find_collisions((ref, naming.apply(ref)) for ref in (*others, *twins))
    assert len(collisions) == 20
    assert str(collisions[0]) == "app0:v1 ← a/app0:v1, b/app0:v1"
    assert {len(collision.sources) for collision in collisions} == {2}


def test_collisions_are_refused_with_their_sources() -> None:
    """All up to twenty are shown, and how many more there are."""
    pairs = [
        (f"hub/{team}/app{n}:v1", ArtifactRef.parse(f"app{n}:v1"))
        for team in ("a", "b")
        for n in range(22)
    ]
    with pytest.raises(NamingCollision) as caught:
        refuse_collisions(pairs)
    lines = caught.value.message.splitlines()
    assert lines[0] == "22 destinations have more than one source:"
    assert lines[1] == "  app0:v1 ← hub/a/app0:v1, hub/b/app0:v1"
    assert lines[-1] == "  … and 2 more"
    assert len(lines) == 22


def test_few_collisions_are_all_shown() -> None:
    """Nothing is said of more."""
    with pytest.raises(NamingCollision) as caught:
        refuse_collisions((team, ArtifactRef.parse("app:v1")) for team in ("a/app:v1", "b/app:v1"))
    assert caught.value.message.splitlines()[1:] == ["  app:v1 ← a/app:v1, b/app:v1"]
    assert "tag prefix" in str(caught.value.hint)


def test_what_does_not_collide_passes() -> None:
    """One source met twice, two tags, and untagged digests are no collisions."""
    app, other = ArtifactRef.parse("a/app:v1"), ArtifactRef.parse("b/app:v1")
    untagged = ArtifactRef.parse(f"app@{DIGEST}")
    refuse_collisions(
        [
            (app, ArtifactRef.parse("app:v1")),
            (app, ArtifactRef.parse("app:v1")),
            (other, ArtifactRef.parse("app:v2")),
            (app, untagged),
            (other, untagged),
        ]
    )


def test_the_digest_of_a_destination_does_not_tell_two_writes_to_a_tag_apart() -> None:
    """The tag can point to one of them only."""
    one = ArtifactRef.parse(f"app:v1@{DIGEST}")
    two = ArtifactRef.parse("app:v1@sha256:" + "b" * 64)
    (collision,) = find_collisions([("a", one), ("b", two)])
    assert collision.destination == ArtifactRef.parse("app:v1")
    assert collision.sources == ("a", "b")
