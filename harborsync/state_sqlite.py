"""What is remembered between runs, in one file, so that a killed process goes on where it was.

    >>> from tempfile import TemporaryDirectory
    >>> from harborsync.state_sqlite import SqliteState
    >>> with TemporaryDirectory() as directory, SqliteState(f"{directory}/state.sqlite") as state:
    ...     state.forget_older_than("30d")

The file is only for its owner to read: the URLs of open upload sessions are in it as they are,
and whoever has one can write to that upload. It is never the truth either. Each entry is a hint,
and a file that cannot be trusted is set aside, so the worst that a lost file does is work.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import stat
import threading
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from harborsync.clock import Clock, SystemClock
from harborsync.errors import ConfigurationError
from harborsync.reference import Digest
from harborsync.secrets import Secret
from harborsync.state import Written
from harborsync.units import Duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from harborsync.state import Place, SessionKey

    _Row = tuple[Any, ...]
    _Value = str | int | float | None

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

#: How SQLite files of ours are marked: "hsyn", and the version of the tables below.
_APPLICATION: Final = 0x6873796E
_VERSION: Final = 1
_TABLES: Final = """
CREATE TABLE written (
    rule TEXT, destination TEXT, artifact TEXT, digest TEXT NOT NULL, at TEXT NOT NULL,
    used REAL NOT NULL, PRIMARY KEY (rule, destination, artifact)
) WITHOUT ROWID;
CREATE TABLE facts (
    digest TEXT, name TEXT, value TEXT NOT NULL,
    used REAL NOT NULL, PRIMARY KEY (digest, name)
) WITHOUT ROWID;
CREATE TABLE uploads (
    registry TEXT, repository TEXT, digest TEXT, session TEXT, writer INTEGER,
    used REAL NOT NULL, PRIMARY KEY (registry, repository, digest)
) WITHOUT ROWID;
"""
_FORGET: Final = (
    "DELETE FROM written WHERE used < ?",
    "DELETE FROM facts WHERE used < ?",
    "DELETE FROM uploads WHERE used < ?",
)

_KEEP: Final = Duration.parse("400d")
#: The reference implementation of registries clears sessions away after this time.
_SESSIONS_LAST: Final = Duration.parse("7d").seconds
#: That an entry was used is noted once in this time, so that reading seldom writes.
_NOTE_USE: Final = Duration.parse("1d").seconds
#: How long one process waits for another's write, in seconds.
_PATIENCE: Final = 10.0


class SqliteState:
    """A state and a journal of uploads in one SQLite file; safe to use from many threads.

    Several processes of one machine may use one file at a time; each upload has one writer
    among them, and that of a process that died, however it died, is free. While it is used,
    there are files beside it that begin with its name; they may be deleted when nobody uses it.

    A file that is damaged, of another program or version, of another user, or writable by
    others is renamed to ``….broken-<time>`` with a warning, and a new one is begun. When the
    file cannot be used later on, that is a warning too: nothing is remembered, and the run
    goes on.

    Args:
        path: Where the file is, or will be; on a disk of this machine.
        keep: Entries that were not used for so long are forgotten when the state is made.
        clock: Time.

    Raises:
        ConfigurationError: There can be no such file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep: Duration | str = _KEEP,
        clock: Clock | None = None,
    ) -> None:
        self._path = Path(path).resolve()
        self._clock = clock or SystemClock()
        self._opening = threading.Lock()
        # A connection must not be used beyond a fork: each process has its own.
        self._opened: dict[int, _OpenFile] = {}
        self._file()
        self.forget_older_than(keep)

    def __repr__(self) -> str:
        """Show where the file is, and nothing of what is in it."""
        return f"SqliteState({str(self._path)!r})"

    # --- what was written, and facts -----------------------------------------------------

    def written(self, place: Place) -> Written | None:
        """Return what was written to a place last, or None if that is not known."""
        key = _columns(place)
        row = self._row(
            "SELECT digest, at, used FROM written WHERE rule = ? AND destination = ? AND artifact = ?",
            key,
        )
        if row is None:
            return None
        self._note_use(
            "UPDATE written SET used = ? WHERE rule = ? AND destination = ? AND artifact = ?",
            key,
            row[2],
        )
        try:
            return Written(digest=Digest.parse(row[0]), at=datetime.fromisoformat(row[1]))
        except ValueError:
            return None

    def remember_written(self, place: Place, written: Written) -> None:
        """Remember what was written to a place."""
        self._do(
            "REPLACE INTO written VALUES (?, ?, ?, ?, ?, ?)",
            (*_columns(place), str(written.digest), written.at.isoformat(), self._now()),
        )

    def fact(self, digest: Digest, name: str) -> str | None:
        """Return a fact that follows from a digest, or None if it is not known."""
        key = (str(digest), name)
        row = self._row("SELECT value, used FROM facts WHERE digest = ? AND name = ?", key)
        if row is None:
            return None
        self._note_use("UPDATE facts SET used = ? WHERE digest = ? AND name = ?", key, row[1])
        return str(row[0])

    def remember_fact(self, digest: Digest, name: str, value: str) -> None:
        """Remember a fact that follows from a digest."""
        self._do("REPLACE INTO facts VALUES (?, ?, ?, ?)", (str(digest), name, value, self._now()))

    def forget_older_than(self, age: Duration | str) -> None:
        """Forget what was not used for so long; sessions of uploads after a week at the most.

        Raises:
            InvalidValue: The text is no span of time.
        """
        seconds = (Duration.parse(age) if isinstance(age, str) else age).seconds
        for statement, most in zip(_FORGET, (seconds, seconds, _SESSIONS_LAST), strict=True):
            self._do(statement, (self._now() - min(seconds, most),))

    # --- uploads -------------------------------------------------------------------------

    def claim(self, key: SessionKey) -> bool:
        """Become the one who uploads ``key``; False if somebody alive does so already."""
        return self._use(lambda file: file.claim(_named(key), self._now()), otherwise=False)

    def release(self, key: SessionKey) -> None:
        """Let others claim ``key``; what is remembered stays."""
        self._use(lambda file: file.release(_named(key)), otherwise=None)

    def remember(self, key: SessionKey, session: Secret) -> None:
        """Remember the URL of the session for ``key``, in place of an older one."""
        self._do(
            "INSERT INTO uploads VALUES (?, ?, ?, ?, NULL, ?)"
            " ON CONFLICT (registry, repository, digest) DO UPDATE SET"
            " session = excluded.session, used = excluded.used",
            (*_named(key), session.reveal(), self._now()),
        )

    def recall(self, key: SessionKey) -> Secret | None:
        """Return the URL last remembered, or None."""
        row = self._row(
            "SELECT session FROM uploads WHERE registry = ? AND repository = ? AND digest = ?",
            _named(key),
        )
        return Secret(str(row[0])) if row is not None and row[0] is not None else None

    def forget(self, key: SessionKey) -> None:
        """Forget the session; fine if there is none."""
        self._do(
            "DELETE FROM uploads WHERE registry = ? AND repository = ? AND digest = ?", _named(key)
        )

    # --- open and closed -----------------------------------------------------------------

    def close(self) -> None:
        """Close the file; may be called again, and the file is opened again if it is used."""
        with self._opening:
            file = self._opened.pop(os.getpid(), None)
        if file is not None:
            file.close()

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    # --- inside --------------------------------------------------------------------------

    def _use(self, work: Callable[[_OpenFile], _T], *, otherwise: _T) -> _T:
        """Do ``work`` with the file; what goes wrong with it is told and stops nothing."""
        try:
            file = self._file()
            with file.lock:
                return work(file)
        except (sqlite3.Error, OSError, ConfigurationError) as error:
            _log.warning("the state file %s cannot be used: %s", self._path, error)
            return otherwise

    def _file(self) -> _OpenFile:
        file = self._opened.get(os.getpid())
        if file is not None:
            return file
        with self._opening:
            if os.getpid() not in self._opened:
                self._opened[os.getpid()] = _open(self._path, self._clock)
            return self._opened[os.getpid()]

    def _row(self, statement: str, values: tuple[_Value, ...]) -> _Row | None:
        return self._use(lambda file: file.row(statement, values), otherwise=None)

    def _do(self, statement: str, values: tuple[_Value, ...]) -> None:
        self._use(lambda file: file.execute(statement, values), otherwise=None)

    def _note_use(self, statement: str, key: tuple[_Value, ...], used: float) -> None:
        if self._now() - used > _NOTE_USE:
            self._do(statement, (self._now(), *key))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _columns(place: Place) -> tuple[str, str, str]:
    return (place.rule, place.to, str(place.artifact))


def _named(key: SessionKey) -> tuple[str, str, str]:
    return (key.registry, key.repository, str(key.digest))


class _OpenFile:
    """The file as one process has it open.

    Attributes:
        lock: Whoever uses the file holds it.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.lock = threading.Lock()
        self._path = path
        self._db = db
        self._writer, self._mark = _take_number(path)
        # Whoever had this number before is dead.
        self.execute("UPDATE uploads SET writer = NULL WHERE writer = ?", (self._writer,))

    def execute(self, statement: str, values: tuple[_Value, ...]) -> None:
        """Run a statement."""
        self._db.execute(statement, values)

    def row(self, statement: str, values: tuple[_Value, ...]) -> _Row | None:
        """Return the first row a statement finds, or None."""
        row: _Row | None = self._db.execute(statement, values).fetchone()
        return row

    def claim(self, upload: tuple[str, str, str], now: float) -> bool:
        """Put our number to an upload, unless the one that is there is of a living process."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            row = self.row(
                "SELECT writer FROM uploads WHERE registry = ? AND repository = ? AND digest = ?",
                upload,
            )
            if row is not None and row[0] is not None and self._is_alive(row[0]):
                return False
            self.execute(
                "INSERT INTO uploads VALUES (?, ?, ?, NULL, ?, ?)"
                " ON CONFLICT (registry, repository, digest) DO UPDATE SET writer = excluded.writer",
                (*upload, self._writer, now),
            )
        return True

    def release(self, upload: tuple[str, str, str]) -> None:
        """Take our number away from an upload."""
        self.execute(
            "UPDATE uploads SET writer = NULL"
            " WHERE registry = ? AND repository = ? AND digest = ? AND writer = ?",
            (*upload, self._writer),
        )

    def _is_alive(self, writer: int) -> bool:
        mark = _try_mark(self._path, writer)
        if mark is not None:
            os.close(mark)
        return mark is None

    def close(self) -> None:
        """Close the file, and give the number back."""
        with self.lock:
            self._db.close()
            os.close(self._mark)


# --- which processes live --------------------------------------------------------------------


def _take_number(path: Path) -> tuple[int, int]:
    """Return the lowest number no living process has, and the file descriptor that holds it."""
    for number in count():
        mark = _try_mark(path, number)
        if mark is not None:
            return number, mark
    raise AssertionError


def _try_mark(path: Path, number: int) -> int | None:
    """Lock the file that stands for a number; None if a living process has it.

    The kernel lets go of the lock when its process ends, also by SIGKILL. A process id would
    not do: it is used again, and means nothing in another container.
    """
    mark = os.open(f"{path}-writer-{number}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(mark)
        return None
    return mark


# --- whom to trust -----------------------------------------------------------------------------


def _open(path: Path, clock: Clock) -> _OpenFile:
    """Open the file once it is known to be ours, whole and private."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path):
            fault = _fault(path)
            if fault is not None:
                _set_aside(path, fault, clock.now())
            if not path.exists():
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            return _begun(path)
    except (OSError, sqlite3.Error) as error:
        msg = f"there can be no state file {path}: {error}"
        raise ConfigurationError(msg, hint="name a file on a disk of this machine") from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time look at the file and begin a new one."""
    handle = os.open(f"{path}-lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)


def _begun(path: Path) -> _OpenFile:
    """Return the file open and with its tables."""
    db = _connect(path)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        # A power cut may cost the last entries, never the file.
        db.execute("PRAGMA synchronous = NORMAL")
        if not _has_tables(db):
            marks = f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {_VERSION};"
            db.executescript(f"BEGIN IMMEDIATE; {_TABLES} {marks} COMMIT;")
        return _OpenFile(path, db)
    except BaseException:
        db.close()
        raise


def _has_tables(db: sqlite3.Connection) -> bool:
    return _number(db, "SELECT count(*) FROM sqlite_master") > 0


def _number(db: sqlite3.Connection, statement: str) -> int:
    return int(db.execute(statement).fetchone()[0])


def _fault(path: Path) -> str | None:
    """Tell why a file is not to be trusted, or None; one that others may read is closed to them."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        msg = "it is no file"
        raise OSError(msg)
    if found.st_uid not in {os.geteuid(), 0}:
        return "it belongs to another user"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write to it"
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        _log.warning("others could read the state file %s; now they cannot", path)
        path.chmod(0o600)
    return _fault_inside(path)


def _fault_inside(path: Path) -> str | None:
    with closing(_connect(path)) as db:
        try:
            if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                return "it is damaged"
            return _stranger(db) if _has_tables(db) else None
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            return f"it is damaged: {error}"


def _stranger(db: sqlite3.Connection) -> str | None:
    if _number(db, "PRAGMA application_id") != _APPLICATION:
        return "it is another program's"
    version = _number(db, "PRAGMA user_version")
    return None if version == _VERSION else f"it is of version {version}, and not {_VERSION}"


def _set_aside(path: Path, fault: str, now: datetime) -> None:
    aside = path.with_name(f"{path.name}.broken-{now:%Y%m%dT%H%M%S.%fZ}")
    for part in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            Path(f"{path}{part}").rename(f"{aside}{part}")
    _log.warning("the state file %s was set aside as %s: %s", path, aside.name, fault)
