"""The wheel is all that a user needs: no checkout."""

import json
import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this checkout, built without asking the network for anything."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=100)
    return next(folder.glob("dbz_ops-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The `dbz` of an environment that has the wheel and, borrowed from the tests' environment, what it needs."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False, symlinks=True)
    packages = Path(next(home.glob("lib/python*/site-packages")))
    (packages / "needed.pth").write_text("\n".join(site.getsitepackages()))
    install = ["-m", "pip", "--python", str(home / "bin" / "python"), "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run([sys.executable, *install], check=True, capture_output=True, timeout=100)
    return home / "bin" / "dbz"


def test_the_wheel_has_configurations_scenarios_and_page_parts(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for path in (*(ROOT / "configs").rglob("*.yaml"), *(ROOT / "scenarios").glob("*.py")):
        assert f"dbz/{path.relative_to(ROOT)}" in names
    for path in (ROOT / "dbz").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert str(path.relative_to(ROOT)) in names


def test_an_installed_wheel_runs_the_smoke_load(installed, tmp_path):
    env = {**os.environ, "DBZ_STATE_DIR": str(tmp_path / "state")}
    where = "import dbz; print(dbz.__file__)"
    python = [str(installed.parent / "python"), "-c", where]
    used = subprocess.run(python, cwd=tmp_path, env=env, capture_output=True, text=True, check=True).stdout
    assert str(installed.parent.parent) in used  # not the checkout
    command = [str(installed), "load", "smoke", "--duration", "2s", "--warmup", "2s", "--budgets", "none", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "pass"
