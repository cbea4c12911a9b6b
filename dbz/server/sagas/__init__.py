"""Sagas: work in several steps that is finished or taken back, whatever ends in between."""

from dbz.server.sagas.definition import SagaDefinition, SagaStep, StepRefusedError
from dbz.server.sagas.runner import SagaRunner, is_store_away

__all__ = ["SagaDefinition", "SagaRunner", "SagaStep", "StepRefusedError", "is_store_away"]
