"""The bill of materials has what the locks have, and is valid by its schema."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.packaging.test_locks import LOCKS, locked

ROOT = Path(__file__).parents[2]
_JUDGE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()))
"""
"""Run beside the tests, which leave out of jsonschema what checks IRIs."""


@pytest.fixture(scope="module")
def sbom() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "requirements" / "sbom.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("lock", LOCKS)
def test_a_bill_has_each_locked_package_with_its_hashes(sbom: ModuleType, lock: str) -> None:
    document = json.loads(sbom.bill(lock))
    listed = {part["name"]: (part["version"], len(part["hashes"])) for part in document["components"]}
    assert listed == locked(lock)
    assert all(part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}" for part in document["components"])


def test_a_bill_is_valid_and_says_who_needs_whom_by_which_licence(sbom: ModuleType) -> None:
    text = sbom.bill("core")
    judged = subprocess.run([sys.executable, "-c", _JUDGE], input=text, capture_output=True, text=True)
    assert (judged.returncode, judged.stdout) == (0, "None\n"), judged.stdout + judged.stderr
    document = json.loads(text)
    needs = {entry["ref"].partition("@")[0]: entry.get("dependsOn", []) for entry in document["dependencies"]}
    assert any(ref.startswith("pkg:pypi/httpx@") for ref in needs["pkg:pypi/dbz-ops"])
    assert any(ref.startswith("pkg:pypi/httpcore@") for ref in needs["pkg:pypi/httpx"])
    assert document["metadata"]["component"]["licenses"], "the project says its own"
