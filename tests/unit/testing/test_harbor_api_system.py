"""What the emulated Harbor tells about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor


def test_it_lives(anybody: Any) -> None:
    """Anybody may ask, and get plain text, or JSON that says it is text (HARBOR-1)."""
    assert anybody("GET", "/ping").body == b"Pong"
    version = anybody("GET", "/api/version")
    assert version.json == {"version": "v2.0"}
    assert version.headers["Content-Type"].startswith("text/plain")
    health = anybody("GET", "/health").json
    assert health["status"] == "healthy"
    assert "core" in {each["name"] for each in health["components"]}


def test_most_is_told_to_whom_has_logged_in(
    harbor: LoopbackHarbor, admin: Any, anybody: Any, log_in: Callable[..., Any]
) -> None:
    """A wrong password is no reason to refuse, so this is no test of one (HARBOR-1)."""
    shown = admin("GET", "/systeminfo").json
    assert shown["harbor_version"].startswith("v2.15")
    assert (shown["external_url"], shown["registry_url"]) == (harbor.url, harbor.host)
    wrong = log_in(harbor, "admin", "wrong")("GET", "/systeminfo")
    assert wrong.json == anybody("GET", "/systeminfo").json
    assert "harbor_version" not in wrong.json


@pytest.mark.parametrize("version", ["2.8", "2.12"])
def test_an_older_harbor_tells_everybody_its_version(
    make_harbor: Callable[..., LoopbackHarbor], log_in: Callable[..., Any], version: str
) -> None:
    """As 2.12.4 was seen to (HARBOR-14)."""
    shown = log_in(make_harbor(version=version))("GET", "/systeminfo").json
    assert shown["harbor_version"].startswith(f"v{version}.")


def test_numbers_are_counted(
    harbor: LoopbackHarbor, admin: Any, anybody: Any, log_in: Callable[..., Any]
) -> None:
    """The totals are for administrators."""
    harbor.push_image("app/web", "1.0")
    harbor.add_user("ann", "Secret-1")
    counts = admin("GET", "/statistics").json
    assert (counts["private_project_count"], counts["public_project_count"]) == (1, 1)
    assert (counts["private_repo_count"], counts["total_repo_count"]) == (1, 1)
    assert counts["total_storage_consumption"] == harbor.state.project("app").used
    seen = log_in(harbor, "ann", "Secret-1")("GET", "/statistics").json
    assert seen == {
        "private_project_count": 0,
        "private_repo_count": 0,
        "public_project_count": 1,
        "public_repo_count": 0,
    }
    assert anybody("GET", "/statistics").status == 401


def test_settings_are_read_and_changed(harbor: LoopbackHarbor, admin: Any, anybody: Any) -> None:
    """By administrators; what is no setting is ignored."""
    body = {"token_expiration": 5, "nonsense": 1}
    assert admin("PUT", "/configurations", body).status == 200
    shown = admin("GET", "/configurations").json
    assert shown["token_expiration"] == {"editable": True, "value": 5}
    assert "nonsense" not in shown
    assert anybody("PUT", "/configurations", body).status == 401
    assert admin("GET", "/systeminfo/volumes").json == {"storage": [{}]}
    assert harbor.state.audit[-1].description == "update configuration"
