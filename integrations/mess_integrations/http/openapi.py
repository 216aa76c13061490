"""The OpenAPI 3.1 description of all endpoints, made from the endpoints themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import msgspec

from mess_integrations.http.routing import Endpoint

_VARIABLE = re.compile(r"{(\w+)}")
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "What is wrong and what to do."}},
}


def describe(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """An OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "MESS",
            "version": version("mess-plugin"),
            "description": "Expressive music similarity search.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    responses: dict[str, Any] = {
        str(status): _response(status, text) for status, text in endpoint.answers.items()
    }
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": endpoint.handler.__name__,
        "parameters": [*_path_variables(endpoint), *_parameters(endpoint)],
        "responses": responses,
    }
    responses["429"] = _response(429, "Too many requests.")
    if not endpoint.is_open:
        operation["security"] = [{"token": []}]
        responses["401"] = _response(401, "The token is missing or wrong.")
    if endpoint.method == "POST":
        schema = _schema(endpoint.body) if endpoint.body else {"type": "object"}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
        responses["413"] = _response(413, "The body is too large.")
    return operation


def _response(status: int, text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"} if status >= 400 else {}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _path_variables(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _VARIABLE.findall(endpoint.path)
    ]


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    schema = _schema(endpoint.query)
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", []), "schema": one}
        for name, one in schema.get("properties", {}).items()
    ]


def _schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of a flat struct, in place."""
    (_,), components = msgspec.json.schema_components([kind])
    return dict(components[kind.__name__])
