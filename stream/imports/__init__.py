"""History from what sellers have: the marketplace's reports, fulfilment feed and Orders API, joined into events.

Which report gives which field, and what is assumed where none does, is in ``fields.toml``.
"""

from stream.imports.fields import load_fields
from stream.imports.join import Assumptions
from stream.imports.run import Imported, ImportFailedError, import_files, source_of

__all__ = ["Assumptions", "ImportFailedError", "Imported", "import_files", "load_fields", "source_of"]
