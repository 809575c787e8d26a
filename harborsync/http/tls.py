"""What TLS is trusted with: never below 1.2, the system's CAs and those the user adds.

``REQUESTS_CA_BUNDLE`` and its like are ignored. Where the system's own store lies is for
OpenSSL to say, ``SSL_CERT_FILE`` included.
"""

from __future__ import annotations

import ssl
import threading

import attrs

from harborsync.errors import InvalidValue


@attrs.frozen(kw_only=True)
class TlsIdentity:
    """Who we trust and who we are; connections are shared only between equal ones (OCI-9.14).

    Attributes:
        ca: File of CA certificates trusted beside the system's, or None.
        cert: File of the client certificate, or None.
        key: File of its key, or None if it is in ``cert``.
        insecure: Whether any certificate of the server is taken.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    insecure: bool = False

    @property
    def names_files(self) -> bool:
        """Whether files are named, which may be lacking."""
        return any((self.ca, self.cert, self.key))

    def context(self) -> ssl.SSLContext:
        """Make the context for connections.

        Raises:
            InvalidValue: A file is lacking or is not what it should be.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_default_certs()
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._load_files(context)
        return context

    def _load_files(self, context: ssl.SSLContext) -> None:
        try:
            if self.ca is not None:
                context.load_verify_locations(cafile=self.ca)
            if self.cert is not None:
                context.load_cert_chain(self.cert, self.key)
        except OSError as fault:  # ssl.SSLError is one
            files = ", ".join(name for name in (self.ca, self.cert, self.key) if name)
            msg = f"the TLS files {files} cannot be used: {fault.strerror or fault}"
            raise InvalidValue(
                msg, hint="ca, cert and key are paths of PEM files, the key without a password"
            ) from fault


class TlsContext:
    """The context of an identity, made when it is first needed; thread-safe.

    Making one reads all the system's certificates, which plain http has no use for.

    Args:
        identity: Who we trust and who we are.

    Raises:
        InvalidValue: A file of the identity is lacking or is not what it should be.
    """

    def __init__(self, identity: TlsIdentity) -> None:
        self._identity = identity
        self._lock = threading.Lock()
        self._context = identity.context() if identity.names_files else None

    def __call__(self) -> ssl.SSLContext:
        """Return the context, the same each time."""
        with self._lock:
            if self._context is None:
                self._context = self._identity.context()
            return self._context
