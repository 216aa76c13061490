"""The OpenAPI 3.1 description of all endpoints, made from the endpoints themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import msgspec

from mess_integrations.http.routing import Endpoint
from mess_plugin.search.parsing import RANGES
from mess_plugin.search.query import Query

_VARIABLE = re.compile(r"{(\w+)}")
_TEXTS = {"duration_s": "2:30-4:00", "key": "Am", "tempo_bpm": "same", "loudness_lufs": "-16..-12"}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "What is wrong and what to do."}},
}


def describe(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """An OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    (query,), query_parts = msgspec.json.schema_components(
        [Query], ref_template="#/components/schemas/{name}"
    )
    assert query == {"$ref": "#/components/schemas/Query"}
    for endpoint in endpoints:
        operation = _operation(endpoint, query_parts["Query"])
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "MESS",
            "version": version("mess-plugin"),
            "description": "Expressive music similarity search.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR, **_as_written(query_parts)},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _as_written(parts: dict[str, Any]) -> dict[str, Any]:
    """The parts of a query with the texts of the command line as further ways to write them."""
    filters = parts["Filters"]["properties"]
    for word in (*RANGES, "key"):
        example = _TEXTS.get(word, "90-110")
        filters[word]["anyOf"].append({"type": "string", "examples": [example]})
    return parts


def _operation(endpoint: Endpoint, query: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {
        str(status): _response(status, text) for status, text in endpoint.answers.items()
    }
    if endpoint.answer_example is not None:
        first = responses[str(next(iter(endpoint.answers)))]
        first["content"]["application/json"]["example"] = endpoint.answer_example
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
    if endpoint.method in ("POST", "PUT"):
        schema: dict[str, Any] = _schema(endpoint.body) if endpoint.body else {"type": "object"}
        if endpoint.asks:
            schema["properties"] = {**schema["properties"], **query["properties"]}
            schema["additionalProperties"] = False
        content: dict[str, Any] = {"schema": schema}
        if endpoint.example is not None:
            content["example"] = endpoint.example
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
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
