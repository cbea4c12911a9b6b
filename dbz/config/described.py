"""What is written below the fields of models, as the descriptions in their JSON Schemas.

Pydantic itself can take descriptions from there (`use_attribute_docstrings`), but reads the source of every model for
that whenever the program starts: a sixth of the time that a command takes to begin. This reads it when somebody asks
for a schema.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Add the descriptions to the schema of a model: for `json_schema_extra` of its configuration."""
    texts: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            texts |= _texts_below_fields(each)
    for name, field in model.model_fields.items():
        described = schema.get("properties", {}).get(field.alias or name)
        if described is not None and name in texts:
            described.setdefault("description", texts[name])


def _texts_below_fields(model: type[BaseModel]) -> dict[str, str]:
    """By field: the text that stands right below it in the source of this class."""
    import ast
    import inspect
    from itertools import pairwise
    from textwrap import dedent

    (class_,) = ast.parse(dedent(inspect.getsource(model))).body
    assert isinstance(class_, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(class_.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
