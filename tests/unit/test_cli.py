"""The shell's door copies, says what went wrong, and ends with a status that scripts can use."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harborsync import __version__, open_registry
from harborsync.cli import main
from harborsync.testing import LoopbackRegistry
from harborsync.testing.content import random_index, random_referrer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGE = random_index(1)
SBOM = random_referrer(2, IMAGE.descriptor)


@pytest.fixture
def here() -> Iterator[LoopbackRegistry]:
    """Yield a registry with an image and an SBOM."""
    with LoopbackRegistry() as server:
        registry = open_registry(server.endpoint)
        IMAGE.push_to(registry, "team/app", "v1")
        SBOM.push_to(registry, "team/app")
        registry.close()
        yield server


@pytest.fixture
def there() -> Iterator[LoopbackRegistry]:
    """Yield an empty registry."""
    with LoopbackRegistry() as server:
        yield server


def run(*argv: str) -> tuple[int, str]:
    """Return the status and what was printed."""
    out = io.StringIO()
    return main(argv, out=out), out.getvalue()


def test_copy_brings_an_image_and_what_is_said_about_it(
    here: LoopbackRegistry, there: LoopbackRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    """The digest goes to standard output, progress to standard error."""
    status, printed = run("copy", f"{here.endpoint}/team/app:v1", f"{there.endpoint}/mirror/app")
    assert (status, printed) == (0, f"copied {IMAGE.digest}\n")
    assert there.storage.tags("mirror/app") == {"v1": str(IMAGE.digest)}
    assert len(there.storage.referrers("mirror/app", IMAGE.digest)) == 1
    assert capsys.readouterr().err.startswith("copied  team/app:v1 -> mirror/app:v1")


def test_copy_can_leave_satellites_behind_and_be_quiet(
    here: LoopbackRegistry, there: LoopbackRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing but the image, nothing but the result."""
    words = ("--quiet", "--no-satellites")
    status, _ = run("copy", *words, f"{here.endpoint}/team/app:v1", f"{there.endpoint}/app:v2")
    assert status == 0
    assert there.storage.referrers("app", IMAGE.digest) == []
    assert capsys.readouterr().err == ""


def test_copy_can_bring_one_platform_in_a_new_index(
    here: LoopbackRegistry, there: LoopbackRegistry
) -> None:
    """The digest printed is the one that is there."""
    words = ("--platform", "linux/amd64", "--subset", "rewritten")
    status, printed = run("copy", *words, f"{here.endpoint}/team/app:v1", f"{there.endpoint}/app")
    assert status == 0
    digest = printed.split()[1]
    assert there.storage.tags("app") == {"v1": digest}
    assert digest != str(IMAGE.digest)
    # The new index and the one image in it.
    assert len(there.storage.manifests("app")) == 2


def test_what_is_there_already_is_said_to_be_skipped(
    here: LoopbackRegistry, there: LoopbackRegistry
) -> None:
    """And is a success."""
    words = ("copy", f"{here.endpoint}/team/app:v1", f"{there.endpoint}/app")
    run(*words)
    assert run(*words) == (0, f"skipped {IMAGE.digest}\n")


def test_an_artifact_that_is_not_there_is_a_failure(
    here: LoopbackRegistry, there: LoopbackRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1 and one message with its remedy, no traceback."""
    status, printed = run("copy", f"{here.endpoint}/team/app:v9", f"{there.endpoint}/app")
    assert (status, printed) == (1, "")
    said = capsys.readouterr().err
    assert re.match(r"harborsync: .*has no team/app:v9\n  hint: ", said)


@pytest.mark.parametrize(
    ("source", "words", "said"),
    [
        ("a.example/app:v1", ("--platform", "linux/amd64"), "does not say how to write"),
        ("a.example/UPPER:v1", (), "UPPER"),
        ("nobody://a.example/app:v1", (), "there is no provider 'nobody'"),
    ],
    ids=["platforms without subset", "name that is none", "unknown provider"],
)
def test_a_wish_that_cannot_work_ends_with_status_2(
    source: str, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was asked of anybody."""
    status, _ = run("copy", *words, source, "b.example/app")
    assert status == 2
    assert said in capsys.readouterr().err


def test_warnings_are_told_and_stop_nothing(
    here: LoopbackRegistry, there: LoopbackRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    """A signature that could not be brought is worth a word."""
    here.storage.delete_blob("team/app", SBOM.blobs[1].descriptor.digest)
    status, _ = run("copy", f"{here.endpoint}/team/app:v1", f"{there.endpoint}/app")
    assert status == 0
    assert "harborsync: warning: " in capsys.readouterr().err


def test_the_demonstration_runs_from_the_shell() -> None:
    """Without network, arguments or a terminal."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "harborsync", "demo"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "0 requests that write" in done.stdout
    assert done.stderr == ""


def test_the_demonstration_goes_where_it_is_told() -> None:
    """Called from Python, its words can be caught."""
    status, printed = run("demo")
    assert status == 0
    assert "--- Second run" in printed


@pytest.mark.parametrize("words", [["demo"], ["copy", "--quiet", "oci:ours:v1", "oci:its:v1"]])
def test_a_reader_who_goes_away_is_no_fault(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``head`` has seen enough; there is no traceback, now or when the output is closed."""
    monkeypatch.chdir(tmp_path)
    IMAGE.push_to(open_registry("oci:ours"), "team/app", "v1")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        assert main(words, out=out) == 1
    assert capsys.readouterr().err == ""


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """As other programs do."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"harborsync {__version__}\n"


@pytest.mark.parametrize("words", [[], ["copy", "only-one"], ["fly"]], ids=str)
def test_words_that_are_no_command_line_end_with_status_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """And tell how it is meant."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m harborsync")


def test_asking_for_the_version_loads_no_network() -> None:
    """Nor anything else that takes time."""
    code = "import sys, harborsync.cli; print(*{'requests', 'ssl', 'cattrs'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


class Interrupting(io.StringIO):
    """Where Ctrl-C comes with the first word."""

    def write(self, _: str, /) -> int:
        """Be interrupted."""
        raise KeyboardInterrupt


def test_ctrl_c_ends_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """The status is the one that shells give to what was interrupted."""
    assert main(["demo"], out=Interrupting()) == 130
    assert capsys.readouterr().err == "harborsync: interrupted\n"


# --- check -----------------------------------------------------------------------------------


def test_check_tells_what_may_be_done_and_writes_nothing(here: LoopbackRegistry) -> None:
    """Nothing is wrong, so the status is 0."""
    here.clear_log()
    status, printed = run("check", str(here.endpoint))
    assert status == 0
    assert "looked at team/app" in printed
    assert {line.method for line in here.requests} <= {"GET", "HEAD"}


def test_check_prints_json_for_programs(here: LoopbackRegistry) -> None:
    """The whole of it, and nothing else."""
    status, printed = run("check", str(here.endpoint), "--json", "--probe-write")
    assert status == 0
    data = json.loads(printed)
    assert {right["deed"]: right["can"] for right in data["rights"]}["push"] == "yes"


def test_check_prints_policies_if_asked(here: LoopbackRegistry) -> None:
    """Pull and push apart."""
    status, printed = run("check", str(here.endpoint), "--policies", "--repository", "team/app")
    assert status == 0
    assert "the least to pull:\nrepository:*:pull\n" in printed
    assert "the least to push:\nrepository:*:pull,push\n" in printed


def test_check_fails_where_a_copy_would() -> None:
    """Status 1, with the remedy; a wish that cannot work is 2."""
    status, printed = run("check", "registry+http://127.0.0.1:1")
    assert status == 1
    assert "remedy:" in printed
    assert run("check", "nosuch://place")[0] == 2
