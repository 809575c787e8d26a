"""Turns our values into plain mappings and back, for JSON plans and for rule files.

Values that have a one-line text (endpoints, filters, digests, platforms …) stand as that text;
records stand as mappings of their fields, those with their default value left out. Reading is
strict: an unknown key is an error that names it, and no number becomes a text by itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from harborsync.content import Platform
from harborsync.endpoint import Endpoint
from harborsync.errors import ConfigurationError, InvalidValue
from harborsync.filters import Filter
from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.rule import OnConflict, Rename

if TYPE_CHECKING:
    from cattrs import Converter

_T = TypeVar("_T")
_W = TypeVar("_W", bound=StrEnum)


def to_mapping(value: object) -> Any:
    """Return ``value`` as mappings, lists, texts and numbers that JSON and YAML can hold."""
    return _converter().unstructure(value)


def from_mapping(kind: type[_T], data: object) -> _T:
    """Read a value of type ``kind``.

    Raises:
        ConfigurationError: The data does not fit; the message names every place that does not.
    """
    from cattrs import transform_error  # noqa: PLC0415 - 100 ms that only readers pay
    from cattrs.errors import BaseValidationError  # noqa: PLC0415

    if not isinstance(data, dict):
        msg = f"what should be a {kind.__name__} has no keys"
        raise ConfigurationError(msg)
    try:
        return _converter().structure(data, kind)
    except BaseValidationError as error:
        faults = transform_error(error, path=kind.__name__, format_exception=_explain)
        msg = "; ".join(faults)
        raise ConfigurationError(msg) from error


def _explain(error: BaseException, kind: type | None) -> str:
    if isinstance(error, ConfigurationError):
        return str(error).replace("\n", " ")
    if isinstance(error, KeyError):
        return f"the key {error} is lacking"
    if isinstance(error, TypeError):
        return str(error)
    from cattrs.v import format_exception  # noqa: PLC0415

    return format_exception(error, kind)


@cache
def _converter() -> Converter:
    from cattrs import Converter  # noqa: PLC0415

    converter = Converter(
        forbid_extra_keys=True,
        omit_if_default=True,
        unstruct_collection_overrides={frozenset: sorted},
    )
    # The hook of a class serves the classes derived from it, too: here, every StrEnum.
    converter.register_structure_hook(
        str, lambda value, kind: _text(value) if kind is str else _word(value, kind)
    )
    converter.register_structure_hook(bool, _strictly(bool))
    converter.register_structure_hook(int, _strictly(int))
    converter.register_unstructure_hook(Tag, str)
    converter.register_structure_hook(Tag, lambda value, _: Tag(_text(value)))
    for kind in (Endpoint, Digest, ArtifactRef, Platform):
        _as_text(converter, kind)
    converter.register_unstructure_hook_func(_is_filter, str)
    converter.register_structure_hook(Filter, lambda value, _: Filter.parse(_text(value)))
    converter.register_unstructure_hook(datetime, _time_text)
    converter.register_structure_hook(datetime, lambda value, _: _time(value))
    converter.register_structure_hook(
        OnConflict | Rename,
        lambda value, _: _on_conflict(converter, value),
    )
    return converter


def _as_text(converter: Converter, kind: Any) -> None:
    converter.register_unstructure_hook(kind, str)
    converter.register_structure_hook(kind, lambda value, _: kind.parse(_text(value)))


def _is_filter(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Filter)


def _word(value: object, kind: type[_W]) -> _W:
    """Read one of the words of a closed set, or list them."""
    try:
        return kind(_text(value))
    except ValueError:
        msg = f"{value!r} is none of {', '.join(kind)}"
        raise InvalidValue(msg) from None


def _text(value: object, _: object = None) -> str:
    if not isinstance(value, str):
        msg = f"{value!r} is no text; put it in quotes"
        raise TypeError(msg)
    return value


def _strictly(kind: type) -> Any:
    def structure(value: object, _: object) -> object:
        if type(value) is not kind:
            msg = f"{value!r} is no {kind.__name__}"
            raise TypeError(msg)
        return value

    return structure


def _time_text(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()


def _time(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(_text(value))
    except ValueError as error:
        msg = f"{value!r} is no time"
        raise TypeError(msg) from error
    if found.tzinfo is None:
        msg = f"{value!r} has no time zone"
        raise TypeError(msg)
    return found.astimezone(UTC)


def _on_conflict(converter: Converter, value: object) -> OnConflict | Rename:
    if isinstance(value, dict):
        return converter.structure(value, Rename)
    return _word(value, OnConflict)
