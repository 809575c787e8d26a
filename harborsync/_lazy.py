"""Import on demand: the front door stays light, and a missing package names its extra."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from harborsync.errors import MissingDependency

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import ``module``, which the extra ``extra`` brings.

    Raises:
        MissingDependency: It is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        msg = f"{purpose} needs the package that provides {module!r}, which is not installed"
        raise MissingDependency(msg, hint=f"pip install 'harborsync[{extra}]'") from error


def lazy_names(package: str, table: Mapping[str, str]) -> Callable[[str], object]:
    """Return a module-level ``__getattr__`` that loads ``{name: module}`` on first use."""

    def load(name: str) -> object:
        module = table.get(name)
        if module is None:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        return getattr(importlib.import_module(module), name)

    return load
