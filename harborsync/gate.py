"""The gate: an address goes in, an open registry comes out.

    >>> from harborsync.gate import find_provider
    >>> from harborsync import Endpoint
    >>> find_provider(Endpoint.parse("registry.example/team")).name
    'registry'

Which provider opens an endpoint is found by its name: first among the built-in ones, then
among installed packages that offer one under the entry-point group ``harborsync.providers``.
An endpoint that is only a host goes to the one provider that knows the host for its own: that
of a plug-in, or of the cloud whose name the host bears (:mod:`harborsync.clouds`). All others go
to ``registry``. Nothing of a provider is imported before it is needed.
"""

from __future__ import annotations

import difflib
import importlib
import logging
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.clouds import recognise
from harborsync.credentials.defaults import Named, default_credentials
from harborsync.endpoint import BY_HOST, Endpoint
from harborsync.errors import ConfigurationError, UnknownProvider
from harborsync.limited import LimitedRegistry
from harborsync.limiter import Limiter, Schedule
from harborsync.provider import OpenContext, Provider

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

    from harborsync.registry import Registry

_log = logging.getLogger(__name__)

#: The entry-point group under which other packages offer providers.
GROUP: Final = "harborsync.providers"
#: What speaks to a host that no provider knows for its own.
ANY_REGISTRY: Final = "registry"

_BUILT_IN: Final = {
    "acr": "harborsync.registries.acr:PROVIDER",
    "docker-archive": "harborsync.registries.archive:DOCKER_ARCHIVE",
    "ecr": "harborsync.registries.ecr:PROVIDER",
    "ecr-public": "harborsync.registries.ecr_public:PROVIDER",
    "gar": "harborsync.registries.gar:PROVIDER",
    "harbor": "harborsync.registries.harbor:PROVIDER",
    "memory": "harborsync.registries.memory:PROVIDER",
    "oci": "harborsync.registries.layout:PROVIDER",
    "oci-archive": "harborsync.registries.archive:OCI_ARCHIVE",
    ANY_REGISTRY: "harborsync.registries.distribution:PROVIDER",
    "tcr": "harborsync.registries.tcr:PROVIDER",
}


def open_registry(
    endpoint: Endpoint | str,
    context: OpenContext | None = None,
    *,
    plugins: Iterable[EntryPoint] | None = None,
) -> Registry:
    """Open the registry at an endpoint; makes no request yet.

    Args:
        endpoint: The endpoint, or its text.
        context: What the registry takes from outside; the usual logins and limits of this
            machine if left out.
        plugins: Offers of other packages; those installed if left out.

    Raises:
        UnknownProvider: Nobody opens such an endpoint, or two do.
        InvalidValue: The endpoint cannot be read, or an option of it is wrong.
        MissingDependency: The provider needs an extra that is not installed.
    """
    address = Endpoint.parse(endpoint) if isinstance(endpoint, str) else endpoint
    outside = context or OpenContext(credentials=default_credentials())
    provider = find_provider(address, plugins=plugins)
    place = address.address if address.is_path else provider.host(address)
    address, outside = with_named_login(address, outside, place)
    address, limiter = _with_bandwidth(address, outside, place)
    registry = provider.open(address, outside)
    return registry if limiter is None else LimitedRegistry(registry, limiter, outside.cancel)


def find_provider(endpoint: Endpoint, *, plugins: Iterable[EntryPoint] | None = None) -> Provider:
    """Return the provider that opens an endpoint.

    Raises:
        UnknownProvider: There is none, there are two, or it cannot be loaded.
    """
    offers = installed_plugins() if plugins is None else tuple(plugins)
    if endpoint.provider == BY_HOST:
        return _by_host(endpoint.host, offers)
    return _by_name(endpoint.provider, offers)


def prefix_of(endpoint: Endpoint, *, plugins: Iterable[EntryPoint] | None = None) -> str:
    """Return what the names of all repositories below an endpoint begin with; often nothing.

    Raises:
        UnknownProvider: Nobody opens such an endpoint, or two do.
    """
    return find_provider(endpoint, plugins=plugins).prefix(endpoint)


@cache
def installed_plugins() -> tuple[EntryPoint, ...]:
    """Return the offers of installed packages, looked up once."""
    return tuple(metadata.entry_points(group=GROUP))


def _by_name(name: str, plugins: Iterable[EntryPoint]) -> Provider:
    offers = tuple(plugin for plugin in plugins if plugin.name == name)
    owners = [*(["harborsync itself"] if name in _BUILT_IN else []), *map(_owner, offers)]
    if len(owners) > 1:
        msg = f"the provider {name!r} is offered by {' and by '.join(sorted(owners))}"
        raise UnknownProvider(msg, hint="uninstall all but one")
    if offers:
        return _load_plugin(offers[0])
    if name in _BUILT_IN:
        return _load(_BUILT_IN[name])
    raise _unknown(name, plugins)


def _by_host(host: str, plugins: Iterable[EntryPoint]) -> Provider:
    """Ask every plug-in whether the host is its own; a broken one is passed over, loudly."""
    takers: dict[str, Provider] = {}
    for plugin in plugins:
        try:
            provider = _load_plugin(plugin)
        except UnknownProvider as error:
            _log.warning("passed over for %s: %s", host, error.message)
            continue
        if provider.recognises(host):
            takers[_owner(plugin)] = provider
    if len(takers) > 1:
        msg = f"the host {host!r} is claimed by {' and by '.join(sorted(takers))}"
        names = " or ".join(sorted(f"{taker.name}://" for taker in takers.values()))
        raise UnknownProvider(msg, hint=f"write {names} before the host")
    return next(iter(takers.values()), None) or _of_cloud(host)


def _of_cloud(host: str) -> Provider:
    cloud = recognise(host)
    name = cloud.provider if cloud is not None else ANY_REGISTRY
    return _load(_BUILT_IN.get(name, _BUILT_IN[ANY_REGISTRY]))


def _load(target: str) -> Provider:
    module, _, attribute = target.partition(":")
    provider: Provider = getattr(importlib.import_module(module), attribute)
    return provider


def _load_plugin(plugin: EntryPoint) -> Provider:
    try:
        provider = plugin.load()
    except Exception as error:
        msg = f"the provider {plugin.name!r} of {_owner(plugin)} cannot be loaded: {error!r}"
        raise UnknownProvider(msg, hint=f"reinstall {_owner(plugin)}, or uninstall it") from error
    if not isinstance(provider, Provider):
        msg = f"the provider {plugin.name!r} of {_owner(plugin)} is a {type(provider).__name__}"
        raise UnknownProvider(
            msg, hint=f"{plugin.value} must be a harborsync.provider.Provider; tell its author"
        )
    return provider


def _owner(plugin: EntryPoint) -> str:
    return plugin.dist.name if plugin.dist is not None else plugin.value


def _unknown(name: str, plugins: Iterable[EntryPoint]) -> UnknownProvider:
    known = sorted({*_BUILT_IN, *(plugin.name for plugin in plugins)})
    close = difflib.get_close_matches(name, known, n=2)
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    return UnknownProvider(
        f"there is no provider {name!r}", hint=f"{meant}known are {', '.join(known)}"
    )


def with_named_login(
    endpoint: Endpoint, context: OpenContext, place: str
) -> tuple[Endpoint, OpenContext]:
    """Turn the option ``credentials=NAME`` into a source that knows that login only.

    Args:
        endpoint: Whose option.
        context: Whose logins.
        place: The host that the login is for.

    Raises:
        ConfigurationError: The option names nothing, or the endpoint has no host.
    """
    options = endpoint.options
    name = options.pop("credentials", None)
    if name is None:
        return endpoint, context
    if not name or endpoint.is_path:
        msg = f"the option credentials={name!r} says nothing for {endpoint}"
        raise ConfigurationError(msg, hint="name a login, for an endpoint that has a host")
    source = Named(context.credentials, name, host=place)
    return attrs.evolve(endpoint, option_items=options), attrs.evolve(context, credentials=source)


def _with_bandwidth(
    endpoint: Endpoint, context: OpenContext, place: str
) -> tuple[Endpoint, Limiter | None]:
    """Turn the option ``bandwidth=LIMIT`` into the limiter of the host."""
    options = endpoint.options
    text = options.pop("bandwidth", None)
    if text is None:
        return endpoint, None
    limiter = context.limiters.get(place, Schedule.parse(text))
    return attrs.evolve(endpoint, option_items=options), limiter
