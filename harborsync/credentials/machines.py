"""The role that a machine of a cloud has, as its metadata service tells it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import attrs

from harborsync.errors import NoCredentials, TransportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.http.metadata import MetadataTransport
    from harborsync.http.wire import Answer

_OK: Final = 200


@attrs.frozen(kw_only=True)
class Machine:
    """A machine, which has a role or has not.

    Attributes:
        metadata: The way to its metadata service.
        roles: The path below which the roles stand.
        role: The role, or nothing for the one that the machine has.
        nobody: What else was looked for in vain, for people.
        remedy: How to be somebody.
    """

    metadata: MetadataTransport
    roles: str
    role: str
    nobody: str
    remedy: str

    def keys(self, headers: Mapping[str, str] | None = None) -> tuple[str, Any]:
        """Return the name of the role, and what stands there as JSON; None if that is none.

        Raises:
            NoCredentials: This is no machine of this cloud, or it does not have the role.
        """
        role = self.role or self.ask(self.roles, headers=headers).split("\n")[0]
        text = self.ask(f"{self.roles}{quote(role, safe='')}", headers=headers)
        try:
            return role, json.loads(text)
        except ValueError:
            return role, None

    def ask(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> str:
        """Return what the service says to one question.

        Raises:
            NoCredentials: This is no machine of this cloud, or it does not have the role.
        """
        answer = self._answer(path, method, headers or {})
        text = answer.body.decode(errors="replace").strip()
        if answer.status == _OK and text:
            return text
        named = f"the role {self.role!r}" if self.role else "a role"
        msg = f"this machine does not have {named} (its metadata service answers {answer.status})"
        raise NoCredentials(msg, hint=f"attach the role to the machine, or else {self.remedy}")

    def _answer(self, path: str, method: str, headers: Mapping[str, str]) -> Answer:
        try:
            return self.metadata.ask(path, method=method, headers=headers)
        except TransportError:
            msg = f"{self.nobody}, and no role of a machine"
        raise NoCredentials(msg, hint=self.remedy)
