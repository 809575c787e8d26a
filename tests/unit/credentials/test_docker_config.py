"""Logins in the files of docker and podman."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.credentials import DockerConfig, Kind
from harborsync.errors import CredentialsError
from harborsync.testing.clock import FakeClock

if TYPE_CHECKING:
    from tests.unit.credentials.conftest import Home

CONFIG = ".docker/config.json"


def _packed(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def _user(home: Home, host: str, repository: str = "") -> str | None:
    found = DockerConfig(home.environ).get(host, repository)
    return None if found is None else f"{found.username}:{found.secret.reveal()}"


def test_after_docker_login_it_just_works(home: Home) -> None:
    """The usual file is read, whatever else stands in it."""
    home.write(CONFIG, {"auths": {"r.example": _packed("robot:hunter2")}, "psFormat": "x"})
    assert _user(home, "r.example") == "robot:hunter2"
    assert _user(home, "other.example") is None


def test_nobody_logged_in_anywhere_is_no_error(home: Home) -> None:
    """Without any file there is no login."""
    assert _user(home, "r.example") is None
    assert DockerConfig({}).get("r.example") is None


def test_a_password_may_hold_colons_and_end_in_nulls(home: Home) -> None:
    """The first colon parts user and password; padding goes (OCI-2.26)."""
    home.write(CONFIG, {"auths": {"r.example": _packed("robot:a:b\0\0")}})
    assert _user(home, "r.example") == "robot:a:b"


def test_user_and_password_may_stand_in_the_clear(home: Home) -> None:
    """Some tools write them so."""
    home.write(CONFIG, {"auths": {"r.example": {"username": "robot", "password": "s"}}})
    assert _user(home, "r.example") == "robot:s"


@pytest.mark.parametrize(
    ("field", "kind"), [("identitytoken", Kind.IDENTITY), ("registrytoken", Kind.BEARER)]
)
def test_tokens_go_before_passwords(home: Home, field: str, kind: Kind) -> None:
    """An identity token or a registry token is what the login really is."""
    home.write(CONFIG, {"auths": {"r.example": {**_packed("robot:"), field: "t"}}})
    found = DockerConfig(home.environ).get("r.example")
    assert found is not None
    assert (found.kind, found.secret.reveal(), found.username) == (kind, "t", "robot")
    assert CONFIG in found.origin


def test_podman_keeps_logins_by_namespace_and_the_longest_wins(home: Home) -> None:
    """host/namespace keys are tried from the longest down (OCI-2.25)."""
    home.write(
        ".config/containers/auth.json",
        {
            "auths": {
                "r.example": _packed("host:s"),
                "r.example/team": _packed("team:s"),
                "r.example/team/app": _packed("app:s"),
            }
        },
    )
    assert _user(home, "r.example", "team/app") == "app:s"
    assert _user(home, "r.example", "team/other") == "team:s"
    assert _user(home, "r.example", "else") == "host:s"


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_docker_hub_is_found_under_each_of_its_keys(home: Home, key: str) -> None:
    """What docker login wrote serves docker.io."""
    home.write(CONFIG, {"auths": {key: _packed("hub:s")}})
    assert _user(home, "docker.io", "library/nginx") == "hub:s"


def test_files_are_read_in_the_order_of_podman_and_docker(home: Home) -> None:
    """Each file goes before the ones after it (OCI-2.24)."""
    names = {
        "REGISTRY_AUTH_FILE": "explicit.json",
        "XDG_RUNTIME_DIR": "run/containers/auth.json",
        "XDG_CONFIG_HOME": "conf/containers/auth.json",
        "DOCKER_CONFIG": "docker/config.json",
    }
    for name in names.values():
        home.write(name, {"auths": {"r.example": _packed(f"{name}:s")}})
    home.write(".dockercfg", {"r.example": _packed("legacy:s")})
    environ = home.environ | {
        variable: str(
            home.path / (name if variable == "REGISTRY_AUTH_FILE" else name.split("/")[0])
        )
        for variable, name in names.items()
    }
    order = []
    for name in (*names.values(), ".dockercfg"):
        found = DockerConfig(environ).get("r.example")
        order.append(found.username if found else None)
        (home.path / name).unlink()
    assert order == [*names.values(), "legacy"]


def test_a_path_given_is_the_only_one_read(home: Home) -> None:
    """An explicit file replaces the usual ones."""
    home.write(CONFIG, {"auths": {"r.example": _packed("usual:s")}})
    only = home.write("only.json", {"auths": {"other.example": _packed("only:s")}})
    source = DockerConfig(home.environ, path=only)
    assert source.get("r.example") is None
    assert source.get("other.example") is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON object"),
        ("[]", "no JSON object"),
        ('{"auths": {"r.example": {"auth": "aHVudGVyMg=="}}}', "user:password"),
        ('{"auths": {"r.example": {"auth": "hunter2"}}}', "user:password"),
        ('{"auths": {"r.example": {"auth": 7}}}', "user:password"),
    ],
)
def test_a_broken_file_is_an_error_that_names_it(home: Home, text: str, words: str) -> None:
    """The file and the remedy are told, its content is not."""
    path = home.write(CONFIG, text)
    with pytest.raises(CredentialsError, match=words) as caught:
        _user(home, "r.example")
    assert str(path) in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_an_error(home: Home) -> None:
    """Being unable to look is not the same as finding nothing."""
    (home.path / CONFIG).mkdir(parents=True)
    with pytest.raises(CredentialsError, match="cannot be read"):
        _user(home, "r.example")


@pytest.mark.parametrize(
    "document", [{"auths": []}, {"auths": {"r.example": "x"}}, {"auths": None}]
)
def test_entries_of_a_strange_shape_are_passed_over(home: Home, document: Any) -> None:
    """Only what is understood counts."""
    home.write(CONFIG, document)
    assert _user(home, "r.example") is None


# --- helpers -------------------------------------------------------------------------------

ANSWER = "print(json.dumps({'Username': sys.argv[1], 'Secret': sys.stdin.read()}))"


def test_a_helper_for_the_host_goes_before_everything(home: Home) -> None:
    """credHelpers, then auths, then credsStore (OCI-2.25)."""
    home.program("docker-credential-special", ANSWER)
    home.write(
        CONFIG,
        {
            "auths": {"r.example": _packed("auths:s"), "s.example": _packed("auths:s")},
            "credHelpers": {"r.example": "special"},
            "credsStore": "missing",
        },
    )
    assert _user(home, "r.example") == "get:r.example"
    assert _user(home, "s.example") == "auths:s"


def test_an_empty_entry_sends_us_to_the_store(home: Home) -> None:
    """A docker login with a store leaves a marker in auths (OCI-2.26); the Hub has its old key."""
    home.program("docker-credential-store", ANSWER)
    home.write(CONFIG, {"auths": {"https://index.docker.io/v1/": {}}, "credsStore": "store"})
    assert _user(home, "docker.io") == "get:https://index.docker.io/v1/"


def test_a_helper_that_finds_nothing_is_no_error(home: Home) -> None:
    """It says so on its output and fails (OCI-2.27)."""
    home.program(
        "docker-credential-store",
        "print('credentials not found in native keychain'); sys.exit(1)",
    )
    home.write(CONFIG, {"credsStore": "store"})
    assert _user(home, "r.example") is None


def test_a_helper_that_fails_is_an_error_without_its_words(home: Home) -> None:
    """Its error output is never shown."""
    home.program(
        "docker-credential-store",
        "print('hunter2'); print('hunter2', file=sys.stderr); sys.exit(2)",
    )
    home.write(CONFIG, {"credsStore": "store"})
    with pytest.raises(CredentialsError, match="status 2") as caught:
        _user(home, "r.example")
    assert "hunter2" not in str(caught.value)


def test_a_helper_that_is_not_installed_is_an_error(home: Home) -> None:
    """Going on without the login would only fail later, and less clearly."""
    home.write(CONFIG, {"credHelpers": {"r.example": "gone"}})
    with pytest.raises(CredentialsError, match="docker-credential-gone"):
        _user(home, "r.example")


@pytest.mark.parametrize("name", ["../../bin/sh", "a b", "x;y", "a/b"])
def test_a_helper_whose_name_leads_elsewhere_is_not_run(home: Home, name: str) -> None:
    """Only letters, digits, dot, underscore and hyphen make a helper's name."""
    home.write(CONFIG, {"credsStore": name})
    with pytest.raises(CredentialsError, match="cannot be the name"):
        _user(home, "r.example")


def test_a_helper_is_asked_again_after_a_while_only(home: Home) -> None:
    """Its answers are good for five minutes, or until the registry refuses one."""
    log = home.path / "log"
    home.program("docker-credential-store", f"open({str(log)!r}, 'a').write('x')\n{ANSWER}")
    home.write(CONFIG, {"credsStore": "store"})
    clock = FakeClock()
    source = DockerConfig(home.environ, clock=clock)
    first = source.get("r.example")
    assert first is not None
    assert source.get("r.example") == first
    clock.advance(300)
    source.get("r.example")
    assert log.read_text() == "xx"
    source.forget("other.example", first)
    source.forget("r.example", attrs.evolve(first, username="another"))
    source.get("r.example")
    assert log.read_text() == "xx"
    source.forget("r.example", first)
    source.get("r.example")
    assert log.read_text() == "xxx"
