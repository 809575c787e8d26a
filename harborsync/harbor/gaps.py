"""What one side says and the other cannot: a value for each, so that nothing is lost in silence.

>>> print(Gap(what="age < 30d", why="Harbor's rules know no age", effect=Effect.MORE,
...           advice="let harborsync run this rule"))
age < 30d: Harbor's rules know no age, so more is copied; let harborsync run this rule
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

#: The advice where a Harbor has no equal at all.
RUN_OURS: Final = "let harborsync run this rule"


class Effect(StrEnum):
    """What a gap makes of a run."""

    MORE = "more is copied"
    LESS = "less is copied"
    OTHER = "it is done in another way"
    FAILS = "a run may fail"
    NONE = "nothing changes"


@attrs.frozen(kw_only=True)
class Gap:
    """Something of a rule that has no equal on the other side, or an equal that does otherwise.

    Attributes:
        what: The part in question, as its own side writes it.
        why: What the other side lacks or does otherwise.
        effect: What becomes of a run, if the rest is taken over.
        advice: What to do about it.
    """

    what: str
    why: str
    effect: Effect
    advice: str

    def __str__(self) -> str:
        """Return one sentence."""
        return f"{self.what}: {self.why}, so {self.effect}; {self.advice}"
