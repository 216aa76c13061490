"""Jellyfin's official OpenAPI documents as judges of requests and responses.

They are looked for in `shared/jellyfin/openapi-VERSION.json` beside the checkout or further up, and are
not part of it. Where they are not, behaviour is still tested, but nothing judges the messages.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from jsonschema import FormatChecker
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

_CHECKOUT = Path(__file__).resolve().parents[1]
VERSIONS = ("10.11.11", "12.0.0")

# What the server does and its documents do not say.
UNDOCUMENTED = {
    ("post", "/Users/AuthenticateByName", 401),
    ("post", "/Playlists/{playlistId}", 400),
    ("get", "/QuickConnect/Connect", 401),
    ("get", "/Items", 500),
}

_formats = FormatChecker(formats=())


@_formats.checks("uuid", raises=ValueError)  # type: ignore[untyped-decorator]
def _is_id(value: object) -> bool:
    """Declared as RFC 4122, answered without dashes by the server itself: both are taken."""
    return not isinstance(value, str) or bool(UUID(value))


class Contract:
    """One version's document."""

    def __init__(self, version: str, document: dict[str, Any]) -> None:
        self.version = version
        self._document = document
        resource = DRAFT4.create_resource(document)
        self._registry: Registry[Any] = Registry().with_resource("urn:jellyfin", resource)
        self._templates = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in document["paths"]
        ]

    def operation(self, method: str, path: str) -> tuple[str, dict[str, Any]]:
        """The path as documented and its operation; an exact path comes before a template."""
        found = [template for pattern, template in self._templates if pattern.fullmatch(path)]
        assert found, f"{method} {path} is not documented"
        template = min(found, key=lambda one: one.count("{"))
        operation = self._document["paths"][template].get(method)
        assert operation, f"{method} {template} is not documented"
        return template, operation

    def check_request(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> None:
        """Every parameter is documented and of its type, none that is required lacks; the body."""
        template, operation = self.operation(method, path)
        declared = {
            one["name"]: one for one in operation.get("parameters", ()) if one["in"] == "query"
        }
        for name, values in query.items():
            assert name in declared, f"{method} {template} has no parameter {name}"
            schema = declared[name]["schema"]
            value: Any = values if schema.get("type") == "array" else _typed(schema, *values)
            self._check(schema, value, f"{name} of {method} {template}")
        for name, one in declared.items():
            assert not one.get("required") or name in query, f"{method} {template} lacks {name}"
        content = operation.get("requestBody", {}).get("content", {})
        assert (body is None) or content, f"{method} {template} takes no body"
        if body is not None:
            schema = content["application/json"]["schema"]
            self._check(schema, body, f"body of {method} {template}")

    def check_response(self, method: str, path: str, status: int, body: Any) -> None:
        """The status is documented, and so is the body."""
        template, operation = self.operation(method, path)
        answer = operation["responses"].get(str(status))
        if answer is None:
            assert (method, template, status) in UNDOCUMENTED, f"{status} of {method} {template}"
            return
        content = answer.get("content")
        if content and status < 400:
            schema = content["application/json"]["schema"]
            self._check(schema, body, f"{status} of {method} {template}")
        elif status < 400:
            assert body is None

    def _check(self, schema: dict[str, Any], value: Any, what: str) -> None:
        absolute = json.loads(json.dumps(schema).replace('"#/', '"urn:jellyfin#/'))
        validator = OAS30Validator(absolute, registry=self._registry, format_checker=_formats)
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
        assert not errors, f"{what} ({self.version}): {errors[:3]}"


class Unjudged(Contract):
    """A version whose document is not on this machine."""

    def __init__(self, version: str) -> None:
        self.version = version

    def check_request(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> None:
        """Nothing is known to be wrong."""

    def check_response(self, method: str, path: str, status: int, body: Any) -> None:
        """Nothing is known to be wrong."""


@cache
def contract(version: str) -> Contract:
    """What judges the messages of a version."""
    path = document(version)
    if path is None:
        return Unjudged(version)
    return Contract(version, json.loads(path.read_text(encoding="utf-8")))


def document(version: str) -> Path | None:
    """The document of a version, None where it is not on this machine."""
    name = Path("shared", "jellyfin", f"openapi-{version}.json")
    return next((folder / name for folder in _CHECKOUT.parents if (folder / name).exists()), None)


def _typed(schema: dict[str, Any], text: str) -> Any:
    match schema.get("type"):
        case "integer":
            return int(text)
        case "boolean":
            assert text in ("true", "false"), text
            return text == "true"
        case _:
            return text
