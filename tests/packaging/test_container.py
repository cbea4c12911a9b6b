"""What the container is built from is enough to install from, and what it runs are commands of ours."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import yaml

from tests.cli.pages.test_ci_recipes import accepted

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_what_is_copied_into_the_image_is_enough_to_build_the_wheel(tmp_path: Path) -> None:
    for line in re.findall(r"^COPY (?!--)(.*)$", DOCKERFILE, re.MULTILINE):
        *sources, target = line.split()
        for name in sources:
            source, place = ROOT / name, tmp_path / target
            if source.is_dir():
                shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, place)
            assert f"!{name}" in (ROOT / ".dockerignore").read_text().splitlines()
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(tmp_path)]
    subprocess.run([sys.executable, *build], check=True, capture_output=True, timeout=100)
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    assert {"dbz/cli/main.py", "dbz/configs/profiles/mixed.yaml", "dbz/scenarios/mixed.py"} <= names


def test_it_does_not_run_as_root() -> None:
    *_, last = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    assert re.search(r"^USER dbz$", last, re.MULTILINE) and "useradd" in last


def test_what_the_containers_run_are_commands_of_ours() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    given = {"TARGET": "http://127.0.0.1:8080"}
    for service in services.values():
        text = re.sub(r"\$\{(\w+):[-?]([^}]*)\}", lambda match: given.get(match[1], match[2]), service["command"])
        accepted(shlex.split(text))
        assert "DBZ_WORKER_SECRET" in service["environment"]
    assert set(services) == {"master", "worker"}
