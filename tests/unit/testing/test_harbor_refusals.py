"""The refusals of the emulated Harbor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_wire import HarborError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (refuse.bad_request, 400, "BAD_REQUEST"),
        (refuse.unauthorized, 401, "UNAUTHORIZED"),
        (refuse.forbidden, 403, "FORBIDDEN"),
        (refuse.denied, 403, "DENIED"),
        (refuse.not_found, 404, "NOT_FOUND"),
        (refuse.not_allowed, 405, "METHOD_NOT_ALLOWED"),
        (refuse.conflict, 409, "CONFLICT"),
        (refuse.precondition, 412, "PRECONDITION"),
        (refuse.unprocessable, 422, "UNPROCESSABLE_ENTITY"),
    ],
)
def test_a_refusal_has_its_code(refusal: Callable[[str], None], status: int, code: str) -> None:
    """Each raises the error of its name, with the message given."""
    with pytest.raises(HarborError, match="why") as raised:
        refusal("why")
    assert (raised.value.response.status, raised.value.code) == (status, code)


def test_the_blank_answer_says_nothing() -> None:
    """It is an unknown error for all one can see."""
    with pytest.raises(HarborError) as raised:
        refuse.internal()
    assert (raised.value.response.status, raised.value.code) == (500, "UNKNOWN")
