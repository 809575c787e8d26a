"""Asks the APIs of Alibaba Cloud through its SDK, whose requests are signed there and sent here.

What the SDK does otherwise than we want is put right in this one place: its requests are plain
http unless told otherwise, it looks for hosts in the network, it takes other people's keys from
the environment, and it repeats by itself. All requests are made by :func:`_request`.
"""

from __future__ import annotations

import json
import logging
import threading
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.credentials.aliyun import EXTRA
from harborsync.credentials.aliyun_refusals import Unsuccessful, error_of
from harborsync.credentials.cable import ApiAddress, Bridge, Cable
from harborsync.credentials.calling import CloudApi, budget_of
from harborsync.credentials.hushed import load_sdk
from harborsync.credentials.refusals import Said
from harborsync.errors import HarborsyncError, RegistryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from harborsync.credentials.keys import Keys, RenewingKeys
    from harborsync.endpoint import Endpoint
    from harborsync.provider import OpenContext

_PURPOSE: Final = "speaking to Alibaba Cloud's registries"


@attrs.frozen(kw_only=True)
class Wish:
    """One call of an API.

    Attributes:
        version: The version of the API.
        action: What is asked for.
        query: Its parameters; those that are None are left out.
        method: The HTTP method.
        path: The path, where the API has some; else the action says it all.
        body: What is sent as JSON, or None.
    """

    version: str
    action: str
    query: Mapping[str, Any] = attrs.field(factory=dict)
    method: str = "POST"
    path: str = ""
    body: Any = None


class AliyunApi:
    """One API in one region, asked as one identity; safe to use from many threads.

    Loads the SDK at the first call.

    Args:
        url: Where it listens.
        region: The region.
        keys: Who asks.
        endpoint: The registry's endpoint, whose options say how the cable is laid.
        context: Clock, policy, limits, cancel flag, listeners.
        per_second: How many calls start a second.
    """

    def __init__(
        self,
        url: str,
        region: str,
        keys: RenewingKeys,
        endpoint: Endpoint,
        context: OpenContext,
        *,
        per_second: float,
    ) -> None:
        self._address = ApiAddress.of(url)
        self._region = region
        self._keys = keys
        self._context = context
        self._per_second = per_second
        self._cable = Cable(self._address, endpoint, context)
        self._lock = threading.Lock()
        self._client: tuple[Keys, Any] | None = None

    @property
    def keys(self) -> Keys:
        """The keys that a call would be signed by now."""
        return self._keys.get()

    def call(self, what: str, wish: Wish) -> dict[str, Any]:
        """Return the answer to a call, tried as often as the policy says.

        Args:
            what: What is done, as it follows "cannot".
            wish: The call.

        Raises:
            HarborsyncError: It was refused, or cannot be reached.
            MissingDependency: The SDK is not installed.
        """
        return self._keys.use(partial(self._called, what, wish))

    def close(self) -> None:
        """Close the connections; may be called again."""
        self._cable.close()

    def _called(self, what: str, wish: Wish, keys: Keys) -> dict[str, Any]:
        caller = caller_of(self._address, self._context, self._per_second)
        return caller.call(what, lambda: self._asked(what, wish, keys))

    def _asked(self, what: str, wish: Wish, keys: Keys) -> dict[str, Any]:
        """Make one call; its request is used once, since signing writes into it."""
        request = _request(wish, self._address)
        return read_answer(self._client_of(keys).do_action_with_exception(request), what)

    def _client_of(self, keys: Keys) -> Any:
        with self._lock:
            if self._client is None or self._client[0] != keys:
                self._client = keys, _client(keys, self._region, self._address, self._cable)
            return self._client[1]


def caller_of(address: ApiAddress, context: OpenContext, per_second: float) -> CloudApi:
    """Return what calls an API at its pace, and again after what passes."""
    exceptions = _sdk("acs_exception.exceptions")
    return CloudApi(
        name=address.netloc,
        context=context,
        budget=budget_of(address.netloc, context.clock, per_second),
        translate=error_of,
        expected=(
            exceptions.ClientException,
            exceptions.ServerException,
            HarborsyncError,
            Unsuccessful,
        ),
    )


def read_answer(body: bytes, what: str) -> dict[str, Any]:
    """Read an answer of status 200, which may be a refusal all the same.

    Raises:
        Unsuccessful: It is one.
        RegistryError: It is nothing that Alibaba says.
    """
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        msg = f"cannot {what}: the answer is none of Alibaba Cloud's"
        raise RegistryError(msg, hint="something else may have answered, such as a proxy")
    if said.get("IsSuccess") is False:
        raise Unsuccessful(
            Said(
                code=str(said.get("Code") or "Unknown"),
                message=str(said.get("Message") or ""),
                status=200,
                request_id=said.get("RequestId"),
            )
        )
    return said


# --- the SDK -------------------------------------------------------------------------------------


@cache
def _sdk(module: str) -> ModuleType:
    """Load a part of the SDK, and take away the handler it brings, which prints at DEBUG."""
    found = load_sdk(f"aliyunsdkcore.{module}", extra=EXTRA, purpose=_PURPOSE)
    talker = logging.getLogger("aliyunsdkcore.http.http_response")
    talker.handlers.clear()
    talker.setLevel(logging.NOTSET)
    return found


def _client(keys: Keys, region: str, address: ApiAddress, cable: Cable) -> Any:
    """Return a client that signs by these keys, whatever the environment holds."""
    key_id, secret = keys.key_id, keys.secret.reveal()
    core = _sdk("client")
    client = core.AcsClient(key_id, secret, region, auto_retry=False, port=address.port)
    if keys.token is not None:
        # Handed over as an argument it would come after the keys that are in the environment.
        session = _sdk("auth.credentials").StsTokenCredential(key_id, secret, keys.token.reveal())
        signers = _sdk("auth.signers.sts_token_signer")
        client._signer = signers.StsTokenSigner(session)  # noqa: SLF001 - there is no other way
    bridge = Bridge(cable, _sdk("vendored.requests").Response)
    for scheme in ("http://", "https://"):
        client.session.mount(scheme, bridge)
    return client


def _request(wish: Wish, address: ApiAddress) -> Any:
    """Make a request of the SDK: the only place where one is made."""
    core = _sdk("request")
    if wish.path:
        request = core.RoaRequest("cr", wish.version, wish.action, method=wish.method)
        request.set_uri_pattern(wish.path)
    else:
        request = core.RpcRequest("cr", wish.version, wish.action)
        request.set_method(wish.method)
    for name, value in wish.query.items():
        if value is not None:
            request.add_query_param(name, value)
    if wish.body is not None:
        request.set_content_type("application/json")
        request.set_content(json.dumps(wish.body).encode())
    request.set_protocol_type(address.scheme)
    request.set_endpoint(address.host)
    return request
