"""Robot accounts: logins for programs, which may do what they are told to and nothing else."""

from __future__ import annotations

import re
from datetime import datetime  # noqa: TC003 - read at run time
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.errors import ConfigurationError, HarborsyncError, InvalidValue, Side
from harborsync.harbor.collection import Collection
from harborsync.harbor.mistakes import Mistake, name_mistakes, refuse
from harborsync.harbor.query import Q
from harborsync.harbor.records import read, write
from harborsync.permissions.harbor import GRANTABLE, Access, Kind, Purpose, needed
from harborsync.secrets import Secret  # noqa: TC001 - read at run time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import timedelta

    from harborsync.clock import Clock
    from harborsync.harbor.api import HarborApi
    from harborsync.harbor.projects import Projects
    from harborsync.rule import ReplicationRule

#: A robot that never expires.
FOREVER: Final = -1
#: The namespace of permissions that hold in every project.
EVERY_PROJECT: Final = "*"
#: The namespace of permissions of the system as a whole.
THE_SYSTEM: Final = "/"
_LONGEST_NAME: Final = 255
_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)
_SECRET: Final = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*\d).{8,128}", re.ASCII | re.DOTALL)
_ROBOT_DAYS: Final = 90


@attrs.frozen(kw_only=True)
class Permission:
    """What a robot may do in one place.

    Attributes:
        kind: Whether in a project or to the system.
        namespace: The project's name, ``*`` for every project, ``/`` for the system.
        access: What it may do there.
    """

    kind: Kind = Kind.PROJECT
    namespace: str = ""
    access: tuple[Access, ...] = ()


@attrs.frozen(kw_only=True)
class Robot:
    """A robot account.

    Attributes:
        id: Its number, or None for one not made yet.
        name: Before it is made, its short name; afterwards its login, with the prefix that
            this Harbor gives all robots and, at the level of a project, the project's name.
        level: ``project`` for one place in one project, ``system`` for anything else.
        duration: For how many days it lives, from its making; -1 for ever.
        description: A text for people.
        disable: Whether it cannot log in.
        permissions: What it may do, and where.
        expires_at: When it ends, or None for never.
        secret: What it logs in with; Harbor tells it once, when it is made.
        editable: Whether Harbor lets it be changed.
        creation_time: When it was made.
        update_time: When it was changed last.
    """

    id: int | None = None
    name: str = ""
    level: Kind = Kind.SYSTEM
    duration: int = _ROBOT_DAYS
    description: str = ""
    disable: bool = False
    permissions: tuple[Permission, ...] = ()
    expires_at: datetime | None = None
    secret: Secret | None = None
    editable: bool = False
    creation_time: datetime | None = None
    update_time: datetime | None = None

    @property
    def is_broad(self) -> bool:
        """Whether it holds something in every project."""
        return any(permission.namespace == EVERY_PROJECT for permission in self.permissions)


def robot_for(
    purposes: Iterable[Purpose],
    *,
    name: str,
    projects: Iterable[str],
    days: int = _ROBOT_DAYS,
    description: str = "",
) -> Robot:
    """Return the robot that may do what some purposes take, and nothing else.

    Args:
        purposes: What it is for.
        name: Its short name.
        projects: The projects it works in; ``*`` for every one.
        days: For how many days it lives; -1 for ever.
        description: A text for people.
    """
    wanted = tuple(purposes)
    inside = needed(*wanted)
    permissions = [Permission(namespace=each, access=inside) for each in projects if inside]
    system = needed(*wanted, kind=Kind.SYSTEM)
    if system:
        permissions.append(Permission(kind=Kind.SYSTEM, namespace=THE_SYSTEM, access=system))
    is_local = len(permissions) == 1 and not system and not _is_everywhere(permissions[0])
    return Robot(
        name=name,
        level=Kind.PROJECT if is_local else Kind.SYSTEM,
        duration=days,
        description=description,
        permissions=tuple(permissions),
    )


def robot_for_rule(
    rule: ReplicationRule,
    side: Side,
    *,
    projects: Iterable[str] = (),
    also: Iterable[Purpose] = (),
    days: int = _ROBOT_DAYS,
) -> Robot:
    """Return the robot that a rule needs at its source or at its destinations.

    Args:
        rule: The rule.
        side: Which of its ends is this Harbor.
        projects: The projects it works in, where the rule does not name them.
        also: What it is to do beside copying, such as ``Purpose.PRUNE``.
        days: For how many days it lives; -1 for ever.

    Raises:
        ConfigurationError: Neither the rule nor you say which projects.
    """
    found = tuple(projects) or _projects_of(rule, side)
    if not found:
        msg = f"rule {rule.name!r} does not name the projects at its {side}"
        raise ConfigurationError(msg, hint="say projects=[…], or '*' for every one there is")
    main = Purpose.PULL if side is Side.SOURCE else Purpose.PUSH
    wanted = [main, Purpose.DISCOVER, *also]
    if side is Side.DESTINATION and rule.metadata:
        wanted.append(Purpose.METADATA)
    verb = "reads" if side is Side.SOURCE else "writes"
    name = re.sub(r"[^a-z0-9]+", "-", f"{rule.name}-{verb}".lower()).strip("-")
    description = f"{verb} for the rule {rule.name}"
    return robot_for(wanted, name=name, projects=found, days=days, description=description)


def _projects_of(rule: ReplicationRule, side: Side) -> tuple[str, ...]:
    """Return the projects that a rule names: in its endpoints, and in full repository names."""
    ends = [rule.source] if side is Side.SOURCE else list(rule.destinations)
    names = [end.prefix for end in ends]
    if side is Side.SOURCE and not any(names):
        names += rule.repositories
    return tuple(dict.fromkeys(name.partition("/")[0] for name in names if name))


def robot_mistakes(robot: Robot) -> Iterator[Mistake]:
    """Yield what is wrong with a robot that is to be made."""
    yield from name_mistakes(robot.name, _LONGEST_NAME)
    if robot.name and not _NAME.fullmatch(robot.name):
        remedy = "use small letters and digits, joined by single '.', '_' or '-'; no prefix"
        yield Mistake(where="name", what=f"{robot.name!r} is no robot's name", remedy=remedy)
    if robot.duration != FOREVER and robot.duration < 1:
        remedy = "write the days that it lives, or -1 for ever"
        yield Mistake(where="duration", what=f"{robot.duration} are no days", remedy=remedy)
    yield from _level_mistakes(robot)
    for number, permission in enumerate(robot.permissions):
        yield from _permission_mistakes(permission, f"permissions[{number}]")


def _level_mistakes(robot: Robot) -> Iterator[Mistake]:
    if not robot.permissions:
        what, remedy = "it may do nothing", "give it at least one permission"
        yield Mistake(where="permissions", what=what, remedy=remedy)
        return
    is_one = len(robot.permissions) == 1 and robot.permissions[0].kind is Kind.PROJECT
    if robot.level is Kind.PROJECT and (not is_one or robot.is_broad):
        what = "a robot at the level of a project works in one project"
        yield Mistake(where="level", what=what, remedy="make its level Kind.SYSTEM")


def _permission_mistakes(permission: Permission, where: str) -> Iterator[Mistake]:
    if permission.kind is Kind.SYSTEM and permission.namespace != THE_SYSTEM:
        what = f"the system is called '/', not {permission.namespace!r}"
        yield Mistake(where=where, what=what, remedy="make the namespace '/', or the kind project")
    if permission.kind is Kind.PROJECT and permission.namespace in {"", THE_SYSTEM}:
        remedy = "name one, or '*' for every one"
        yield Mistake(where=where, what="it names no project", remedy=remedy)
    if not permission.access:
        yield Mistake(where=where, what="it allows nothing", remedy="leave it out")
    for access in permission.access:
        yield from _access_mistakes(access, permission.kind, where)


def _access_mistakes(access: Access, kind: Kind, where: str) -> Iterator[Mistake]:
    if access in GRANTABLE[kind]:
        return
    other = Kind.SYSTEM if kind is Kind.PROJECT else Kind.PROJECT
    if access in GRANTABLE[other]:
        what = f"{access} is granted for the {other}, not for the {kind}"
        yield Mistake(where=where, what=what, remedy=f"move it to a permission of kind {other}")
        return
    near = sorted(str(known) for known in GRANTABLE[kind] if known.resource == access.resource)
    remedy = f"use one of {', '.join(near)}" if near else "see permissions.harbor.GRANTABLE"
    yield Mistake(where=where, what=f"{access} cannot be granted", remedy=remedy)


def _secret_mistakes(secret: Secret) -> Iterator[Mistake]:
    if not _SECRET.fullmatch(secret.reveal()):
        remedy = "use 8 to 128 characters with a capital, a small letter and a digit"
        yield Mistake(where="secret", what="it is too weak for Harbor", remedy=remedy)


def _is_everywhere(permission: Permission) -> bool:
    return permission.namespace == EVERY_PROJECT


class Robots:
    """The robots of one Harbor; thread-safe.

    Args:
        api: Speaks to the Harbor.
        projects: Knows its projects.
        clock: Tells what has expired.
    """

    def __init__(self, api: HarborApi, projects: Projects, clock: Clock) -> None:
        self._api = api
        self._projects = projects
        self._clock = clock
        self._all = Collection(api, Robot, "/robots", noun="robot", resource="robot")

    def list(self, *, project: str | None = None) -> Iterator[Robot]:
        """Yield them: those of the system, or those of one project.

        Raises:
            NotFound: There is no such project.
        """
        if project is None:
            return self._all.each()
        return self._all.each(q=Q(Level="project", ProjectID=self._projects.id_of(project)))

    def get(self, robot_id: int) -> Robot:
        """Return one, without its secret.

        Raises:
            NotFound: There is none with this id.
        """
        return self._all.get(robot_id)

    def create(self, robot: Robot, *, secret: Secret | None = None) -> Robot:
        """Make one; return it with its login, its end and its secret.

        Args:
            robot: What it is to be.
            secret: A secret of your own; None for one that Harbor makes.

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
            NotFound: There is no such project.
        """
        mistakes = (*robot_mistakes(robot), *(_secret_mistakes(secret) if secret else ()))
        refuse(f"make the robot {robot.name!r}", mistakes)
        told = read(Robot, self._all.make(_body(robot)).body)
        made = attrs.evolve(
            robot,
            id=told.id,
            name=told.name,
            secret=told.secret,
            expires_at=told.expires_at,
            creation_time=told.creation_time,
        )
        return made if secret is None else self._with_secret(made, secret)

    def _with_secret(self, made: Robot, secret: Secret) -> Robot:
        """Give a new robot its secret; if that fails, say that the robot is there."""
        try:
            return attrs.evolve(made, secret=self.rotate(made, secret))
        except HarborsyncError as error:
            left = (
                f"the robot {made.name} is there all the same: rotate or delete it, by id {made.id}"
            )
            error.hint = f"{error.hint}; {left}" if error.hint else left
            raise

    def update(self, robot: Robot) -> None:
        """Change what one may do, its description, its life span, or whether it can log in.

        Raises:
            NotFound: There is none with its id.
        """
        self._all.replace(robot.id, _body(robot))

    def rotate(self, robot: Robot | int, secret: Secret | None = None) -> Secret:
        """Give one a new secret and return it; the old one is void at once.

        Args:
            robot: The robot or its id.
            secret: A secret of your own; None for one that Harbor makes.

        Raises:
            InvalidValue: The secret is too weak; nothing was sent.
            NotFound: There is none with this id.
        """
        robot_id = robot if isinstance(robot, int) else robot.id
        what = f"change the secret of robot {robot_id}"
        refuse(what, _secret_mistakes(secret) if secret else ())
        body = {"secret": secret.reveal()} if secret else {}
        path, needs = self._all.path_of(robot_id), "robot:update"
        told = self._api.patch(path, body, what=what, needs=needs) or {}
        # A secret that was sent is not repeated.
        return secret or _told_secret(told)

    def delete(self, robot_id: int) -> bool:
        """Delete one; tell whether it was there."""
        return self._all.delete(robot_id)

    def expiring(self, *, within: timedelta, projects: Iterable[str] = ()) -> tuple[Robot, ...]:
        """Return the robots that end within a time, the first to end first.

        Those that have ended already are among them; those that are disabled are not.

        Args:
            within: The time, from now on.
            projects: Whose robots to look at beside those of the system.
        """
        until = self._clock.now() + within
        places = (None, *projects)
        robots = [robot for place in places for robot in self.list(project=place)]
        ending = [(robot.expires_at, robot) for robot in robots if robot.expires_at]
        soon = sorted(
            ((end, robot) for end, robot in ending if end <= until and not robot.disable),
            key=lambda each: each[0],
        )
        return tuple(robot for _, robot in soon)


def _told_secret(told: dict[str, Any]) -> Secret:
    secret = read(Robot, told).secret
    if secret is None:
        msg = "Harbor made a new secret and does not tell it"
        raise InvalidValue(msg, hint="rotate once more, with a secret of your own")
    return secret


def _body(robot: Robot) -> dict[str, Any]:
    body: dict[str, Any] = write(robot)
    for told_only in ("expires_at", "secret", "editable"):
        body.pop(told_only, None)
    return body
