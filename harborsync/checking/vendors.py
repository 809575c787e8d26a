"""What each product adds to a check; a plug-in brings its own in ``Provider.checks``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from harborsync.provider import Checks

if TYPE_CHECKING:
    from harborsync.provider import Provider

#: A new product of ours adds its name and its module here.
_MODULES: Final = {
    "acr": "harborsync.checking.alibaba:ACR",
    "ecr": "harborsync.checking.amazon:ECR",
    "ecr-public": "harborsync.checking.amazon:ECR_PUBLIC",
    "gar": "harborsync.checking.google:GAR",
    "harbor": "harborsync.checking.harbor:HARBOR",
    "tcr": "harborsync.checking.tencent:TCR",
}


def checks_of(provider: Provider) -> Checks:
    """Return what a provider's product adds to a check; nothing if it is not known for any."""
    if provider.checks is not None:
        return provider.checks
    if provider.name not in _MODULES:
        return Checks()
    module, _, name = _MODULES[provider.name].partition(":")
    found: Checks = getattr(importlib.import_module(module), name)
    return found
