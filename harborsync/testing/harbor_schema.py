"""Bodies of requests, checked as Harbor's generated code does before a handler sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harborsync.testing import harbor_refusals as refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

_WIDTHS: Final = {"int8": 7, "int32": 31, "int64": 63}
_GO_NAMES: Final = {bool: "bool", int: "number", float: "number", str: "string", list: "array"}
_PYTHON: Final[Mapping[str, tuple[type, ...]]] = {
    "bool": (bool,),
    "string": (str,),
    "list": (list,),
    "objects": (list,),
    "object": (dict,),
    **dict.fromkeys(_WIDTHS, (int,)),
}


def typed(body: Any, what: str, structure: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the known fields of a body, nulls left out.

    Args:
        body: The parsed body.
        what: What messages call the body.
        structure: What they call its type.
        fields: The type of each field: ``bool``, ``string``, ``list``, ``object``, ``objects``
            for a list of these, or an integer such as ``int8``.

    Raises:
        HarborError: The body is no object, or a field of it has another type.
    """
    document = body if isinstance(body, dict) else {}
    for name, kind in fields.items():
        value = document.get(name)
        if value is not None and not _fits(value, kind):
            shown = f"{_go(value)}{f' {value}' if kind in _WIDTHS and _is_int(value) else ''}"
            refuse.unprocessable(
                f'parsing {what} body from "" failed, because json: cannot unmarshal {shown} '
                f"into Go struct field {structure}.{name} of type {kind}"
            )
    known = ((name, document.get(name)) for name in fields)
    return {name: value for name, value in known if value is not None}


def one_of(body: Mapping[str, Any], name: str, allowed: tuple[str, ...], path: str) -> None:
    """Refuse a value that the API's description does not list.

    Raises:
        HarborError: It is not among ``allowed``.
    """
    if body.get(name) not in {None, *allowed}:
        listed = f"[{' '.join(allowed)}]"
        refuse.unprocessable(f"validation failure list:\n{path} in body should be one of {listed}")


def _fits(value: object, kind: str) -> bool:
    if kind in _WIDTHS:
        limit = 2 ** _WIDTHS[kind]
        return _is_int(value) and isinstance(value, int) and -limit <= value < limit
    if kind == "objects" and isinstance(value, list):
        return all(isinstance(each, dict) for each in value)
    return isinstance(value, _PYTHON[kind])


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _go(value: object) -> str:
    return _GO_NAMES.get(type(value), "object")
