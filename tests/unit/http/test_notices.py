"""Warnings sent along with good answers."""

from __future__ import annotations

import logging

import pytest

from harborsync.http.notices import Notices, parse_warnings
from harborsync.http.wire import Headers


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ('299 - "old API"', ("old API",)),
        (r'299 - "say \"x\" and \\"', ('say "x" and \\',)),
        ('299 - "one", 299 - "two"', ("one", "two")),
        ('199 - "other code"', ()),
        ('299 agent "other agent"', ()),
        ("299 - unquoted", ()),
        ('299 - "broken', ()),
        ('299 - "bell \x07"', ()),
        ('299 - "' + "x" * 5000 + '"', ()),
    ],
)
def test_only_well_formed_warnings_are_read(value: str, texts: tuple[str, ...]) -> None:
    """Code 299, agent -, a quoted text without control characters, not too long."""
    assert parse_warnings(Headers([("Warning", value)])) == texts


def test_a_warning_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Every answer repeats it; the log does not."""
    notices = Notices("r.example")
    headers = Headers([("Warning", '299 - "old API"')])
    with caplog.at_level(logging.WARNING):
        notices.take(headers)
        notices.take(headers)
    assert caplog.messages == ["r.example warns: old API"]
