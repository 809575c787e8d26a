"""Laws of layouts and archives: a layout is a table of names, and no bytes break the reader."""

from __future__ import annotations

import contextlib
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from harborsync.errors import HarborsyncError
from harborsync.reference import Tag
from harborsync.registries.archive import open_archive
from harborsync.registries.layout_index import LayoutIndex
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from harborsync.content import Manifest
    from harborsync.reference import Digest

IMAGES = [random_image(number, layers=1, layer_bytes=10).manifest for number in range(3)]
REPOSITORIES = ("a", "a/b", "team/app")
TAGS = tuple(Tag(text) for text in ("v1", "latest", "sha256-x"))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(REPOSITORIES),
        st.sampled_from([*TAGS, None]),
        st.sampled_from([*IMAGES, None]),
    ),
    max_size=12,
)


@given(steps=STEPS, home=st.sampled_from([None, *REPOSITORIES]))
def test_an_index_is_a_table_of_names(
    steps: list[tuple[str, Tag | None, Manifest | None]], home: str | None
) -> None:
    """Whatever was written and taken away, each name points to what it was given last."""
    raw = b""
    wanted: dict[tuple[str, Tag], Digest] = {}
    for repository, tag, manifest in steps:
        index = LayoutIndex.parse(raw, home)
        if manifest is not None:
            raw = index.with_manifest(manifest, repository, tag)
            if tag is not None:
                wanted[repository, tag] = manifest.digest
        elif tag is not None:
            raw = index.without_tag(repository, tag)
            wanted.pop((repository, tag), None)
    index = LayoutIndex.parse(raw, home)
    found = {
        (repository, tag): entry.digest
        for repository in REPOSITORIES
        for tag, entry in index.tags(repository).items()
    }
    assert found == wanted


def _archive() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tar"
        registry = open_archive(path, docker=True)
        random_image(1, layer_bytes=10).push_to(registry, "team/app", "v1")
        registry.close()
        return path.read_bytes()


ARCHIVE = _archive()


@given(
    seed=st.integers(0, 2**32),
    changes=st.integers(0, 40),
    cut=st.integers(0, len(ARCHIVE)) | st.none(),
)
def test_no_bytes_break_the_reader(seed: int, changes: int, cut: int | None) -> None:
    """A damaged archive is read or refused by an error of ours; whatever is read is genuine."""
    rng, content = random.Random(seed), bytearray(ARCHIVE)
    for _ in range(changes):
        content[rng.randrange(len(content))] = rng.randrange(256)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tar"
        path.write_bytes(content[:cut])
        registry = open_archive(path, docker=True)
        with contextlib.suppress(HarborsyncError):
            for artifact in registry.list_artifacts("team/app"):
                manifest = registry.get_manifest("team/app", artifact.reference)
                assert manifest.digest.matches(manifest.raw)
        registry.close()
