"""Reads a request to a Google API by the description of that API that comes with Google's library for Python: path, query, body.

A field, a parameter or a value that the description does not know is an error, as it is there. Formats of strings are not looked at.
"""

import json
import re
import sys

from googleapiclient import discovery_cache

asked = json.load(sys.stdin)
api = json.loads(discovery_cache.get_static_doc(asked["api"], asked["version"]))
TYPES = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "array": list, "object": dict}


def check(value, schema, where):
    if "$ref" in schema:
        schema = api["schemas"][schema["$ref"]]
    kind = schema["type"]
    if kind == "any":
        return
    assert isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool)), f"{where} is no {kind}"
    assert value in schema.get("enum", [value]), f"{where} can not be {value}"
    if kind == "array":
        for number, item in enumerate(value):
            check(item, schema["items"], f"{where}[{number}]")
    if kind == "object":
        for name, item in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            assert inner is not None, f"there is no {where}.{name}"
            check(item, inner, f"{where}.{name}")


def methods(resource):
    yield from resource.get("methods", {}).values()
    for inner in resource.get("resources", {}).values():
        yield from methods(inner)


def takes(method):
    pattern = re.sub(r"\{[^}]*\}", "[^/]+", method.get("flatPath", method["path"]))
    return method["httpMethod"] == asked["method"] and re.fullmatch(pattern, asked["path"].lstrip("/"))


found = [method for method in methods(api) if takes(method)]
assert len(found) == 1, f"nothing, or not one thing only, is called {asked['method']} {asked['path']}"
known = api["parameters"] | found[0]["parameters"]
for name, value in asked["query"].items():
    assert name in known, f"there is no parameter {name}"
    assert value in known[name].get("enum", [value]), f"{name} can not be {value}"
check(asked["body"], found[0]["request"], "body")
