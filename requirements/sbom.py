"""What a release is made of, for tools that ask: `make sbom` writes CycloneDX 1.6 for each of the locks.

The packages with their hashes are those of the lock; licences and who needs whom are what the installed packages say.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseAcknowledgement
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
LOCKS = ("core", "load", "embedded", "all")
PROJECT = "dbz-ops"
_ENTRY = re.compile(r"^([^\s=]+)==(\S+)[^\n]*((?:\n    --hash=\S+(?: \\)?)+)", re.MULTILINE)
_HASH = re.compile(r"sha256:([0-9a-f]{64})")


def bill(lock: str) -> str:
    """The bill of materials of one lock, as JSON."""
    bom = Bom()
    bom.metadata.component = project = _component(PROJECT, metadata.version(PROJECT), ())
    parts = {
        canonicalize_name(name): _component(canonicalize_name(name), version, _HASH.findall(hashes))
        for name, version, hashes in _ENTRY.findall((HERE / f"{lock}.txt").read_text())
    }
    bom.components.update(parts.values())
    for name, component in {PROJECT: project, **parts}.items():
        bom.register_dependency(component, [parts[needed] for needed in _needs(name) if needed in parts])
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)


def _component(name: str, version: str, hashes: tuple[str, ...] | list[str]) -> Component:
    url = PackageURL("pypi", None, name, version)
    return Component(
        name=name,
        version=version,
        type=ComponentType.APPLICATION if name == PROJECT else ComponentType.LIBRARY,
        purl=url,
        bom_ref=str(url),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=content) for content in hashes],
        licenses=[LicenseFactory().make_from_string(text, license_acknowledgement=LicenseAcknowledgement.DECLARED)]
        if (text := _licence(name))
        else (),
    )


def _licence(name: str) -> str:
    """What an installed package says of its licence; empty when it is not installed, or says a whole text."""
    try:
        fields = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    text = str(fields.get("License-Expression") or fields.get("License") or "").strip()
    return text if text and "\n" not in text and len(text) < 100 else ""


def _needs(name: str) -> set[str]:
    """The packages that an installed one asks for, whatever extra or system that is for."""
    try:
        asked = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return set()
    return {canonicalize_name(Requirement(text).name) for text in asked}


def main(folder: Path) -> None:
    """Write `dbz-ops-<lock>.cdx.json` for each lock."""
    folder.mkdir(parents=True, exist_ok=True)
    for lock in LOCKS:
        path = folder / f"{PROJECT}-{lock}.cdx.json"
        path.write_text(bill(lock) + "\n", encoding="utf-8")
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
