"""The state file: what it remembers, whom it trusts, and what becomes of it under a kill."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.errors import ConfigurationError
from harborsync.reference import ArtifactRef, Digest
from harborsync.secrets import Secret
from harborsync.state import Place, SessionJournal, SessionKey, State, Written
from harborsync.state_sqlite import SqliteState
from harborsync.testing.clock import EPOCH, FakeClock
from harborsync.units import Duration

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = Place(rule="r", to="mirror.example", artifact=ArtifactRef.parse("team/app:v1"))
DIGEST = Digest.of(b"one")
WRITTEN = Written(digest=DIGEST, at=EPOCH + timedelta(microseconds=17))
KEY = SessionKey(registry="https://registry.example", repository="a", digest=DIGEST)
URL = Secret("https://registry.example/u/1?_state=a%2Bb")


@pytest.fixture
def clock() -> FakeClock:
    """Time that stands still."""
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file goes."""
    return tmp_path / "kept" / "state.sqlite"


@pytest.fixture
def state(path: Path, clock: FakeClock) -> Iterator[SqliteState]:
    """A state in a new file."""
    with SqliteState(path, clock=clock) as state:
        yield state


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _aside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.glob("*.broken-*"))


# --- what it remembers ---------------------------------------------------------------------


def test_it_is_a_state_and_a_journal(state: SqliteState) -> None:
    """One object for both, and type checkers agree."""
    as_state: State = state
    assert as_state.fact(DIGEST, "kind") is None
    assert isinstance(state, SessionJournal)


def test_nothing_is_known_at_first(state: SqliteState) -> None:
    """An empty file says None, not something made up."""
    assert state.written(PLACE) is None
    assert state.fact(DIGEST, "kind") is None
    assert state.recall(KEY) is None


def test_what_was_written_last_outlives_the_object(path: Path, state: SqliteState) -> None:
    """The later word counts, to the microsecond, and another rule's place is another place."""
    state.remember_written(PLACE, Written(digest=Digest.of(b"zero"), at=EPOCH))
    state.remember_written(PLACE, WRITTEN)
    state.close()
    with SqliteState(path, clock=FakeClock()) as again:
        assert again.written(PLACE) == WRITTEN
        assert again.written(attrs.evolve(PLACE, rule="other")) is None


def test_a_place_without_a_tag_is_a_place(state: SqliteState) -> None:
    """The whole artifact is the key, whatever it has."""
    bare = attrs.evolve(PLACE, artifact=ArtifactRef("team/app"))
    state.remember_written(bare, WRITTEN)
    assert state.written(bare) == WRITTEN
    assert state.written(PLACE) is None


def test_facts_outlive_the_object_by_digest_and_name(path: Path, state: SqliteState) -> None:
    """Two facts of one digest do not overwrite each other."""
    state.remember_fact(DIGEST, "kind", "image")
    state.remember_fact(DIGEST, "size", "12")
    state.close()
    with SqliteState(path, clock=FakeClock()) as again:
        assert (again.fact(DIGEST, "kind"), again.fact(DIGEST, "size")) == ("image", "12")


def test_an_entry_that_makes_no_sense_is_not_known(path: Path, state: SqliteState) -> None:
    """Somebody may have edited the file; nothing of it is taken at its word."""
    state.remember_written(PLACE, WRITTEN)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE written SET digest = 'sha256:nonsense'")
    db.close()
    assert state.written(PLACE) is None


def test_sessions_outlive_the_object(path: Path, state: SqliteState) -> None:
    """The latest one, until it is forgotten."""
    assert state.claim(KEY)
    state.remember(KEY, Secret("/u/0"))
    state.remember(KEY, URL)
    state.close()
    with SqliteState(path, clock=FakeClock()) as again:
        assert again.recall(KEY) == URL
        assert again.recall(attrs.evolve(KEY, repository="b")) is None
        again.forget(KEY)
        again.forget(KEY)
        assert again.recall(KEY) is None


def test_no_session_shows_anywhere(
    state: SqliteState, caplog: pytest.LogCaptureFixture, path: Path
) -> None:
    """Whoever has the URL can write (OCI-9.12): not in a repr, not in a log of a failure."""
    caplog.set_level(logging.DEBUG)
    state.remember(KEY, URL)
    shown = [repr(state), repr(state.recall(KEY))]
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE uploads")
    db.close()
    state.remember(KEY, URL)
    assert "cannot be used" in caplog.text
    assert "a%2Bb" not in "".join([*shown, caplog.text])


# --- one writer for an upload --------------------------------------------------------------


def test_an_upload_has_one_writer_within_a_process(path: Path, state: SqliteState) -> None:
    """Whoever claims it has it until he releases it, also between two objects of one file."""
    with SqliteState(path) as other:
        assert state.claim(KEY)
        assert not state.claim(KEY)
        assert not other.claim(KEY)
        state.remember(KEY, URL)
        other.release(KEY)
        assert not other.claim(KEY), "only he who claimed releases"
        state.release(KEY)
        assert other.claim(KEY)
        assert other.recall(KEY) == URL


def test_the_claims_of_a_closed_state_are_free(path: Path, state: SqliteState) -> None:
    """Its number is given back, and a new state has it or another."""
    with SqliteState(path) as other:
        assert state.claim(KEY)
        state.close()
        assert other.claim(KEY)


def _child(code: str, path: Path) -> subprocess.Popen[str]:
    """Start a process that has a state and says what it does."""
    prelude = """
        import os, signal, sys
        from harborsync.reference import Digest
        from harborsync.secrets import Secret
        from harborsync.state import SessionKey
        from harborsync.state_sqlite import SqliteState
        state = SqliteState(sys.argv[1])
        key = SessionKey(
            registry="https://registry.example", repository="a", digest=Digest.of(b"one")
        )
    """
    return subprocess.Popen(
        [sys.executable, "-c", dedent(prelude) + dedent(code), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_upload_of_a_killed_process_is_free_and_that_of_a_living_one_is_not(
    path: Path, state: SqliteState
) -> None:
    """The kernel tells which is which, whatever the process could not say any more."""
    code = """
        state.claim(key)
        state.remember(key, Secret("/u/of-the-child"))
        print("claimed", flush=True)
        sys.stdin.read()
    """
    with _child(code, path) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "claimed\n"
        assert not state.claim(KEY)
        child.kill()
    assert state.claim(KEY)
    assert state.recall(KEY) == Secret("/u/of-the-child")


def test_a_new_process_with_an_old_number_does_not_take_over_its_claims(path: Path) -> None:
    """The number is free for all since the old process died; so are its uploads."""
    with _child("state.claim(key); os.kill(os.getpid(), signal.SIGKILL)", path) as child:
        assert child.wait() == -signal.SIGKILL
    with SqliteState(path) as state:
        assert state.claim(KEY)


def test_a_fork_opens_the_file_for_itself(path: Path) -> None:
    """A connection must not go beyond a fork: the child is a process like any other."""
    code = """
        state.claim(key)
        state.remember_fact(key.digest, "kind", "image")
        if os.fork() == 0:
            state.release(key)
            state.remember_fact(key.digest, "from", str(state.fact(key.digest, "kind")))
            os._exit(state.claim(key))
        print(os.waitstatus_to_exitcode(os.wait()[1]), state.fact(key.digest, "from"))
    """
    with _child(code, path) as child:
        assert child.stdout is not None
        assert child.stdout.read() == "0 image\n", "what the parent claimed is not the child's"


# --- many at once, and the end of one ------------------------------------------------------

_COUNTING = """
    for number in range(300):
        state.remember_fact(Digest.of(b"%d" % number), sys.stdin.readline().strip(), "yes")
"""


def test_two_processes_write_at_once_and_nothing_is_lost(path: Path, state: SqliteState) -> None:
    """Each finds all of both's entries."""
    with _child(_COUNTING, path) as first, _child(_COUNTING, path) as second:
        for child, name in ((first, "first\n"), (second, "second\n")):
            assert child.stdin is not None
            child.stdin.write(name * 300)
            child.stdin.close()
        assert (first.wait(), second.wait()) == (0, 0)
    digests = [Digest.of(b"%d" % number) for number in range(300)]
    assert all(state.fact(each, name) for each in digests for name in ("first", "second"))


def test_many_threads_write_at_once_and_nothing_is_lost(state: SqliteState) -> None:
    """One connection serves them one after the other."""

    def work(name: str) -> None:
        for number in range(50):
            state.remember_fact(Digest.of(b"%d" % number), name, name)

    threads = [threading.Thread(target=work, args=(str(each),)) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    digests = [Digest.of(b"%d" % number) for number in range(50)]
    assert all(state.fact(each, str(name)) for each in digests for name in range(8))


def test_many_begin_the_file_at_once_and_all_use_it(path: Path) -> None:
    """One makes it, the others find it made."""
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait(20)
        with SqliteState(path) as state:
            state.remember_fact(DIGEST, str(number), "yes")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    with SqliteState(path) as state:
        assert [state.fact(DIGEST, str(number)) for number in range(8)] == ["yes"] * 8
    assert _aside(path) == []


def test_what_was_remembered_before_a_kill_is_there(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that dies between two writes leaves a whole file with all it has written."""
    code = """
        for number in range(1000):
            state.remember_fact(Digest.of(b"%d" % number), "kind", "image")
            if number == 500:
                os.kill(os.getpid(), signal.SIGKILL)
    """
    with _child(code, path) as child:
        assert child.wait() == -signal.SIGKILL
    with SqliteState(path) as state:
        known = [state.fact(Digest.of(b"%d" % number), "kind") for number in range(1000)]
    assert known == ["image"] * 501 + [None] * 499
    assert caplog.records == []
    assert _aside(path) == []


def test_a_kill_while_the_file_is_begun_leaves_one_that_can_be_begun_again(path: Path) -> None:
    """An empty file, or one without tables, is no stranger."""
    path.parent.mkdir()
    path.touch(mode=0o600)
    with SqliteState(path) as state:
        state.remember_fact(DIGEST, "kind", "image")
    path.unlink()
    path.touch(mode=0o600)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode = WAL")
    db.close()
    with SqliteState(path) as state:
        state.remember_fact(DIGEST, "kind", "image")
        assert state.fact(DIGEST, "kind") == "image"
    assert _aside(path) == []


# --- forgetting ----------------------------------------------------------------------------


def test_what_is_not_used_is_forgotten(state: SqliteState, clock: FakeClock) -> None:
    """Reading is using; the same span of time for what was written and for facts."""
    other = attrs.evolve(PLACE, rule="other")
    for each in (PLACE, other):
        state.remember_written(each, WRITTEN)
    for name in ("kind", "size"):
        state.remember_fact(DIGEST, name, "x")
    clock.advance(20 * 86400)
    assert state.written(PLACE)
    assert state.fact(DIGEST, "kind")
    clock.advance(20 * 86400)
    state.forget_older_than("30d")
    assert (state.written(PLACE), state.written(other)) == (WRITTEN, None)
    assert (state.fact(DIGEST, "kind"), state.fact(DIGEST, "size")) == ("x", None)


def test_sessions_are_forgotten_after_a_week(state: SqliteState, clock: FakeClock) -> None:
    """No server keeps them for longer, and a younger one stays."""
    state.remember(KEY, URL)
    clock.advance(6 * 86400)
    state.forget_older_than(Duration.parse("400d"))
    assert state.recall(KEY) == URL
    clock.advance(2 * 86400)
    state.forget_older_than(Duration.parse("400d"))
    assert state.recall(KEY) is None


def test_a_new_object_forgets_what_is_too_old_for_it(path: Path, state: SqliteState) -> None:
    """So a file that is used now and then does not grow for ever."""
    state.remember_fact(DIGEST, "kind", "image")
    later = FakeClock(EPOCH + timedelta(days=15))
    with SqliteState(path, keep="20d", clock=later) as again:
        assert again.fact(DIGEST, "kind") == "image"
    later.advance(21 * 86400)
    with SqliteState(path, keep="20d", clock=later) as again:
        assert again.fact(DIGEST, "kind") is None


# --- whom it trusts ------------------------------------------------------------------------


def test_the_file_is_for_its_owner_only(path: Path, state: SqliteState) -> None:
    """Whatever the umask says: the file, what SQLite puts beside it, and our locks."""
    state.remember(KEY, URL)
    files = list(path.parent.iterdir())
    assert {"state.sqlite", "state.sqlite-wal"} <= {each.name for each in files}
    assert {_mode(each) for each in files} == {0o600}
    assert _mode(path.parent) == 0o700


def test_a_file_others_could_read_is_closed_to_them(
    path: Path, state: SqliteState, caplog: pytest.LogCaptureFixture
) -> None:
    """It is kept, and the owner is told."""
    state.remember_fact(DIGEST, "kind", "image")
    state.close()
    path.chmod(0o644)
    with SqliteState(path) as again:
        assert again.fact(DIGEST, "kind") == "image"
    assert _mode(path) == 0o600
    assert "others could read" in caplog.text


def test_a_file_others_may_write_to_is_set_aside(
    path: Path, state: SqliteState, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever could write could have named his own server for an upload."""
    state.remember_fact(DIGEST, "kind", "image")
    state.close()
    path.chmod(0o620)
    with SqliteState(path, clock=FakeClock()) as again:
        assert again.fact(DIGEST, "kind") is None
    assert _aside(path) == ["state.sqlite.broken-20260101T000000.000000Z"]
    assert "others may write to it" in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_set_aside(path: Path, state: SqliteState) -> None:
    """He could have put anything in."""
    state.close()
    os.chown(path, 12345, -1)
    with SqliteState(path):
        assert len(_aside(path)) == 1


def test_a_damaged_file_is_set_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Kept for whoever wants to look, told, and never read."""
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all, by no means" * 100)
    path.chmod(0o600)
    with SqliteState(path) as state:
        state.remember_fact(DIGEST, "kind", "image")
        assert state.fact(DIGEST, "kind") == "image"
    (aside,) = _aside(path)
    assert (path.parent / aside).read_bytes().startswith(b"this is no database")
    assert "set aside" in caplog.text
    assert aside in caplog.text


def test_a_file_damaged_in_the_middle_is_set_aside(path: Path, state: SqliteState) -> None:
    """A good beginning does not make a good file."""
    for number in range(500):
        state.remember_fact(Digest.of(b"%d" % number), "kind", "image")
    state.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with SqliteState(path) as again:
        assert again.fact(Digest.of(b"1"), "kind") is None
    assert len(_aside(path)) == 1


@pytest.mark.parametrize(
    ("pragma", "told"),
    [("application_id = 7", "another program's"), ("user_version = 99", "of version 99")],
)
def test_a_database_of_somebody_else_is_set_aside(
    path: Path, state: SqliteState, caplog: pytest.LogCaptureFixture, pragma: str, told: str
) -> None:
    """Another program's, or of another version of this one."""
    state.close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA {pragma}")
    db.close()
    with SqliteState(path):
        assert len(_aside(path)) == 1
    assert told in caplog.text


def test_what_sqlite_keeps_beside_the_file_goes_with_it(path: Path) -> None:
    """A log that is left behind would be played into the new file."""
    path.parent.mkdir()
    path.write_bytes(b"anything")
    path.chmod(0o666)
    Path(f"{path}-wal").write_bytes(b"a log")
    with SqliteState(path, clock=FakeClock()):
        aside = path.with_name("state.sqlite.broken-20260101T000000.000000Z-wal")
        assert aside.read_bytes() == b"a log"


@pytest.mark.parametrize("place", ["", "under/a-file/state"])
def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path, place: str) -> None:
    """At once, and not in the middle of a run."""
    (tmp_path / "under").mkdir()
    (tmp_path / "under" / "a-file").touch()
    with pytest.raises(ConfigurationError, match="there can be no state file"):
        SqliteState(tmp_path / place)


def test_a_file_that_fails_later_is_told_and_stops_nothing(
    path: Path, state: SqliteState, caplog: pytest.LogCaptureFixture
) -> None:
    """A memory that fails is no memory."""
    with sqlite3.connect(path) as db:
        db.executescript("DROP TABLE written; DROP TABLE facts; DROP TABLE uploads")
    db.close()
    state.remember_written(PLACE, WRITTEN)
    assert state.written(PLACE) is None
    assert state.fact(DIGEST, "kind") is None
    assert not state.claim(KEY)
    state.release(KEY)
    assert str(path) in caplog.text


def test_a_place_that_is_lost_later_is_told_and_stops_nothing(
    path: Path, state: SqliteState, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the mark of another process nor the file itself can be opened: both are warnings."""
    with SqliteState(path) as other:
        assert other.claim(KEY)
        for each in path.parent.glob(f"{path.name}-writer-*"):
            each.unlink()
            each.mkdir()
        assert not state.claim(KEY)
        state.close()
    assert state.fact(DIGEST, "kind") is None
    assert caplog.text.count("cannot be used") == 2


def test_a_closed_state_opens_again_when_it_is_used(state: SqliteState) -> None:
    """Closing twice is fine, too."""
    state.remember_fact(DIGEST, "kind", "image")
    state.close()
    state.close()
    assert state.fact(DIGEST, "kind") == "image"


def test_a_file_that_cannot_be_read_right_now_is_no_broken_file(
    path: Path, state: SqliteState
) -> None:
    """It is left where it is, and told."""
    state.close()
    Path(f"{path}-wal").mkdir()
    with pytest.raises(ConfigurationError, match="unable to open"):
        SqliteState(path)
    assert _aside(path) == []
