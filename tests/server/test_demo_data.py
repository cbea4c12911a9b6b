"""Demo data that a server writes before it serves."""

from __future__ import annotations

import pymongo
import pytest

from dbz.children import free_port
from dbz.errors import DependencyError
from dbz.server.seed import __main__ as seeding
from dbz.server.seed import first
from dbz.server.settings import StoreSettings
from tests.server.backend import Backend


def test_a_store_that_never_comes_is_an_error_of_a_dependency(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(first, "_STORE_PATIENCE_S", 0.05)
    monkeypatch.setattr(seeding, "_PATIENCE_S", 0.5)
    stores = StoreSettings(mongo_uri=f"mongodb://127.0.0.1:{free_port()}")
    with pytest.raises(DependencyError, match="the demo data could not be written"):
        first.write_first(stores, seed=1, clubs=1)
    assert "the document store does not answer" in capfd.readouterr().err


def test_the_data_are_there_on_return_and_written_once(backend: Backend, capfd: pytest.CaptureFixture[str]) -> None:
    stores = StoreSettings(mongo_uri=backend.mongo_uri, database="written_first")
    for said in ("seeded 1 clubs", "already seeded: 1 clubs"):
        first.write_first(stores, seed=7, clubs=1)
        assert said in capfd.readouterr().out
    with pymongo.MongoClient(backend.mongo_uri) as mongo:
        assert mongo.written_first.clubs.count_documents({}) == 1
        mongo.drop_database("written_first")
