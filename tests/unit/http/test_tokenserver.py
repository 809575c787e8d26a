"""Who may be asked for a token with our login; the asking itself is tested in test_auth."""

from __future__ import annotations

import pytest

from harborsync.credentials.base import Credential
from harborsync.errors import AddressRefused
from harborsync.http.tokenserver import check_realm
from harborsync.http.urls import Origin, Url
from harborsync.secrets import Secret

_LOGIN = Credential(username="u", secret=Secret("p"))


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("https://r.example", "https://r.example/token"),
        ("https://r.example", "https://r.example:8443/token"),
        ("http://r.example:5000", "http://r.example/token"),
        ("http://r.example:5000", "https://r.example/token"),
        ("https://r.example", "https://trusted.example/token"),
        ("https://registry-1.docker.io", "https://auth.docker.io/token"),
        ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth"),
        ("https://nvcr.io", "https://authn.nvidia.com/token"),
        (
            "https://registry.cn-hangzhou.aliyuncs.com",
            "https://dockerauth.cn-hangzhou.aliyuncs.com/auth",
        ),
        (
            "https://x-registry.cn-hangzhou.cr.aliyuncs.com",
            "https://dockerauth-ee.cn-hangzhou.aliyuncs.com/auth",
        ),
        (
            "https://x-registry.cn-zhangjiakou.cr.aliyuncs.com",
            "https://dockerauth-cn-zhangjiakou.aliyuncs.com/auth",
        ),
    ],
)
def test_a_registrys_own_token_server_sees_the_login(registry: str, realm: str) -> None:
    """By its host, by what is known of it, or by the user's word."""
    check_realm(Url.parse(realm), Origin.parse(registry), ("trusted.example",), _LOGIN)


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("https://r.example", "http://r.example/token"),
        ("https://r.example", "https://evil.example/token"),
        ("https://r.example", "https://auth.r.example/token"),
        ("https://r.example", "https://auth.docker.io/token"),
        ("https://evildocker.io", "https://auth.docker.io/token"),
        ("https://docker.io.evil.example", "https://auth.docker.io/token"),
        ("https://registry-1.docker.io", "https://auth.docker.io.evil.example/token"),
        ("https://registry.cn-x.aliyuncs.com", "https://bucket.oss-cn-x.aliyuncs.com/token"),
        ("https://registry.cn-x.aliyuncs.com", "https://dockerauth-x.oss-cn-x.aliyuncs.com/token"),
    ],
)
def test_anothers_does_not(registry: str, realm: str) -> None:
    """The hint, where trust would help, names the host."""
    with pytest.raises(AddressRefused):
        check_realm(Url.parse(realm), Origin.parse(registry), (), _LOGIN)


def test_nobody_may_ask_anybody() -> None:
    """But never in the clear for an https registry."""
    home = Origin.parse("https://r.example")
    check_realm(Url.parse("https://other.example/token"), home, (), None)
    with pytest.raises(AddressRefused):
        check_realm(Url.parse("http://r.example/token"), home, (), None)
