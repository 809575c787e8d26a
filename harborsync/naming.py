r"""The label desk: under which name an artifact is stored at its destination.

    >>> from harborsync.reference import ArtifactRef
    >>> naming = Naming("mirror/{repository}", tag="{tag}-acr")
    >>> str(naming.apply(ArtifactRef.parse("team/app:v1")))
    'mirror/team/app:v1-acr'

A name passes these stations, all of which leave it alone unless told otherwise:

1. ``namespaces``: the longest of these leading path parts is replaced by what it maps to;
2. ``rewrites``: each regular expression's matches are replaced, one after the other;
3. ``flatten`` and ``namespace``: leading parts are dropped, then others put before;
4. ``repository``: a template with the fields of the table below.

================ ===================== ==========
field            of ``team/web/app``   of ``app``
================ ===================== ==========
``{repository}`` ``team/web/app``      ``app``
``{project}``    ``team``              (empty)
``{path}``       ``web``               (empty)
``{namespace}``  ``team/web``          (empty)
``{name}``       ``app``               ``app``
================ ===================== ==========

A field that is empty takes its slash with it. The tag's template has ``{tag}`` besides. Tags
that hang on a digest (``sha256-…``) keep their names, whatever the templates (OCI-6.10).
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import attrs

from harborsync.errors import InvalidReference, InvalidValue, NamingCollision
from harborsync.filters.patterns import compile_pattern
from harborsync.reference import ArtifactRef, Tag

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from harborsync.registry import Quirks

_S = TypeVar("_S", bound="Hashable")

_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_REPOSITORY_FIELDS: Final = ("repository", "project", "path", "namespace", "name")
_TAG_FIELDS: Final = (*_REPOSITORY_FIELDS, "tag")
_SHOWN_COLLISIONS: Final = 20


def _pairs(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), str(value)) for key, value in dict(pairs).items())


def _paths(
    pairs: Mapping[str, str] | Iterable[tuple[str, str]],
) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((old.strip("/"), new.strip("/")) for old, new in _pairs(pairs)))


@attrs.frozen
class Naming:
    r"""How names at the source become names at the destination.

    Attributes:
        repository: Template of the repository's name.
        tag: Template of the tag.
        tag_prefix: What to put before every tag.
        tag_suffix: What to put behind every tag.
        namespace: What to put before the name, one or more path parts, or empty.
        flatten: How many leading path parts to drop, from 0; -1 drops all but the last. As
            Harbor's flattening level, but that 0 is the default here.
        rewrites: Regular expressions and what to put for each of their matches, in order;
            ``\1`` stands for the first group.
        namespaces: Leading path parts and what to put in their place.
    """

    repository: str = "{repository}"
    tag: str = attrs.field(default="{tag}", kw_only=True)
    tag_prefix: str = attrs.field(default="", kw_only=True)
    tag_suffix: str = attrs.field(default="", kw_only=True)
    namespace: str = attrs.field(default="", kw_only=True)
    flatten: int = attrs.field(default=0, kw_only=True)
    rewrites: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_pairs, kw_only=True)
    namespaces: tuple[tuple[str, str], ...] = attrs.field(
        default=(), converter=_paths, kw_only=True
    )

    def __attrs_post_init__(self) -> None:
        """Refuse templates and levels that can never work.

        Raises:
            InvalidValue: One of them cannot.
            FilterSyntaxError: A rewrite is no regular expression.
        """
        _check_template(self.repository, _REPOSITORY_FIELDS)
        _check_template(self.tag, _TAG_FIELDS)
        if self.flatten < -1:
            msg = f"{self.flatten} is no flattening level"
            raise InvalidValue(msg, hint="use -1 for the last part alone, or the number to drop")
        if any(not old for old, _ in self.namespaces):
            msg = "an empty text is no namespace to be moved"
            raise InvalidValue(msg, hint="to put something before every name, use namespace")
        for pattern, _ in self.rewrites:
            compile_pattern(pattern)

    def apply(self, source: ArtifactRef) -> ArtifactRef:
        """Return the name at the destination; the digest stays.

        Raises:
            InvalidReference: What comes out is no name, or ``flatten`` drops too much.
            PatternTimeout: A rewrite took too long.
        """
        if self._keeps_everything:
            return source
        name = self._map_namespace(source.repository)
        for pattern, replacement in self.rewrites:
            name = compile_pattern(pattern).replace(replacement, name)
        fields = _fields(self._flatten(name))
        try:
            repository = _join(_fill(self.repository, fields))
            return ArtifactRef(repository, self._name_tag(source.tag, fields), source.digest)
        except InvalidReference as error:
            msg = f"{source} would become a name that is none: {error.message}"
            raise InvalidReference(msg, hint=error.hint) from error

    @cached_property
    def _keeps_everything(self) -> bool:
        return self == Naming()

    @staticmethod
    def check(destination: ArtifactRef, quirks: Quirks) -> None:
        """Do nothing if a registry takes this name.

        Raises:
            InvalidReference: It is too long, too deep or not deep enough there (OCI-1.2).
        """
        name, depth = destination.repository, destination.repository.count("/") + 1
        if len(name) > quirks.max_name_length:
            found, limit = f"{len(name)} characters", f"may have at most {quirks.max_name_length}"
        elif quirks.max_name_depth is not None and depth > quirks.max_name_depth:
            found, limit = f"{depth} path parts", f"may have at most {quirks.max_name_depth}"
        elif depth < quirks.min_name_depth:
            found, limit = f"{depth} path parts", f"must have at least {quirks.min_name_depth}"
        else:
            return
        msg = f"the destination does not take {name!r}: it has {found}, and {limit}"
        raise InvalidReference(msg, hint="change flatten, namespace or the template of the naming")

    def _map_namespace(self, name: str) -> str:
        fitting = [pair for pair in self.namespaces if f"{name}/".startswith(f"{pair[0]}/")]
        old, new = max(fitting, key=lambda pair: len(pair[0]), default=("", ""))
        return _join(f"{new}/{name.removeprefix(old)}")

    def _flatten(self, name: str) -> str:
        parts = name.split("/")
        dropped = len(parts) - 1 if self.flatten == -1 else self.flatten
        if dropped >= len(parts):
            msg = f"{name!r} has {len(parts)} path parts, so that none is left at level {self.flatten}"
            raise InvalidReference(msg, hint="lower the flattening level, or leave such names out")
        return _join("/".join((self.namespace, *parts[dropped:])))

    def _name_tag(self, tag: Tag | None, fields: dict[str, str]) -> Tag | None:
        if tag is None or tag.subject_prefix is not None:
            return tag
        named = _fill(self.tag, {**fields, "tag": tag})
        return Tag(f"{self.tag_prefix}{named}{self.tag_suffix}")


def _check_template(template: str, known: tuple[str, ...]) -> None:
    hint = f"it may hold {', '.join(f'{{{field}}}' for field in known)}"
    unknown = [field for field in _FIELD.findall(template) if field not in known]
    if unknown:
        msg = f"the template {template!r} has the unknown field {{{unknown[0]}}}"
        raise InvalidValue(msg, hint=hint)
    if set(_FIELD.sub("", template)) & set("{}"):
        msg = f"a brace of the template {template!r} has no partner"
        raise InvalidValue(msg, hint=hint)


def _fields(name: str) -> dict[str, str]:
    *parents, last = name.split("/")
    return {
        "repository": name,
        "project": "".join(parents[:1]),
        "path": "/".join(parents[1:]),
        "namespace": "/".join(parents),
        "name": last,
    }


def _fill(template: str, fields: dict[str, str]) -> str:
    return _FIELD.sub(lambda found: fields[found[1]], template)


def _join(name: str) -> str:
    """Leave out the empty parts of a path."""
    return "/".join(part for part in name.split("/") if part)


# --- two sources, one destination ----------------------------------------------------------


@attrs.frozen(kw_only=True)
class Collision(Generic[_S]):
    """Sources that would be written to one tag.

    Attributes:
        destination: The repository and tag, without a digest.
        sources: The sources, in the order they were met, each once.
    """

    destination: ArtifactRef
    sources: tuple[_S, ...]

    def __str__(self) -> str:
        """Return one line that names all of them."""
        return f"{self.destination} ← {', '.join(map(str, self.sources))}"


def find_collisions(pairs: Iterable[tuple[_S, ArtifactRef]]) -> tuple[Collision[_S], ...]:
    """Return the tags of one destination registry that two or more sources would be written to.

    Untagged artifacts never collide: they are named by what they are.

    Args:
        pairs: A source, named as it is to be shown, and its destination.
    """
    sources: dict[ArtifactRef, dict[_S, None]] = {}
    for source, destination in pairs:
        if destination.tag is not None:
            place = ArtifactRef(destination.repository, destination.tag)
            sources.setdefault(place, {})[source] = None
    return tuple(
        Collision(destination=place, sources=tuple(found))
        for place, found in sources.items()
        if len(found) > 1
    )


def refuse_collisions(pairs: Iterable[tuple[Any, ArtifactRef]]) -> None:
    """Do nothing if every tag of one destination registry is written to by one source only.

    Raises:
        NamingCollision: Some are not; the message shows them with their sources.
    """
    found = find_collisions(pairs)
    if not found:
        return
    lines = [str(collision) for collision in found[:_SHOWN_COLLISIONS]]
    if len(found) > len(lines):
        lines.append(f"… and {len(found) - len(lines)} more")
    msg = "\n  ".join((f"{len(found)} destinations have more than one source:", *lines))
    raise NamingCollision(msg, hint="tell them apart by {project} or {path}, or a tag prefix")
