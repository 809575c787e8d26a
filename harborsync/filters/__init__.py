r"""The sieve: which artifacts are wanted.

>>> from harborsync.filters import Filter, age, label, name, tag
>>> wanted = name.like("team-*/**") & tag.matches(r"v\d+\.\d+") & (age < "30d") & ~label.has("wip")
>>> wanted == Filter.parse(r"name like 'team-*/**' and tag matches 'v\d+\.\d+' "
...                        r"and age < 30d and not label has 'wip'")
True
"""

from __future__ import annotations

from harborsync.filters.expr import EVERYTHING, Explanation, Filter, Missing, Reason
from harborsync.filters.fields import (
    age,
    annotation,
    digest,
    image_age,
    kind,
    label,
    name,
    platform,
    size,
    tag,
)
from harborsync.filters.keep import Keep

__all__ = [
    "EVERYTHING",
    "Explanation",
    "Filter",
    "Keep",
    "Missing",
    "Reason",
    "age",
    "annotation",
    "digest",
    "image_age",
    "kind",
    "label",
    "name",
    "platform",
    "size",
    "tag",
]
