"""Glucose from a file the person hands us: CSV (RFC 4180) or JSON."""

from shared.providers import FileUpload, Provider, Resource
from shared.providers.file_import.mapping import glucose
from shared.providers.file_import.parsing import READERS, read

PROVIDER = Provider(
    id="file_import",
    name="File import",
    docs="https://www.rfc-editor.org/rfc/rfc4180",
    kind="file",
    base_url="",
    auth=FileUpload(formats=tuple(READERS), read=read),
    resources=(Resource(name="glucose", map=glucose, records="rows", mode="merge", series=frozenset({"glucose"})),),
    timer_polling=False,
)
