"""The bill of materials has what the locks have, and is valid by its schema."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.packaging.test_locks import LOCKS, locked

ROOT = Path(__file__).parents[2]


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
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    needs = {entry["ref"].partition("@")[0]: entry.get("dependsOn", []) for entry in document["dependencies"]}
    assert any(ref.startswith("pkg:pypi/httpx@") for ref in needs["pkg:pypi/dbz-ops"])
    assert any(ref.startswith("pkg:pypi/httpcore@") for ref in needs["pkg:pypi/httpx"])
    assert document["metadata"]["component"]["licenses"], "the project says its own"
