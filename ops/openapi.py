"""The API's description, gathered from the functions that serve it. `tributary openapi` prints it; a test keeps the
copy in docs/ true."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

TITLE, VERSION = "Tributary", "1"
FUNCTIONS = ("connect", "profile", "disconnect", "erase", "sync", "upload", "events", "api")
BEARER = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
OPEN = ("/v1/connect/{provider}", "get")
FILE = {"required": True, "content": {"text/csv": {}, "application/json": {}}}


def description() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for name in FUNCTIONS:
        app = import_module(f"functions.{name}.handler").app
        part = json.loads(app.get_openapi_json_schema(title=TITLE, version=VERSION))
        for path, methods in part["paths"].items():
            paths.setdefault(path, {}).update(methods)
        schemas |= part["components"]["schemas"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            operation["responses"].pop("422", None)  # ours are 400, in our own shape
            operation["security"] = [] if (path, method) == OPEN else [{"bearer": []}]
    paths["/v1/uploads"]["post"]["requestBody"] = FILE
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION, "description": "Every wearable, one stream. Units are UCUM."},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": BEARER},
    }


def text() -> str:
    return json.dumps(description(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
