"""Every Python block of the pages and every example in a docstring runs.

The blocks of one page share a namespace and an empty working directory. A block that cannot
run says why, in a comment on the line before it:

    <!-- not run: needs an account at a cloud -->
    ```python
"""

from __future__ import annotations

import doctest
import importlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = Path(__file__).parents[2]
PAGES = sorted(
    [*HOUSE.glob("*.md"), *(p for p in HOUSE.glob("docs/**/*.md") if "_build" not in p.parts)]
)
MODULES = sorted(
    ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")
    for path in HOUSE.glob("harborsync/**/*.py")
)
_FENCE = re.compile(
    r"(?P<reason><!-- not run: [^\n]+ -->\n)?"
    r"(?P<indent>[ ]*)```python(?P<rest>[^\n]*)\n(?P<code>.*?)(?<=\n)[ ]*```",
    re.DOTALL,
)
_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """A Python block of a page."""

    line: int
    code: str


def blocks(page: str) -> Iterator[Block]:
    """Yield the blocks of a page that are to be run."""
    for fence in _FENCE.finditer(page):
        assert not fence["rest"].strip(), (
            f"a block is marked {fence['rest']!r}: say it in a comment"
        )
        if not fence["reason"]:
            code = re.sub(rf"(?m)^{fence['indent']}", "", fence["code"])
            yield Block(page.count("\n", 0, fence.start("code")) + 1, code)


def run(block: Block, path: str, namespace: dict[str, object]) -> None:
    """Run a block so that tracebacks point at the page's lines; sessions run as doctests."""
    if ">>> " in block.code:
        session = doctest.DocTestParser().get_doctest(
            block.code, namespace, path, path, block.line - 1
        )
        session.globs = namespace
        runner = doctest.DocTestRunner(optionflags=_OPTIONS)
        runner.run(session, clear_globs=False)
        assert not runner.failures, f"a session in {path} at line {block.line} fails, see above"
        return
    code = compile("\n" * (block.line - 1) + block.code, path, "exec", dont_inherit=True)
    exec(code, namespace)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_the_python_on_a_page_runs(path: Path, tmp_path: Path) -> None:
    """From the first block to the last, as a reader would type them."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        for block in blocks(path.read_text()):
            run(block, str(path), namespace)
    finally:
        os.chdir(before)


@pytest.mark.parametrize("name", [m for m in MODULES if not m.endswith("__main__")])
def test_the_examples_in_docstrings_hold(name: str) -> None:
    """They show what the code does today."""
    result = doctest.testmod(importlib.import_module(name), optionflags=_OPTIONS)
    assert not result.failed


def test_a_block_without_a_reason_is_run() -> None:
    """The executor finds blocks, honours reasons and refuses marks."""
    page = "a\n```python\nx = 1\n```\n<!-- not run: why -->\n```python\n1/0\n```\n"
    assert list(blocks(page)) == [Block(3, "x = 1\n")]
    with pytest.raises(AssertionError, match="say it in a comment"):
        list(blocks("```python no-run\n```\n"))


def test_a_block_that_breaks_fails_with_the_pages_line() -> None:
    """The traceback leads to the page."""
    with pytest.raises(ZeroDivisionError) as caught:
        run(Block(7, "x = 1\n1 / 0\n"), "page.md", {})
    assert caught.traceback[-1].lineno + 1 == 8


def test_a_session_that_breaks_fails() -> None:
    """What a page claims is printed must be printed."""
    run(Block(1, ">>> 1 + 1\n2\n"), "page.md", {})
    with pytest.raises(AssertionError, match="line 1 fails"):
        run(Block(1, ">>> 1 + 1\n3\n"), "page.md", {})
