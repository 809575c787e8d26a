"""What is published works on its own: built, installed elsewhere, imported, asked its version."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
EXTRAS = {"aws", "aliyun", "tencent", "tencent-full", "gcp", "all"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    into = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", into],
        cwd=HOUSE,
        check=True,
        capture_output=True,
    )
    return next(into.glob("*.whl"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """Every module, the marker of typed packages, the licence; no tests, no docs."""
    names = zipfile.ZipFile(wheel).namelist()
    modules = {str(p.relative_to(HOUSE)) for p in HOUSE.glob("harborsync/**/*.py")}
    assert modules | {"harborsync/py.typed"} <= set(names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"harborsync"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_names_every_extra(wheel: Path) -> None:
    """Extras and the lowest Python are in its metadata."""
    archive = zipfile.ZipFile(wheel)
    name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
    metadata = Parser().parsestr(archive.read(name).decode())
    assert set(metadata.get_all("Provides-Extra", [])) == EXTRAS
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_installed_wheel_works(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own it imports and tells its version."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    # Dependencies come from this environment; a path file there does not bring the checkout in.
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    where = subprocess.run(
        [python, "-c", "import harborsync; print(harborsync.__file__)"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert where.stdout.startswith(str(site))
    version = subprocess.run(
        [python, "-m", "harborsync", "--version"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "0.1.0" in version.stdout
