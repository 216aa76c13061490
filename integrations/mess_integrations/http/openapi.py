"""The OpenAPI 3.1 description of all endpoints, made from the endpoints themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from mess_integrations.http import schemas
from mess_integrations.http.routing import Endpoint
from mess_plugin.search.query import Query

_VARIABLE = re.compile(r"{(\w+)}")
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "What is wrong and what to do."}},
}
_PATH_VARIABLES: Mapping[str, tuple[str, str]] = {
    "id": ("The number of a track.", r"^[0-9]{1,18}$"),
    "number": ("The number of a smart playlist.", r"^[0-9]{1,18}$"),
    "rule": ("The number of a rule, as `GET /v1/never` says it.", r"^[0-9]+$"),
    "account": ("The name of an account, as `GET /v1/accounts` says it.", r"^[\w.@-]+$"),
    "name": ("The name of a file.", r"^[\w.-]+$"),
}
_EVERYWHERE = {
    400: "The request is wrong; `error` says why.",
    421: "The service does not go by the name in the header Host.",
    429: "Too many requests: wait a second.",
    503: "Too many requests wait, or the database does not answer: try again.",
}
_CLOSED = {401: "The token is missing or wrong.", 403: "A page of another site asks."}


def describe(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """An OpenAPI document."""
    endpoints = tuple(endpoints)
    kinds = {one.answer.__name__: one.answer for one in endpoints if one.answer is not None}
    kinds |= {one.body.__name__: one.body for one in endpoints if one.body is not None}
    parts = schemas.query_components(Query) | schemas.components(kinds)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, parts)
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
            "schemas": {"Error": _ERROR, **parts},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "MESS_TOKEN, or the content of the file `token` of MESS_HOME.",
                }
            },
        },
    }


def _operation(endpoint: Endpoint, parts: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": f"{endpoint.method.lower()}_{endpoint.handler.__name__}",
        "parameters": [*_path_variables(endpoint), *_parameters(endpoint)],
        "responses": _responses(endpoint),
    }
    if endpoint.handler.__doc__:
        operation["description"] = " ".join(endpoint.handler.__doc__.split())
    if not endpoint.is_open:
        operation["security"] = [{"token": []}]
    if endpoint.method in ("POST", "PUT"):
        operation["requestBody"] = {"required": True, "content": _body(endpoint, parts)}
    return operation


def _body(endpoint: Endpoint, parts: Mapping[str, Any]) -> dict[str, Any]:
    if endpoint.takes_file:
        return {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    schema: dict[str, Any] = {"type": "object"}
    if endpoint.body is not None:
        schema = dict(parts[endpoint.body.__name__])
        if endpoint.asks:
            schema["properties"] = {**schema["properties"], **parts["Query"]["properties"]}
        schema["additionalProperties"] = False
    content = {"schema": schema}
    if endpoint.example is not None:
        content["example"] = dict(endpoint.example)
    return {"application/json": content}


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    told = dict(endpoint.answers)
    others = _EVERYWHERE if endpoint.is_open else _EVERYWHERE | _CLOSED
    if endpoint.method in ("POST", "PUT"):
        others = others | {413: "The body is too large."}
    for status, text in others.items():
        told.setdefault(status, text)
    return {
        str(status): {"description": text, "content": _content(endpoint, status)}
        if status not in (204, 304)
        else {"description": text}
        for status, text in sorted(told.items())
    }


def _content(endpoint: Endpoint, status: int) -> dict[str, Any]:
    is_own = status < 400 or (status == 503 and endpoint.path == "/readyz")
    if not is_own:
        return {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    content: dict[str, Any] = {}
    for media_type in endpoint.media:
        if media_type != "application/json":
            # Of a stream, each event is described, which is an object whose `data` is JSON.
            kind = "object" if media_type == "text/event-stream" else "string"
            content[media_type] = {"schema": {"type": kind}}
            continue
        if endpoint.answer is not None:
            reference = schemas.REFERENCE.format(name=endpoint.answer.__name__)
            content[media_type] = {"schema": {"$ref": reference}}
        else:
            content[media_type] = {"schema": schemas.of_example(endpoint.answer_example)}
        if endpoint.answer_example is not None:
            content[media_type]["example"] = endpoint.answer_example
    return content


def _path_variables(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_VARIABLES[name][0],
            "schema": {"type": "string", "pattern": _PATH_VARIABLES[name][1]},
        }
        for name in _VARIABLE.findall(endpoint.path)
    ]


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found = []
    for name, is_required, schema in schemas.parameters(endpoint.query):
        plain = {key: value for key, value in schema.items() if key != "description"}
        found.append(
            {
                "name": name,
                "in": "query",
                "required": is_required,
                "description": schema.get("description", ""),
                "schema": plain,
            }
        )
    return found
