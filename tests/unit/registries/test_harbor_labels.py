"""Labels are known by name, of a project before global ones, and made where they are lacking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.artifact import Label
from harborsync.credentials.base import Credential
from harborsync.errors import Denied, NotFound, RegistryError
from harborsync.reference import Digest
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from harborsync.testing import FakeClock, LoopbackHarbor

ADMIN = Credential(username="admin", secret=Secret("Harbor12345"))
NONE = frozenset[str]()


@pytest.fixture
def image(harbor: LoopbackHarbor) -> Digest:
    """An image that is there."""
    return harbor.push_image("app/web", "v1")


def on(harbor: LoopbackHarbor, digest: Digest) -> set[tuple[str, str]]:
    """Return names and scopes of an artifact's labels."""
    held = harbor.artifact("app/web", str(digest)).label_ids
    return {(harbor.state.labels[each].name, harbor.state.labels[each].scope) for each in held}


def change(registry: Any, digest: Digest, *attach: Label, detach: frozenset[str] = NONE) -> None:
    """Change the labels of the image."""
    registry.abilities.labels.change_labels("app/web", digest, attach=attach, detach=detach)


def test_a_projects_label_goes_before_a_global_one(
    harbor: LoopbackHarbor, open_harbor: Any
) -> None:
    """They are asked for once for each project."""
    harbor.add_project("team")
    harbor.add_label("release", color="#0065AB")
    harbor.add_label("release", project="app", color="#48960C")
    harbor.add_label("ours", project="team")
    labels = open_harbor().abilities.labels
    names = frozenset({"release", "ours", "unknown"})
    for _ in range(2):
        assert labels.find_labels("app/web", names) == (Label(name="release", color="#48960C"),)
    assert labels.find_labels("team/web", names) == (
        Label(name="ours"),
        Label(name="release", color="#0065AB", is_global=True),
    )
    assert open_harbor.lines == ["GET /projects", "GET /labels", "GET /labels"] * 2


def test_labels_are_attached_and_made_in_the_project(
    harbor: LoopbackHarbor, open_harbor: Any, image: Digest
) -> None:
    """Colour and description are kept; what it has already is fine."""
    harbor.add_label("known")
    registry = open_harbor()
    new = Label(name="new", color="#FF0000", description='R&D <b>"x"</b>')
    for _ in range(2):
        change(registry, image, Label(name="known"), new)
    assert on(harbor, image) == {("known", "g"), ("new", "p")}
    made = next(each for each in harbor.state.labels.values() if each.name == "new")
    assert (made.color, made.description) == ("#FF0000", 'R&D <b>"x"</b>')
    assert registry.abilities.labels.get_labels("app/web", image) == {"known", "new"}


@pytest.mark.parametrize(("is_admin", "scope"), [(True, "g"), (False, "p")])
def test_a_global_label_is_made_so_where_that_is_allowed(
    harbor: LoopbackHarbor, open_harbor: Any, image: Digest, is_admin: bool, scope: str
) -> None:
    """Elsewhere it is the project's own."""
    registry = open_harbor(login=ADMIN) if is_admin else open_harbor()
    change(registry, image, Label(name="everywhere", is_global=True))
    assert on(harbor, image) == {("everywhere", scope)}


def test_labels_are_taken_off_by_their_name(
    harbor: LoopbackHarbor, open_harbor: Any, image: Digest
) -> None:
    """Both of two with one name go; the rest stay, and what is off already is fine."""
    registry = open_harbor()
    held = harbor.artifact("app/web", str(image)).label_ids
    for scope in (None, "app"):
        held.append(harbor.add_label("release", project=scope).id)
    held.append(harbor.add_label("kept").id)
    for _ in range(2):
        change(registry, image, detach=frozenset({"release", "unknown"}))
    assert on(harbor, image) == {("kept", "g")}


def test_a_label_that_another_made_meanwhile_is_used(
    harbor: LoopbackHarbor, open_harbor: Any, image: Digest
) -> None:
    """The conflict says that it is there by now."""
    registry = open_harbor()
    assert registry.abilities.labels.find_labels("app/web", frozenset({"late"})) == ()
    late = harbor.add_label("late", project="app")
    change(registry, image, Label(name="late"))
    assert harbor.artifact("app/web", str(image)).label_ids == [late.id]


def test_only_what_is_there_gets_labels(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """A label for a project that is not there would be made all the same (HARBOR §4)."""
    labels = open_harbor().abilities.labels
    absent = Digest.of(b"absent")
    assert labels.get_labels("app/web", absent) == frozenset()
    harbor.add_label("known", project="app")
    with pytest.raises(NotFound):
        labels.change_labels("app/web", absent, attach=[Label(name="known")], detach=NONE)
    before = set(harbor.state.labels)
    with pytest.raises(NotFound, match="there is no project absent"):
        labels.change_labels("absent/web", absent, attach=[Label(name="x")], detach=NONE)
    assert set(harbor.state.labels) == before


def test_who_may_not_is_told_which_right_is_lacking(
    harbor: LoopbackHarbor, open_harbor: Any, image: Digest
) -> None:
    """Where lists are closed, labels are not even asked for."""
    registry = open_harbor("repository:pull", "label:list")
    with pytest.raises(Denied) as caught:
        change(registry, image, Label(name="new"))
    assert "label:create" in (caught.value.hint or "")
    list(registry.list_artifacts("app/web"))
    before = len(open_harbor.lines)
    with pytest.raises(Denied) as caught:
        registry.abilities.labels.get_labels("app/web", image)
    assert "artifact:read" in (caught.value.hint or "")
    assert len(open_harbor.lines) == before


def test_other_refusals_are_told(harbor: LoopbackHarbor, open_harbor: Any, image: Digest) -> None:
    """A Harbor in read-only mode makes no labels and attaches none."""
    harbor.add_label("known")
    registry = open_harbor()
    registry.abilities.labels.find_labels("app/web", NONE)
    harbor.state.settings["read_only"] = True
    for label in ("known", "new"):
        with pytest.raises(RegistryError, match="read only") as caught:
            change(registry, image, Label(name=label))
        assert "read-only for now" in (caught.value.hint or "")


def test_labels_that_change_are_seen_by_the_next_run(
    harbor: LoopbackHarbor, open_harbor: Any, clock: FakeClock, image: Digest
) -> None:
    """What was deleted and made again has another id."""
    registry = open_harbor()
    old = harbor.add_label("release", project="app")
    change(registry, image, Label(name="release"))
    before = len(open_harbor.lines)
    change(registry, image, detach=frozenset({"release"}))
    assert len(open_harbor.lines) - before == 1
    del harbor.state.labels[old.id]
    new = harbor.add_label("release", project="app")
    clock.sleep(60.0)
    change(registry, image, Label(name="release"))
    assert harbor.artifact("app/web", str(image)).label_ids == [new.id]
