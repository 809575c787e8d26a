"""What the clouds with two editions have in common: which one it is, and options that say so."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from harborsync.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.clouds import CloudHost
    from harborsync.endpoint import Endpoint

#: How Alibaba and Tencent spell regions.
REGION: Final = re.compile(r"[a-z]{2,}(?:-[a-z0-9]+)+", re.ASCII)
_PERSONAL: Final = "-personal"


class Edition(StrEnum):
    """Which product it is; each has an API of its own."""

    ENTERPRISE = "enterprise"
    PERSONAL = "personal"


def edition_of(options: Mapping[str, str], told: CloudHost | None) -> Edition:
    """Return the edition; domains of one's own are a thing of the enterprise edition.

    Raises:
        InvalidValue: The option cannot be read.
    """
    is_personal = told is not None and told.kind.endswith(_PERSONAL)
    text = options.get("edition", Edition.PERSONAL if is_personal else Edition.ENTERPRISE)
    if text not in set(Edition):
        msg = f"the option edition cannot be {text[:100]!r}"
        raise InvalidValue(msg, hint=f"write {' or '.join(Edition)}")
    return Edition(text)


def check_told_once(endpoint: Endpoint, name: str, told: str) -> None:
    """Refuse an option that contradicts the host.

    Raises:
        InvalidValue: It does.
    """
    option = endpoint.options.get(name, told)
    if told and option != told:
        msg = f"the option {name} cannot be {option[:100]!r}: {endpoint.host} is of {told}"
        raise InvalidValue(msg, hint=f"leave {name} out, or change the address")


def check_option(name: str, text: str, form: re.Pattern[str], example: str) -> None:
    """Refuse an option of another form; one that is empty is not given.

    Raises:
        InvalidValue: It has another form.
    """
    if text and not form.fullmatch(text):
        msg = f"the option {name} cannot be {text[:100]!r}"
        raise InvalidValue(msg, hint=f"write it like {name}={example}")
