"""Which registry of Google's is meant, and what its repositories are called in the API."""

from __future__ import annotations

import pytest

from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidValue, NotFound
from harborsync.gate import find_provider
from harborsync.registries.gar_place import GarPlace

BELGIUM = GarPlace(host="europe-west1-docker.pkg.dev", location="europe-west1", prefix="acme")
GCR = GarPlace(host="eu.gcr.io", location="europe", prefix="acme", gcr="eu.gcr.io")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("gar://europe-west1/acme", BELGIUM),
        ("europe-west1-docker.pkg.dev/acme", BELGIUM),
        ("gar://europe-west1-docker.pkg.dev/acme", BELGIUM),
        ("gar://us", GarPlace(host="us-docker.pkg.dev", location="us")),
        (
            "us-docker.pkg.dev/a/b/c",
            GarPlace(host="us-docker.pkg.dev", location="us", prefix="a/b/c"),
        ),
        ("eu.gcr.io/acme", GCR),
        ("gcr.io", GarPlace(host="gcr.io", location="us", gcr="gcr.io")),
        ("asia.gcr.io", GarPlace(host="asia.gcr.io", location="asia", gcr="asia.gcr.io")),
        (
            "gar://images.example:5000/acme?region=us-east1",
            GarPlace(host="images.example:5000", location="us-east1", prefix="acme"),
        ),
    ],
)
def test_an_endpoint_means_a_registry(text: str, place: GarPlace) -> None:
    """By location, by host, or by host and region; the gate finds the provider by the host."""
    endpoint = Endpoint.parse(text)
    assert GarPlace.of(endpoint) == place
    provider = find_provider(endpoint)
    assert (provider.name, provider.host(endpoint)) == ("gar", place.host)
    assert provider.prefix(endpoint) == place.prefix


@pytest.mark.parametrize(
    "text",
    [
        "gar://images.example/acme",
        "gar://images.example/acme?region=Europe",
        "gar://localhost/acme",
        "gar://registry/acme",
        "gar://europe-west1-docker.pkg.dev.evil.example/acme",
        "gar://k8s.gcr.io/acme",
    ],
)
def test_an_endpoint_that_means_none_is_told_how_to(text: str) -> None:
    """Before anything is opened."""
    with pytest.raises(InvalidValue) as caught:
        GarPlace.of(Endpoint.parse(text))
    assert "gar://LOCATION/PROJECT" in str(caught.value.hint)


def test_a_region_that_contradicts_the_host_is_refused() -> None:
    """One that agrees is fine."""
    text = "europe-west1-docker.pkg.dev/acme?region="
    assert GarPlace.of(Endpoint.parse(f"{text}europe-west1")) == BELGIUM
    with pytest.raises(InvalidValue, match="is in europe-west1"):
        GarPlace.of(Endpoint.parse(f"{text}us-east1"))


@pytest.mark.parametrize(
    ("place", "path", "resource", "package"),
    [
        (BELGIUM, "acme/team/app", "acme/locations/europe-west1/repositories/team", "app"),
        (BELGIUM, "acme/team/a/b", "acme/locations/europe-west1/repositories/team", "a%2Fb"),
        (
            BELGIUM,
            "acme.example/mine/team/app",
            "acme.example:mine/locations/europe-west1/repositories/team",
            "app",
        ),
        (GCR, "acme/app", "acme/locations/europe/repositories/eu.gcr.io", "app"),
        (
            GCR,
            "acme.example/mine/a/b",
            "acme.example:mine/locations/europe/repositories/eu.gcr.io",
            "a%2Fb",
        ),
    ],
)
def test_the_api_calls_an_image_by_another_name(
    place: GarPlace, path: str, resource: str, package: str
) -> None:
    """Projects of a domain have a colon there; the way back leads to the same path."""
    assert place.resource_of(path) == f"projects/{resource}"
    assert place.package_of(path) == f"projects/{resource}/packages/{package}"
    assert place.image_of(place.package_of(path)) == path
    place.check(path)


def test_several_images_lie_in_one_repository() -> None:
    """Which is what has to be made."""
    assert BELGIUM.unit_of("acme/team/a/b") == "acme/team"
    assert BELGIUM.unit_of("acme.example/mine/team/a") == "acme.example/mine/team"
    assert GCR.unit_of("acme/a/b") == "acme"
    assert BELGIUM.repository_id_of("acme") == ""
    assert GCR.repository_id_of("acme") == "eu.gcr.io"
    assert BELGIUM.project_of("") == ""


@pytest.mark.parametrize(
    ("place", "path"),
    [(BELGIUM, "acme/app"), (BELGIUM, "acme.example/mine/app"), (GCR, "acme")],
)
def test_a_path_that_is_too_short_is_told(place: GarPlace, path: str) -> None:
    """Google says 405, which helps nobody."""
    with pytest.raises(NotFound, match="PROJECT/"):
        place.check(path)
