"""`GET /docs`: the OpenAPI document as one readable page, made here, without scripts or other hosts."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); }
h2, h3 { line-height: 1.25; } nav li { margin: .15rem 0; } nav ul { list-style: none; padding: 0; }
code, pre { font: 14px/1.45 ui-monospace, monospace; } pre { overflow-x: auto; padding: .75rem;
border: 1px solid var(--line); border-radius: 6px; } .method { display: inline-block; min-width: 4.5rem;
font-weight: 700; } table { border-collapse: collapse; width: 100%; } th, td { text-align: left;
padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:first-child, td:nth-child(2) { white-space: nowrap; } .scroll { overflow-x: auto; }
""".strip()
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def render(document: Mapping[str, Any]) -> str:
    """The page of an OpenAPI document. Every text in it is escaped."""
    info, paths = document["info"], document["paths"]
    operations = [
        (method.upper(), path, operation)
        for path, item in paths.items()
        for method, operation in item.items()
    ]
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(info['title'])} over HTTP</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_text(info['title'])} over HTTP</h1>",
        f"<p>Version {_text(info['version'])}. {_text(info['description'])} For programs: "
        '<a href="/openapi.json">openapi.json</a>. The web page: <a href="/">/</a>.</p>',
        "<p>Requests carry <code>Authorization: Bearer TOKEN</code> unless it says “open”; the token "
        "is <code>MESS_TOKEN</code>, or the content of the file <code>token</code> of MESS_HOME.</p>",
        "<nav><ul>",
        *(
            f'<li><a href="#{_text(one["operationId"])}"><code><span class="method">{method}</span>'
            f"{_text(path)}</code></a> {_text(one['summary'])}</li>"
            for method, path, one in operations
        ),
        "</ul></nav><main>",
        *(part for operation in operations for part in _operation(*operation)),
        "<h2>Schemas</h2>",
        *(
            part
            for name, schema in sorted(document["components"]["schemas"].items())
            for part in _schema(name, schema)
        ),
        "</main></body></html>",
    ]
    return "\n".join(parts)


def _operation(method: str, path: str, one: Mapping[str, Any]) -> Iterator[str]:
    title = f'<code><span class="method">{method}</span>{_text(path)}</code>'
    yield f'<h2 id="{_text(one["operationId"])}">{title}</h2>'
    yield f"<p><strong>{_text(one['summary'])}</strong>{'' if 'security' in one else ' (open)'}</p>"
    if "description" in one:
        yield f"<p>{_text(one['description'])}</p>"
    if one["parameters"]:
        yield "<h3>Parameters</h3>"
        yield from _table(
            (
                f"<code>{_text(parameter['name'])}</code>",
                _text(_type(parameter["schema"])),
                _text(parameter["description"])
                + (" <strong>Must be given.</strong>" if parameter["required"] else ""),
            )
            for parameter in one["parameters"]
        )
    for media_type, content in one.get("requestBody", {}).get("content", {}).items():
        yield f"<h3>Body, <code>{_text(media_type)}</code></h3>"
        yield from _content(content)
    yield "<h3>Answers</h3>"
    yield from _table(
        (
            f"<code>{_text(status)}</code>",
            _text(", ".join(answer.get("content", {}))),
            _text(answer["description"]),
        )
        for status, answer in one["responses"].items()
    )
    for answer in one["responses"].values():
        for content in answer.get("content", {}).values():
            if "example" in content:
                yield from _content(content)


def _content(content: Mapping[str, Any]) -> Iterator[str]:
    schema = content["schema"]
    if "$ref" in schema:
        yield f"<p>{_link(schema['$ref'])}</p>"
    elif "properties" in schema:
        yield from _fields(schema)
    if "example" in content:
        shown = json.dumps(content["example"], indent=2, ensure_ascii=False)
        yield f"<pre>{_text(shown)}</pre>"


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h3 id="schema-{_text(name)}">{_text(name)}</h3>'
    if "description" in schema:
        yield f"<p>{_text(schema['description'])}</p>"
    if "properties" in schema:
        yield from _fields(schema)


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    required = schema.get("required", [])
    yield from _table(
        (
            f"<code>{_text(name)}</code>",
            _type_html(one),
            _text(one.get("description", ""))
            + (" <strong>Must be given.</strong>" if name in required else ""),
        )
        for name, one in schema["properties"].items()
    )


def _table(rows: Any) -> Iterator[str]:
    yield '<div class="scroll"><table>'
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</table></div>"


def _type_html(schema: Mapping[str, Any]) -> str:
    """The type of a field, with a link where it is a schema of its own."""
    for place in (
        schema,
        schema.get("items", {}),
        *schema.get("anyOf", ()),
        *schema.get("allOf", ()),
    ):
        if isinstance(place, dict) and "$ref" in place:
            return _link(place["$ref"]) + (" …" if place is schema.get("items") else "")
    return _text(_type(schema))


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kind = schema.get("type", "any")
    text = " | ".join(kind) if isinstance(kind, list) else str(kind)
    if text == "array" and "items" in schema and isinstance(schema["items"], dict):
        text = f"list of {_type(schema['items'])}"
    limits = [schema.get("minimum"), schema.get("maximum")]
    if limits != [None, None]:
        text += " " + "–".join("" if one is None else f"{one:g}" for one in limits)
    if schema.get("default") not in (None, [], {}, ""):
        text += f" = {json.dumps(schema['default'])}"
    return text


def _link(reference: str) -> str:
    name = _text(reference.rpartition("/")[2])
    return f'<a href="#schema-{name}">{name}</a>'


def _text(text: object) -> str:
    return html.escape(str(text))
