"""What TLS is trusted with."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.errors import InvalidValue
from harborsync.http.tls import TlsIdentity

if TYPE_CHECKING:
    from pathlib import Path


def test_the_default_is_strict() -> None:
    """TLS 1.2 or newer, verified, by name."""
    context = TlsIdentity().context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.keylog_filename is None


def test_keys_are_not_logged_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Python's own default would write them where SSLKEYLOGFILE says."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert TlsIdentity().context().keylog_filename is None


def test_a_ca_is_added_to_those_of_the_system(authority: Any) -> None:
    """It does not take their place (OCI-9.14)."""
    system = TlsIdentity().context().cert_store_stats()["x509"]
    ours = TlsIdentity(ca=str(authority.file)).context().cert_store_stats()["x509"]
    assert ours == system + 1


def test_insecure_verifies_nothing() -> None:
    """It is still TLS 1.2 or newer."""
    context = TlsIdentity(insecure=True).context()
    assert context.verify_mode is ssl.CERT_NONE
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("field", ["ca", "cert"])
@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, field: str, content: str | None) -> None:
    """Lacking, empty, or something else; the message names it."""
    path = tmp_path / "file.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidValue, match=r"file\.pem"):
        (TlsIdentity(ca=str(path)) if field == "ca" else TlsIdentity(cert=str(path))).context()
