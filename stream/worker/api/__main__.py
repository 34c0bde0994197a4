"""Prints the OpenAPI document, for ``schemas/openapi.json``."""

import sys

import msgspec

from stream.worker.api.document import document

sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document()), indent=2) + b"\n")
