"""The broad path by itself; what it shares with the thin one is tested on the transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.cancel import Cancel
from harborsync.errors import Cancelled, SizeMismatch
from harborsync.http.addresses import AddressPolicy
from harborsync.http.bulk import BroadPath, SizedBlocks
from harborsync.http.lines import Lines
from harborsync.http.proxies import Proxies
from harborsync.http.tls import TlsIdentity
from harborsync.limits import HostLimits

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_sized_blocks_have_a_length_and_no_read() -> None:
    """With a read, they would be sent by 16 KiB (OCI-11.5)."""
    blocks = SizedBlocks(5, iter([b"abc", b"de"]))
    assert len(blocks) == 5
    assert not hasattr(blocks, "read")
    assert list(blocks) == [b"abc", b"de"]
    blocks.raise_own_failure()


def test_a_long_block_leaves_in_short_pieces() -> None:
    """Each has the whole idle timeout to leave, so that only a stalled upload ends (OCI-4.35)."""
    content = bytes(range(256)) * 4096
    pieces = list(SizedBlocks(len(content), iter([content[:200_000], content[200_000:]])))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) == 64 * 1024


@pytest.mark.parametrize("size", [2, 4, 6])
def test_another_length_is_seen_before_it_is_sent(size: int) -> None:
    """What is too much is not given out."""
    sent: list[bytes] = []
    blocks = SizedBlocks(size, iter([b"abc", b"de"]))
    with pytest.raises(SizeMismatch):
        sent.extend(blocks)
    assert len(b"".join(sent)) <= size
    with pytest.raises(SizeMismatch):
        blocks.raise_own_failure()


def test_a_sender_that_stops_early_is_no_failure_of_the_source() -> None:
    """The server may have answered in the middle."""
    blocks = SizedBlocks(5, iter([b"abc", b"de"]))
    iterator = iter(blocks)
    next(iterator)
    del iterator
    blocks.raise_own_failure()


def test_a_failing_source_is_remembered() -> None:
    """Whatever the layers below make of it."""

    def fail() -> Iterator[bytes]:
        yield b"abc"
        raise OSError("the disk")

    blocks = SizedBlocks(5, fail())
    with pytest.raises(OSError, match="the disk"):
        list(blocks)
    with pytest.raises(OSError, match="the disk"):
        blocks.raise_own_failure()


def test_a_cancelled_run_does_not_wait_for_a_download() -> None:
    """All but one connection are for downloads; here that is one."""
    lines = Lines(limits=HostLimits(), policy=AddressPolicy("127.0.0.1"), proxies=Proxies())
    path = BroadPath(size=2, lines=lines, tls=TlsIdentity().context, idle_timeout=5)
    cancel = Cancel()
    with path.downloading(cancel):
        cancel.set()
        with pytest.raises(Cancelled), path.downloading(cancel):
            raise AssertionError
    with path.downloading(Cancel()):
        path.close()
