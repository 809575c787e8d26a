"""Every error survives pickling with all its fields: one that does not kills a pool's result."""

from __future__ import annotations

import copy
import importlib
import pickle
import pkgutil
from typing import TYPE_CHECKING

import pytest

import harborsync
from harborsync import errors
from harborsync.errors import HarborsyncError, RegistryError, ServerError, Side

if TYPE_CHECKING:
    from collections.abc import Iterator

# How the classes are made whose constructors ask for more than words.
MADE = {
    "Cancelled": errors.Cancelled(),
    "ContentMissing": errors.ContentMissing("lacking", digests=["sha256:a"], status=404),
    "CopyError": errors.CopyError("read", Side.SOURCE, "r/a:v1", ServerError("503", hint="wait")),
    "FilterSyntaxError": errors.FilterSyntaxError("no", text="nam", position=1, expected="name"),
    "MissingFact": errors.MissingFact(artifact="a:v1", clause="size < 1MB", fact="size"),
    "PatternTimeout": errors.PatternTimeout("(a+)+"),
    "RateLimited": errors.RateLimited("slowly", retry_after=3.0, status=429),
    "ReplicationFailed": errors.ReplicationFailed("1 failed", ["any", "report"]),
}


def every_class(root: type[HarborsyncError]) -> Iterator[type[HarborsyncError]]:
    """Yield a class and all below it, from whichever module."""
    yield root
    for below in root.__subclasses__():
        yield from every_class(below)


CLASSES = sorted(
    {kind for kind in every_class(HarborsyncError) if kind.__module__ == errors.__name__},
    key=lambda kind: kind.__name__,
)


def make(kind: type[HarborsyncError]) -> HarborsyncError:
    """Return an error of a class with every field filled."""
    if kind.__name__ in MADE:
        return MADE[kind.__name__]
    if issubclass(kind, RegistryError):
        return kind(
            "no", method="GET", url="https://r/v2/", status=400, codes=["X"], request_id="1"
        )
    return kind("it broke", hint="mend it", side=Side.DESTINATION)


def fields(error: HarborsyncError) -> dict[str, object]:
    """Return what an error holds, a cause as what it holds in turn."""
    return {
        name: fields(value) if isinstance(value, HarborsyncError) else value
        for name, value in vars(error).items()
    }


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling_and_copying(kind: type[HarborsyncError]) -> None:
    """Class, message, fields and whether to retry are the same afterwards."""
    error = make(kind)
    assert type(error) is kind
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is kind
        assert (str(again), again.args, again.retryable) == (
            str(error),
            error.args,
            error.retryable,
        )
        assert fields(again) == fields(error)


def test_a_finer_error_of_a_single_room_survives_pickling_too() -> None:
    """A module may tell two cases of one error apart; callers see the error of the tree."""
    for module in pkgutil.walk_packages(harborsync.__path__, "harborsync."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    ours = [c for c in every_class(HarborsyncError) if c.__module__.startswith("harborsync.")]
    for kind in (kind for kind in ours if kind.__module__ != errors.__name__):
        assert kind.__base__ in CLASSES
        assert type(pickle.loads(pickle.dumps(make(kind)))) is kind


def test_notes_travel_with_the_error() -> None:
    """What was added on the way up is there on the other side."""
    error = ServerError("503")
    error.add_note("while listing a/b")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["while listing a/b"]
