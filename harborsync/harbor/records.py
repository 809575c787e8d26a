"""Turns Harbor's JSON into frozen values and back.

Harbor leaves out what is empty, zero or false, says null for an empty list, writes the year 1
for "never" and five asterisks for a secret (HARBOR §1, §8). So every field of a value here has
a default, a flag that is absent is false, and a masked secret is None and never sent back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from harborsync.errors import RegistryError
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cattrs import Converter

_T = TypeVar("_T")

#: What Harbor shows instead of a secret.
MASK: Final = "*****"

#: What Harbor decides, and nobody sends.
READ_ONLY: Final = frozenset({"id", "creation_time", "update_time", "status"})


def read(kind: type[_T], data: object) -> _T:
    """Read a value of type ``kind`` from parsed JSON, whatever is lacking.

    Raises:
        RegistryError: The data has another shape altogether.
    """
    from cattrs.errors import BaseValidationError  # noqa: PLC0415 - 100 ms that only readers pay

    try:
        return _converter().structure(data, kind)
    except (BaseValidationError, TypeError, ValueError) as error:
        msg = f"Harbor answered with what is no {kind.__name__}"
        raise RegistryError(
            msg, hint="is this address a Harbor's, of version 2.0 or later?"
        ) from error


def read_all(kind: type[_T], items: Iterable[object] | None) -> tuple[_T, ...]:
    """Read values of type ``kind``; null is no values."""
    return tuple(read(kind, item) for item in items or ())


def write(value: object) -> Any:
    """Return what to send for a value: no unknowns, nothing read-only, secrets in clear."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [write(item) for item in value]
    if isinstance(value, Mapping):
        return {key: write(item) for key, item in value.items()}
    if attrs.has(type(value)):
        return _fields(value)
    return value


def _fields(value: Any) -> dict[str, Any]:
    named = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
    return {
        name: write(item)
        for name, item in named.items()
        if item is not None and name not in READ_ONLY
    }


@cache
def _converter() -> Converter:
    from cattrs import Converter  # noqa: PLC0415
    from cattrs.gen import make_dict_structure_fn  # noqa: PLC0415

    converter = Converter(prefer_attrib_converters=False)
    converter.register_structure_hook(datetime, lambda value, _: _time(value))
    converter.register_structure_hook(Secret, lambda value, _: _secret(value))
    converter.register_structure_hook(str | tuple[str, ...], lambda value, _: _words(value))
    converter.register_structure_hook_factory(
        attrs.has, lambda kind: _lenient(kind, make_dict_structure_fn(kind, converter))
    )
    return converter


def _lenient(kind: Any, structure: Any) -> Any:
    """Let null be absent, and an absent flag false."""
    flags = {field.name: False for field in attrs.fields(kind) if field.type in (bool, "bool")}

    def lenient(data: Any, wanted: Any) -> Any:
        if not isinstance(data, dict):
            msg = f"{type(data).__name__} where an object should be"
            raise TypeError(msg)
        return structure(flags | {k: v for k, v in data.items() if v is not None}, wanted)

    return lenient


def _time(value: object) -> datetime | None:
    """Read a time, or seconds since 1970; the year 1, 0 and -1 are never."""
    if isinstance(value, int):
        return datetime.fromtimestamp(value, UTC) if value > 0 else None
    found = datetime.fromisoformat(str(value)).astimezone(UTC)
    return None if found.year == 1 else found


def _secret(value: object) -> Secret | None:
    return None if value in ("", MASK) else Secret(str(value))


def _words(value: object) -> str | tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else str(value)
