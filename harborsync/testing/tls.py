"""A certificate authority for tests: makes its root, and server and client certificates."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.testing.closing import Closing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import CertificateBuilder, GeneralName, Name

_LIFE: Final = timedelta(days=1)
_SKEW: Final = timedelta(hours=1)


@attrs.frozen(kw_only=True)
class CertificateFiles:
    """A certificate and its key, as PEM files.

    Attributes:
        certificate: File of the certificate.
        key: File of the private key.
    """

    certificate: Path
    key: Path


class TestAuthority(Closing):
    """Trusted by nobody but those who are given ``ca_file``.

    Args:
        directory: Where the files go; a temporary directory of its own if None.
    """

    __test__ = False  # not a test, whatever its name begins with

    def __init__(self, directory: Path | None = None) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="harborsync-ca-")
            directory = Path(self._temporary.name)
        self._directory = directory
        self._key = _new_key()
        self._name = _name("harborsync test authority")
        builder = _builder(self._name, self._name, self._key)
        self.ca_file = directory / "ca.pem"
        self._sign(_with_usage(builder, is_authority=True), self.ca_file)

    def server_certificate(self, *hosts: str) -> CertificateFiles:
        """Make a certificate for a server known by ``hosts``: names or addresses."""
        return self._issue("server", hosts or ("127.0.0.1", "localhost"))

    def client_certificate(self, name: str = "client") -> CertificateFiles:
        """Make a certificate for a client called ``name``."""
        return self._issue(name, (name,))

    def server_context(self, *, demand_client: bool = False) -> ssl.SSLContext:
        """Make the TLS settings of a server on loopback.

        Args:
            demand_client: Only clients with a certificate of this authority may connect.
        """
        files = self.server_certificate()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(files.certificate, files.key)
        if demand_client:
            context.load_verify_locations(self.ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def close(self) -> None:
        """Remove the temporary files; may be called again."""
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def _issue(self, name: str, hosts: tuple[str, ...]) -> CertificateFiles:
        from cryptography import x509  # noqa: PLC0415 - heavy

        key = _new_key()
        builder = _with_usage(_builder(_name(name), self._name, key), is_authority=False)
        names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
        files = CertificateFiles(
            certificate=self._directory / f"{name}.pem", key=self._directory / f"{name}.key"
        )
        self._sign(builder.add_extension(names, critical=False), files.certificate)
        _write_key(key, files.key)
        return files

    def _sign(self, builder: CertificateBuilder, path: Path) -> None:
        from cryptography import x509  # noqa: PLC0415 - heavy
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - heavy

        # From Python 3.13 on, a certificate that does not name its issuer's key is refused.
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - heavy

    return ec.generate_private_key(ec.SECP256R1())


def _name(text: str) -> Name:
    from cryptography import x509  # noqa: PLC0415 - heavy

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _builder(subject: Name, issuer: Name, key: EllipticCurvePrivateKey) -> CertificateBuilder:
    from cryptography import x509  # noqa: PLC0415 - heavy

    # The certificate is checked by real TLS against the real time, never by a test's clock.
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _with_usage(builder: CertificateBuilder, *, is_authority: bool) -> CertificateBuilder:
    from cryptography import x509  # noqa: PLC0415 - heavy

    constraints = x509.BasicConstraints(ca=is_authority, path_length=None)
    usage: Any = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return builder.add_extension(constraints, critical=True).add_extension(usage, critical=True)


def _alternative(host: str) -> GeneralName:
    from cryptography import x509  # noqa: PLC0415 - heavy

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_key(key: EllipticCurvePrivateKey, path: Path) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - heavy

    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
