"""JSON Schemas of our types, with what is written beside their fields as descriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mess_plugin.config import field_texts
from mess_plugin.options import ASPECTS, HIDE, MOODS, SHOW
from mess_plugin.search.parsing import RANGES
from mess_plugin.search.query import MAX_WEIGHT

REFERENCE = "#/components/schemas/{name}"
_TEXTS = {"duration_s": "2:30-4:00", "key": "Am", "tempo_bpm": "same", "loudness_lufs": "-16..-12"}
#: Text that can be stored: no NUL. (JSON Schema cannot say "no half of a surrogate pair".)
TEXT_PATTERN = r"^[^\u0000]*$"


def components(kinds: Mapping[str, type]) -> dict[str, Any]:
    """The schemas of structs and of all that they hold, by name."""
    _, found = msgspec.json.schema_components(list(kinds.values()), ref_template=REFERENCE)
    schemas: dict[str, Any] = dict(found)
    for kind in _structs(kinds.values()):
        schema = schemas.get(kind.__name__)
        if schema is not None and "properties" in schema:
            _describe(schema, kind)
    return schemas


def query_components(query: type[msgspec.Struct]) -> dict[str, Any]:
    """The schemas of a query in JSON, with the texts of the command line as further ways to write."""
    schemas = components({"Query": query})
    schemas.pop("Reference", None)
    properties = schemas["Query"]["properties"]
    properties["against"] = _described(properties["against"], _list(_text()))
    weight = {"type": "number", "minimum": 0, "maximum": MAX_WEIGHT}
    properties["emphasis"] |= {
        "propertyNames": {"enum": list(ASPECTS)},
        "additionalProperties": weight,
    }
    properties["only"]["items"] = {"enum": list(ASPECTS)}
    properties["blend"]["propertyNames"] = {"enum": ["plays"]}
    properties["duplicates"]["enum"] = [HIDE, SHOW]
    filters = schemas["Filters"]["properties"]
    filters["moods"]["items"] = {"enum": list(MOODS)}
    for word in (*RANGES, "key"):
        example = _TEXTS.get(word, "90-110")
        filters[word]["anyOf"].append({"type": "string", "examples": [example]})
    for name in ("Query", "Filters", "Range"):
        schemas[name]["additionalProperties"] = False
    return schemas


def parameters(kind: type[msgspec.Struct]) -> Iterator[tuple[str, bool, dict[str, Any]]]:
    """Name, whether it must be given, and schema of each field of a struct of plain values."""
    schema = components({kind.__name__: kind})[kind.__name__]
    for name, one in schema["properties"].items():
        yield name, name in schema.get("required", []), _without_null(one)


def of_example(value: object) -> dict[str, Any]:
    """A schema that an example fits: types, any of which may be null, and nothing that must be."""
    match value:
        case bool():
            return {"type": ["boolean", "null"]}
        case int() | float():
            return {"type": ["number", "null"]}
        case str():
            return {"type": ["string", "null"]}
        case list() if value:
            return {"type": ["array", "null"], "items": of_example(value[0])}
        case list():
            return {"type": ["array", "null"]}
        case dict():
            fields = {name: of_example(inner) for name, inner in value.items()}
            return {"type": ["object", "null"], "properties": fields}
        case _:
            return {}


def _describe(schema: dict[str, Any], kind: type) -> None:
    """Add what is written beside the fields of a struct, where nothing else describes them."""
    names = {field.name: field.encode_name for field in msgspec.structs.fields(kind)}
    for name, text in field_texts(kind).items():
        own = schema["properties"].get(names.get(name, name))
        if own is None or "description" in own:
            continue
        if "$ref" in own:
            schema["properties"][names[name]] = {"allOf": [own], "description": text}
        else:
            own["description"] = text


def _structs(kinds: Any) -> Iterator[type[msgspec.Struct]]:
    """All structs that some types hold, themselves included."""
    seen: set[object] = set()
    waiting = [msgspec.inspect.type_info(kind) for kind in kinds]
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in seen:
                continue
            seen.add(info.cls)
            yield info.cls
            waiting.extend(field.type for field in info.fields)
        for name in ("type", "types", "item_type", "item_types", "key_type", "value_type"):
            inner = getattr(info, name, None)
            many = inner if isinstance(inner, tuple | list) else [inner]
            waiting.extend(one for one in many if isinstance(one, msgspec.inspect.Type))


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is given or not; there is no way to write null."""
    given = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    plain = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    if len(given) == 1:
        schema = {**given[0], **plain}
    if schema.get("type") == "string":
        schema = {"pattern": TEXT_PATTERN, **schema} if "enum" not in schema else schema
    return {
        name: value for name, value in schema.items() if not (name == "default" and value is None)
    }


def _described(schema: Mapping[str, Any], instead: dict[str, Any]) -> dict[str, Any]:
    return instead | {n: schema[n] for n in ("description", "default", "examples") if n in schema}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _text() -> dict[str, Any]:
    return {"type": "string"}
