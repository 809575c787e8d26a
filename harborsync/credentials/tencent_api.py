"""Asks the APIs of Tencent Cloud through its SDK, whose requests are signed there and sent here.

The SDK's own session takes a proxy although NO_PROXY names the host, reads logins for hosts from
``~/.netrc``, and cannot be cancelled. So it signs and reads only, as it does for Alibaba.
"""

from __future__ import annotations

import io
import json
import threading
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from harborsync import __version__
from harborsync.credentials.cable import ApiAddress, Bridge, Cable
from harborsync.credentials.calling import CloudApi, budget_of
from harborsync.credentials.hushed import load_sdk
from harborsync.credentials.tencent import EXTRA
from harborsync.credentials.tencent_refusals import error_of
from harborsync.errors import HarborsyncError, RegistryError, ServerError

if TYPE_CHECKING:
    from types import ModuleType

    from harborsync.credentials.keys import Keys, RenewingKeys
    from harborsync.endpoint import Endpoint
    from harborsync.provider import OpenContext

_PURPOSE: Final = "speaking to Tencent Cloud's registries"
_VERSIONS: Final = {"sts": "2018-08-13", "tcr": "2019-09-24"}
#: Tencent's documents allow an account a hundred reads and twenty writes a second; half is left.
READS_PER_SECOND: Final = 50.0
WRITES_PER_SECOND: Final = 10.0
_READS: Final = "Describe"
_OK: Final = 200
_FIRST_FAILURE: Final = 500


class TencentApi:
    """One service's API, asked as one identity; safe to use from many threads.

    Loads the SDK at the first call.

    Args:
        service: ``tcr`` or ``sts``.
        url: Where it listens, or None for the usual place.
        keys: Who asks; None for nobody, who signs nothing.
        endpoint: The registry's endpoint, whose options say how the cable is laid.
        context: Clock, policy, limits, cancel flag, listeners.
    """

    def __init__(
        self,
        service: str,
        url: str | None,
        keys: RenewingKeys | None,
        endpoint: Endpoint,
        context: OpenContext,
    ) -> None:
        self._service = service
        self._address = ApiAddress.of(url or f"https://{service}.tencentcloudapi.com")
        self._source = keys
        self._context = context
        self._cable = Cable(self._address, endpoint, context)
        self._lock = threading.Lock()
        self._clients: dict[str, tuple[Keys | None, Any]] = {}

    @property
    def keys(self) -> Keys | None:
        """The keys that a call would be signed by now."""
        return None if self._source is None else self._source.get()

    def call(self, what: str, action: str, region: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to an action, tried as often as the policy says.

        Args:
            what: What is done, as it follows "cannot".
            action: What is asked for.
            region: In which region.
            parameters: Its parameters; those that are None are left out.

        Raises:
            HarborsyncError: It was refused, or cannot be reached.
            MissingDependency: The SDK is not installed.
        """
        wish = {name: value for name, value in parameters.items() if value is not None}
        called = partial(self._called, what, action, region, wish)
        return called(None) if self._source is None else self._source.use(called)

    def close(self) -> None:
        """Close the connections; may be called again."""
        self._cable.close()

    def _called(
        self, what: str, action: str, region: str, wish: dict[str, Any], keys: Keys | None
    ) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            # The client is made within a call: what it finds wrong is an answer, too.
            client = self._client_of(keys, region)
            said = client.call_json(action, wish, options={"SkipSign": keys is None})
            found: dict[str, Any] = said["Response"]
            return found

        return self._caller(action).call(what, ask)

    def _caller(self, action: str) -> CloudApi:
        reads = action.startswith(_READS)
        budget = f"{self._address.netloc} ({'reads' if reads else 'writes'})"
        exceptions = _sdk("common.exception.tencent_cloud_sdk_exception")
        return CloudApi(
            name=self._address.netloc,
            context=self._context,
            budget=budget_of(
                budget, self._context.clock, READS_PER_SECOND if reads else WRITES_PER_SECOND
            ),
            translate=error_of,
            expected=(exceptions.TencentCloudSDKException, HarborsyncError),
        )

    def _client_of(self, keys: Keys | None, region: str) -> Any:
        with self._lock:
            held, client = self._clients.get(region, (None, None))
            if client is None or held != keys:
                client = _client(self._service, keys, region, self._address, self._cable)
                self._clients[region] = keys, client
            return client


class SdkBridge(Bridge):
    """Takes the place of an adapter in the SDK's session of requests."""

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Send a request that the SDK has prepared, and return what requests would.

        Raises:
            ServerError: The service fails.
            RegistryError: Somebody else has answered.
        """
        response = super().send(request, **kwargs)
        body = response.raw.getvalue()
        _check(response.status_code, body, str(request.url))
        # The SDK looks for refusals in this type only, spelt like this.
        response.headers["Content-Type"] = "application/json"
        response.encoding = "utf-8"
        response.raw = _Raw(body)
        return response


class _Raw(io.BytesIO):
    """A body as the SDK's log wants it."""

    version = 11


def _check(status: int, body: bytes, url: str) -> None:
    if status == _OK and _is_of_tencent(body):
        return
    kind = ServerError if status >= _FIRST_FAILURE else RegistryError
    msg = f"{url} answers {status}, and not as Tencent Cloud does"
    hint = "something else may have answered, such as a proxy"
    raise kind(msg, method="POST", url=url, status=status, hint=hint)


def _is_of_tencent(body: bytes) -> bool:
    try:
        said = json.loads(body)
    except ValueError:
        return False
    return isinstance(said, dict) and isinstance(said.get("Response"), dict)


# --- the SDK -------------------------------------------------------------------------------------


def _sdk(module: str) -> ModuleType:
    return load_sdk(f"tencentcloud.{module}", extra=EXTRA, purpose=_PURPOSE)


def _bear_its_habits() -> None:
    """Let the SDK use what Python 3.12 deprecates, even where warnings are errors."""
    warnings.filterwarnings(
        "ignore", r"datetime\.datetime\.utcfromtimestamp", DeprecationWarning, r"tencentcloud\."
    )


def _client(service: str, keys: Keys | None, region: str, address: ApiAddress, cable: Cable) -> Any:
    """Return a client that signs by these keys and sends over our cable."""
    _bear_its_habits()
    profile = _sdk("common.profile.client_profile").ClientProfile(
        signMethod="TC3-HMAC-SHA256",
        language="en-US",
        httpProfile=_sdk("common.profile.http_profile").HttpProfile(
            protocol=address.scheme, endpoint=address.netloc
        ),
        disable_region_breaker=True,  # it swallows exceptions
    )
    profile.request_client = f"harborsync-{__version__}"  # a slash is not allowed in it
    client = _made(service, _credential(keys), region, profile)
    session = client.request.conn._session  # noqa: SLF001 - there is no other way
    session.trust_env = False  # ~/.netrc would take the place of the signature
    bridge = SdkBridge(cable, _sdk("common.http.request").requests.Response)
    for scheme in ("http://", "https://"):
        session.mount(scheme, bridge)
    return client


def _made(service: str, credential: Any, region: str, profile: Any) -> Any:
    if service == "tcr":
        return _sdk("tcr.v20190924.tcr_client").TcrClient(credential, region, profile)
    common = _sdk("common.common_client")
    return common.CommonClient(service, _VERSIONS[service], credential, region, profile)


def _credential(keys: Keys | None) -> Any:
    if keys is None:
        return None
    token = None if keys.token is None else keys.token.reveal()
    return _sdk("common.credential").Credential(keys.key_id, keys.secret.reveal(), token)
