"""What of a naming a Harbor can say."""

from __future__ import annotations

from typing import Any

import pytest

from harborsync.harbor.gaps import Effect
from harborsync.harbor.placing import Placed, fixed_parts, most_parts, place, unplace
from harborsync.naming import Naming


@pytest.mark.parametrize(
    ("naming", "about", "wanted"),
    [
        (Naming(), {}, ("", -1)),
        (Naming(), {"prefix": "mirror"}, ("mirror", 0)),
        (Naming(namespace="lib", flatten=-1), {}, ("lib", -1)),
        (Naming(namespace="lib", flatten=1), {"least": 2, "prefix": "m"}, ("m/lib", 1)),
        (Naming("{name}", namespace="gone"), {"prefix": "m"}, ("m", -1)),
        (Naming("x/{repository}", namespace="y"), {}, ("x/y", 0)),
        (Naming("x/{path}/{name}"), {"name": "a/b/**"}, ("x", 1)),
        (Naming("x/{path}/{name}", namespace="a/b", flatten=-1), {}, ("x/b", -1)),
        (Naming(namespaces={"team/web": "new"}), {"name": "team/web/**"}, ("new", 2)),
        (
            Naming(namespaces={"team": "a/b"}, flatten=3, namespace="n"),
            {"name": "team/x/**"},
            ("n", 2),
        ),
    ],
)
def test_a_namespace_in_the_place_of_leading_parts_is_said(
    naming: Naming, about: dict[str, Any], wanted: tuple[str, int]
) -> None:
    """However it was written."""
    namespace, replaced = wanted
    assert place(naming, **about) == Placed(namespace=namespace, replaced=replaced)


@pytest.mark.parametrize(
    ("naming", "what"),
    [
        (Naming(rewrites={"a": "b"}), "rewrites of names"),
        (Naming(tag="{tag}-x"), "changed tags"),
        (Naming(tag_prefix="x-"), "changed tags"),
        (Naming(tag_suffix="-x"), "changed tags"),
        (Naming("{name}-x"), "the name '{name}-x'"),
        (Naming("x-{name}"), "the name 'x-{name}'"),
        (Naming("{project}/{name}"), "the name '{project}/{name}'"),
        (Naming(namespaces={"a": "b"}), "moved namespaces"),
        (Naming(namespaces={"a": "b", "c": "d"}), "moved namespaces"),
        (Naming(flatten=1), "flatten=1 without a namespace"),
        (Naming("{name}"), "flatten=-1 without a namespace"),
    ],
)
def test_any_other_naming_is_a_gap(naming: Naming, what: str) -> None:
    """It would be done in another way."""
    (gap,) = place(naming, name="a*/**").gaps
    assert gap.what == what
    assert gap.effect is Effect.OTHER


def test_one_of_two_moved_namespaces_within_the_other_is_a_gap() -> None:
    """Which of them a name is in differs from name to name."""
    naming = Naming(namespaces={"a": "b", "a/x": "c"})
    assert [gap.what for gap in place(naming, name="a/**").gaps] == ["moved namespaces"]


def test_a_level_that_a_name_may_not_have_is_told() -> None:
    """Harbor's whole run fails over the one repository that has no more parts than that."""
    naming = Naming(namespace="lib", flatten=2)
    (gap,) = place(naming, least=2).gaps
    assert gap.effect is Effect.FAILS
    assert "3 parts or more" in gap.advice
    assert not place(naming, name="team/web/**").gaps


@pytest.mark.parametrize(
    ("namespace", "replaced", "naming"),
    [
        ("", 3, Naming()),
        ("lib", -1, Naming(namespace="lib", flatten=-1)),
        ("lib", -2, Naming(namespace="lib", flatten=-1)),
        ("lib", 0, Naming(namespace="lib")),
        ("lib", 2, Naming(namespace="lib", flatten=2)),
    ],
)
def test_a_harbors_placing_is_a_naming(namespace: str, replaced: int, naming: Naming) -> None:
    """Anything below -1 counts as -1 over there."""
    assert unplace(namespace, replaced) == naming


def test_globs_tell_how_deep_names_are() -> None:
    """And what all have in common at the beginning."""
    assert most_parts("a/**") is None
    assert most_parts("a/*/c") == 3
    assert fixed_parts("a/b/c") == ("a", "b")
    assert fixed_parts("a/{b,c}/d") == ("a",)
