"""Which registry of Google's an endpoint means, and what its repositories are called in the API.

A path of Artifact Registry is ``PROJECT/REPOSITORY/IMAGE``; one of a ``gcr.io`` host is
``PROJECT/IMAGE``, and lies in a repository that is named after the host. Projects of a domain are
``example.com:NAME`` in the API, and ``example.com/NAME`` in a path.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote, unquote

import attrs

from harborsync.clouds import recognise
from harborsync.errors import InvalidValue, NotFound

if TYPE_CHECKING:
    from harborsync.endpoint import Endpoint

# Google's multi-regions and the form of its regions.
_LOCATION: Final = re.compile(r"us|europe|asia|[a-z]+-[a-z]+[0-9]+", re.ASCII)
# Google's table of where the gcr.io hosts keep what they serve.
_GCR_LOCATIONS: Final = {"": "us", "us": "us", "eu": "europe", "asia": "asia"}
_HOW: Final = (
    "write gar://LOCATION/PROJECT or LOCATION-docker.pkg.dev/PROJECT; for another host add region="
)


@attrs.frozen(kw_only=True)
class GarPlace:
    """Which registry an endpoint means.

    Attributes:
        host: The registry's host.
        location: The region or multi-region, as the API spells it.
        prefix: What the names of all repositories begin with, or nothing.
        gcr: The ``gcr.io`` host it is, or nothing.
    """

    host: str
    location: str
    prefix: str = ""
    gcr: str = ""

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Read an endpoint: ``location/project[/…]``, or ``host[/project[/…]]``.

        Raises:
            InvalidValue: It names no registry of Google's.
        """
        place = cls._found(endpoint)
        told = endpoint.options.get("region", place.location)
        if told != place.location:
            msg = f"{place.host} is in {place.location}, and the endpoint says region={told[:50]}"
            raise InvalidValue(msg, hint="leave region= out")
        return place

    @classmethod
    def _found(cls, endpoint: Endpoint) -> Self:
        first, prefix = endpoint.host, endpoint.prefix
        told, cloud = endpoint.options.get("region", ""), recognise(first)
        if cloud is not None and cloud.kind == "gcr":
            location = _GCR_LOCATIONS[cloud.region]
            return cls(host=first, location=location, prefix=prefix, gcr=cloud.host)
        if cloud is not None and cloud.kind == "gar":
            return cls(host=first, location=cloud.region, prefix=prefix)
        if _LOCATION.fullmatch(first):
            return cls(host=f"{first}-docker.pkg.dev", location=first, prefix=prefix)
        if _LOCATION.fullmatch(told):
            return cls(host=first, location=told, prefix=prefix)
        msg = f"{endpoint.address[:200]!r} names no registry of Google's"
        raise InvalidValue(msg, hint=_HOW)

    @property
    def depth(self) -> int:
        """The fewest parts that the path of an image has."""
        return 2 if self.gcr else 3

    def check(self, repository: str) -> None:
        """Do nothing if an image can have this path.

        Google answers 405 to a shorter one (goharbor/harbor #20682).

        Raises:
            NotFound: It is too short.
        """
        if len(_parts(repository)) < self.depth:
            parts = "PROJECT/IMAGE" if self.gcr else "PROJECT/REPOSITORY/IMAGE"
            msg = f"{repository!r} is the path of no image at {self.host}, which are {parts}"
            raise NotFound(msg, hint="name the whole path, or lengthen the endpoint's")

    def unit_of(self, repository: str) -> str:
        """Return the path of the repository that an image lies in."""
        return "/".join(_parts(repository)[: self.depth - 1]).replace(":", "/")

    def project_of(self, path: str) -> str:
        """Return the project of a path, as the API spells it; empty if there is none."""
        return next(iter(_parts(path)), "")

    def parent_of(self, path: str) -> str:
        """Return where the API keeps the repositories of a path's project."""
        return f"projects/{self.project_of(path)}/locations/{self.location}"

    def repository_id_of(self, path: str) -> str:
        """Return the name of the repository that a path lies in; empty if it names none."""
        return self.gcr or next(iter(_parts(path)[1:2]), "")

    def resource_of(self, path: str) -> str:
        """Return what the API calls the repository that a path lies in."""
        return f"{self.parent_of(path)}/repositories/{self.repository_id_of(path)}"

    def package_of(self, repository: str) -> str:
        """Return what the API calls an image."""
        image = "/".join(_parts(repository)[self.depth - 1 :])
        return f"{self.resource_of(repository)}/packages/{quote(image, safe='')}"

    def image_of(self, package: str) -> str:
        """Return the path of what the API calls a package."""
        _, project, _, _, _, repository_id, _, image = package.split("/", 7)
        where = "" if self.gcr else f"/{repository_id}"
        return f"{project.replace(':', '/')}{where}/{unquote(image)}"


def _parts(path: str) -> list[str]:
    """Return the parts of a path; the first is the project as the API spells it."""
    parts = [part for part in path.split("/") if part]
    if len(parts) > 1 and "." in parts[0]:
        return [f"{parts[0]}:{parts[1]}", *parts[2:]]
    return parts
