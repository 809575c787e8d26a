"""Bodies of requests, checked as generated code does."""

from __future__ import annotations

from typing import Any

import pytest

from harborsync.testing.harbor_schema import one_of, typed
from harborsync.testing.harbor_wire import HarborError

_FIELDS = {
    "name": "string",
    "count": "int8",
    "on": "bool",
    "rows": "list",
    "of": "object",
    "each": "objects",
}


def test_known_fields_are_kept_and_nulls_left_out() -> None:
    """A body that is no object has none."""
    body = {"name": "x", "count": -1, "on": None, "more": 1}
    assert typed(body, "thing", "Thing", _FIELDS) == {"name": "x", "count": -1}
    assert typed([1], "thing", "Thing", _FIELDS) == {}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"name": 5}, "unmarshal number into Go struct field Thing.name of type string"),
        ({"count": 200}, "unmarshal number 200 into Go struct field Thing.count of type int8"),
        ({"count": "x"}, "unmarshal string into Go struct field Thing.count of type int8"),
        ({"count": True}, "unmarshal bool into"),
        ({"on": {}}, "unmarshal object into"),
        ({"rows": "x"}, "unmarshal string into"),
        ({"each": [{}, 1]}, "unmarshal array into"),
        ({"each": {}}, "unmarshal object into"),
    ],
)
def test_a_field_of_another_type_is_refused(body: dict[str, Any], told: str) -> None:
    """The answer is a 422 in the words of Go."""
    with pytest.raises(HarborError, match=told) as caught:
        typed(body, "thing", "Thing", _FIELDS)
    assert caught.value.response.status == 422


def test_a_value_that_is_not_listed_is_refused() -> None:
    """Nothing at all is no mistake."""
    one_of({}, "kind", ("a", "b"), "thing.kind")
    with pytest.raises(HarborError, match=r"thing.kind in body should be one of \[a b\]"):
        one_of({"kind": "c"}, "kind", ("a", "b"), "thing.kind")
