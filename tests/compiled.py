"""Modules that were compiled in place: what is tested must be what stands in the source."""

from pathlib import Path

import stream

_PACKAGE = Path(str(stream.__file__)).parent


def stale_modules() -> list[str]:
    """The modules whose source has changed since they were compiled."""
    compiled = [(file, file.with_name(f"{file.name.partition('.')[0]}.py")) for file in _PACKAGE.rglob("*.so")]
    return sorted(
        str(source.relative_to(_PACKAGE.parent))
        for file, source in compiled
        if not source.exists() or source.stat().st_mtime > file.stat().st_mtime
    )
