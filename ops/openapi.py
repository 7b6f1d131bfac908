"""The API's description, gathered from the functions that serve it. `tributary openapi` prints it; a test keeps the
copy in docs/ true."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from pydantic.json_schema import models_json_schema

from shared.push_shapes import PushBatch, PushDelete, PushItem

TITLE, VERSION = "Tributary", "1"
ABOUT = """\
Every wearable, one stream.

**Who.** A bearer token of your issuer; the user is its `sub`. A machine client with the scope `tributary/users:act`
names the user in `x-user-id`.

**Units** are UCUM, one for each metric (`GET /v1/metrics`), but for glucose, which is answered as the profile says or
as `unit` asks. Figures are rounded to thousandths, and nothing is computed from a rounded one.

**Time.** Instants are UTC: ISO 8601 text, or milliseconds since 1970 in columns. `offset` is the wearer's minutes
east of UTC then. `from`, `to` and `day` are the wearer's own calendar days.

**Pages.** A reply with `next_cursor` goes on: ask the same again with it as `cursor`. It is opaque, and good for that
question alone. Replies are at most 6 MB after gzip; ask for it with `accept-encoding`.

**Asking again.** Every good GET has an `etag`. Sent back as `if-none-match`, it makes the reply a 304 without a body
while nothing has changed.

**Errors** have one shape: `type`, `code`, `message`, `param` (the field at fault) and `request_id`. 401 is API
Gateway's own, and so is 429 but for the code `busy`.

**Limits.** 500 calls a second for all callers together, in bursts of 1000; beyond, 429. Wait a second, then twice as
long each time.

**Where a number comes from.** `GET /v1/provenance` with the day, metric, source and resource of any figure."""
FUNCTIONS = (
    *("connect", "profile", "disconnect", "erase", "sync", "push", "upload", "export"),
    *("events", "api", "readings", "periods"),
)
BEARER = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
OPEN = ("/v1/connect/{provider}", "get")
FILE = {"required": True, "content": {"text/csv": {}, "application/json": {}}}
SHAPES = "#/components/schemas/{model}"
BATCH = {"required": True, "content": {"application/json": {"schema": {"$ref": SHAPES.format(model="PushBatch")}}}}
TEXT = {"type": "string"}
USER = {
    "name": "x-user-id", "in": "header", "required": False, "schema": TEXT,
    "description": "For machine clients: the user they act for",
}  # fmt: skip
SEEN = {
    "name": "if-none-match", "in": "header", "required": False, "schema": TEXT,
    "description": "The `etag` of the reply you have",
}  # fmt: skip
UNCHANGED = {"description": "As you have it; no body"}
ETAG = {"etag": {"schema": TEXT, "description": "For `if-none-match`"}}


def description() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for name in FUNCTIONS:
        app = import_module(f"functions.{name}.handler").app
        part = json.loads(app.get_openapi_json_schema(title=TITLE, version=VERSION))
        for path, methods in part["paths"].items():
            paths.setdefault(path, {}).update(methods)
        for shape, said in part["components"]["schemas"].items():
            assert schemas.setdefault(shape, said) == said, f"two shapes are named {shape}"
    for path, methods in paths.items():
        for method, operation in methods.items():
            finish(operation, method, (path, method) == OPEN, schemas)
    paths["/v1/uploads"]["post"]["requestBody"] = FILE
    paths["/v1/push/{platform}"]["post"]["requestBody"] = BATCH
    _, found = models_json_schema([(PushBatch, "validation"), (PushItem, "validation"), (PushDelete, "validation")],
                                  ref_template=SHAPES)  # fmt: skip
    schemas |= found["$defs"]
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION, "description": ABOUT},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": BEARER},
    }


def finish(operation: dict[str, Any], method: str, is_open: bool, schemas: dict[str, Any]) -> None:
    """What the gateway and the way out add to every route, and what its reply says of itself."""
    replies = operation["responses"]
    replies.pop("422", None)  # ours are 400, in our own shape
    operation["security"] = [] if is_open else [{"bearer": []}]
    if is_open:
        del replies["303"]["content"]  # Powertools describes a body for every reply
        return
    operation.setdefault("parameters", []).append(USER)
    good = replies[min(replies)]
    shape = good["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    if "description" in schemas[shape]:
        operation["description"] = schemas[shape]["description"]
    if method == "get":
        operation["parameters"].append(SEEN)
        good["headers"] = ETAG
        replies |= {"304": UNCHANGED, "413": replies["400"] | {"description": "Ask for less at once, or accept gzip"}}


def text() -> str:
    return json.dumps(description(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
