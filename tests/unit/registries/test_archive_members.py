"""Tar archives as they come, hostile ones among them: found, read in place, or refused."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import threading
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.errors import IntegrityError
from harborsync.registries.archive_members import Members, gunzipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _info(name: str, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def _link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    return _info(name, type=kind, linkname=target)


def _tar(path: Path, *infos: tarfile.TarInfo | tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for each in infos:
            if isinstance(each, tuple):
                archive.addfile(_info(each[0], size=len(each[1])), io.BytesIO(each[1]))
            else:
                archive.addfile(each)
    return path


def _read(path: Path, name: str) -> bytes | None:
    members = Members(path)
    try:
        return members.read(name, 2**20)
    finally:
        members.close()


def _refused(path: Path, why: str) -> None:
    with pytest.raises(IntegrityError, match=why):
        Members(path)


def test_files_are_found_by_name(tmp_path: Path) -> None:
    """A leading dot is no difference; folders are no files."""
    long = "a/" * 120 + "deep"
    folder = _info("./blobs", type=tarfile.DIRTYPE)
    path = _tar(tmp_path / "a.tar", folder, ("./blobs/x", b"one"), (long, b"two"))
    members = Members(path)
    assert list(members) == ["blobs/x", long]
    assert members.read("blobs/x", 3) == b"one"
    assert members.read(long, 3) == b"two"
    assert members.read("blobs", 3) is None
    members.close()


def test_a_file_over_its_limit_is_not_read(tmp_path: Path) -> None:
    """What is read into memory has a bound."""
    members = Members(_tar(tmp_path / "a.tar", ("x", b"four")))
    with pytest.raises(IntegrityError, match="too many"):
        members.read("x", 3)
    members.close()


def test_files_are_read_from_anywhere(tmp_path: Path) -> None:
    """Two readers do not disturb each other, and nobody reads past the end."""
    members = Members(_tar(tmp_path / "a.tar", ("x", b"0123456789"), ("y", b"z")))
    member = members.find("x")
    assert member is not None
    with members.open(member) as first, members.open(member) as second:
        assert first.seek(0, os.SEEK_END) == 10
        assert first.read() == b""
        first.seek(8)
        first.seek(-1, os.SEEK_CUR)
        assert first.read() == b"789"
        assert second.read() == b"0123456789"
    members.close()


def test_links_lead_one_step_far(tmp_path: Path) -> None:
    """Symbolic ones from where they are, hard ones from the top; also to what comes later."""
    path = _tar(
        tmp_path / "a.tar",
        _link("old/layer.tar", "../real.tar"),
        ("real.tar", b"layer"),
        _link("hard/layer.tar", "real.tar", tarfile.LNKTYPE),
    )
    assert _read(path, "old/layer.tar") == _read(path, "hard/layer.tar") == b"layer"


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../../etc/passwd", "nowhere", "second"],
    ids=["absolute", "outside", "nowhere", "chain"],
)
def test_other_links_are_refused(target: str, tmp_path: Path) -> None:
    """They lead out, nowhere, or from link to link (OCI-9.17)."""
    path = _tar(tmp_path / "a.tar", _link("first", target), _link("second", "x"), ("x", b""))
    _refused(path, "lead")


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", ".", ""])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    """Though nothing is ever unpacked."""
    _refused(_tar(tmp_path / "a.tar", (name, b"")), "leads out")


def test_a_file_may_be_there_twice(tmp_path: Path) -> None:
    """So crane writes the config that two images share; no reader could tell which it read."""
    path = _tar(tmp_path / "a.tar", ("x", b"1"), ("y", b"2"), ("x", b"1"))
    assert _read(path, "x") == b"1"


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """Two readers would read two archives."""
    _refused(_tar(tmp_path / "a.tar", ("x", b"1"), ("./x", b"2")), "two files")
    _refused(_tar(tmp_path / "b.tar", ("y", b"1"), _link("y", "y")), "two files")
    _refused(_tar(tmp_path / "c.tar", _link("z", "x"), _link("z", "y")), "two files")
    _refused(_tar(tmp_path / "d.tar", ("x", b"1"), ("x", b"12")), "two files")
    _refused(_tar(tmp_path / "e.tar", _link("x", "y"), ("x", b"1")), "two files")


@pytest.mark.parametrize(
    "kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_what_is_no_ordinary_file_is_refused(kind: bytes, tmp_path: Path) -> None:
    """Devices, pipes, files with holes."""
    _refused(_tar(tmp_path / "a.tar", _info("x", type=kind)), "no ordinary file")


def test_a_size_beyond_the_end_is_refused(tmp_path: Path) -> None:
    """Whether the archive was cut off or lies."""
    for length in (2000, 512 + 5000):
        path = _tar(tmp_path / "a.tar", ("x", b"1" * 5000))
        with path.open("r+b") as file:
            file.truncate(length)
        _refused(path, "no sound tar")


def test_a_header_of_absurd_length_is_refused(tmp_path: Path) -> None:
    """It would be read into memory as a whole."""
    header = _info("x", type=tarfile.XHDTYPE, size=2**33)
    path = tmp_path / "a.tar"
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    _refused(path, "claims 8589934592 bytes")


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, b"?"])
def test_a_negative_size_is_refused(kind: bytes, tmp_path: Path) -> None:
    """It would lead the reader back for ever."""
    header = _info("y", type=kind, size=-10240).tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "a.tar").write_bytes(header + bytes(10240))
    _refused(tmp_path / "a.tar", "claims -10240 bytes|no ordinary file")


def test_headers_without_end_are_refused(tmp_path: Path) -> None:
    """One within another, a thousand times and more."""
    path = tmp_path / "a.tar"
    header = _info("x", type=tarfile.XHDTYPE, size=0).tobuf()
    path.write_bytes(header * 20_000 + bytes(10240))
    _refused(path, "no sound tar")


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    """A table of contents has to fit into memory."""
    path = tmp_path / "a.tar"
    path.write_bytes(_info("d", type=tarfile.DIRTYPE).tobuf() * 100_001 + bytes(10240))
    _refused(path, "more than 100000")


@pytest.mark.parametrize("content", [b"", b"no tar" * 1000], ids=["empty", "text"])
def test_what_is_no_tar_is_refused(content: bytes, tmp_path: Path) -> None:
    """With one kind of error."""
    (tmp_path / "a.tar").write_bytes(content)
    _refused(tmp_path / "a.tar", "no sound tar")


# --- gzip -----------------------------------------------------------------------------------


def test_a_compressed_archive_is_read_like_another(tmp_path: Path) -> None:
    """As from ``docker save | gzip``."""
    path = _tar(tmp_path / "a.tar", ("x", b"content" * 1000))
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert _read(packed, "x") == b"content" * 1000


def test_an_archive_may_come_through_a_pipe(tmp_path: Path) -> None:
    """As from a process substitution; compressed, it is spooled anyway."""
    packed = gzip.compress(_tar(tmp_path / "a.tar", ("x", b"1")).read_bytes())
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(packed,))
    writer.start()
    assert _read(tmp_path / "pipe", "x") == b"1"
    writer.join()


@pytest.mark.parametrize("cut", [3, 30, -1])
def test_a_compressed_archive_that_breaks_off_is_refused(cut: int, tmp_path: Path) -> None:
    """It may look whole up to there."""
    path = _tar(tmp_path / "a.tar", ("x", b"content"))
    path.write_bytes(gzip.compress(path.read_bytes())[:cut])
    _refused(path, "breaks off")


def test_garbage_after_gzip_is_refused(tmp_path: Path) -> None:
    """It is part of what was hashed, and means nothing."""
    path = _tar(tmp_path / "a.tar", ("x", b"content"))
    path.write_bytes(gzip.compress(path.read_bytes()) + b"garbage")
    _refused(path, "no gzip")


def test_gzip_streams_may_follow_each_other() -> None:
    """As pigz and bgzip write them; pieces are bounded whatever comes in."""
    content = bytes(3 * 2**20) + os.urandom(100)
    packed = gzip.compress(content) + gzip.compress(b"") + gzip.compress(content)
    for step in (1, 7, len(packed)) if len(packed) < 50_000 else (len(packed),):
        pieces = list(gunzipped(packed[n : n + step] for n in range(0, len(packed), step)))
        assert b"".join(pieces) == content * 2
        assert max(map(len, pieces)) <= 2**20


def test_a_bomb_is_refused_before_it_has_gone_off() -> None:
    """What swells a thousandfold is stopped at a quarter of a GiB."""

    def bomb() -> Iterator[bytes]:
        yield gzip.compress(bytes(300 * 2**20), compresslevel=1)

    given: list[int] = []
    with pytest.raises(IntegrityError, match="too many"):
        given.extend(len(piece) for piece in gunzipped(bomb()))
    assert sum(given) < 290 * 2**20
