"""Imports of texts."""

from pathlib import Path

import pytest

from tests.imports.files import Imports


@pytest.fixture
def imports(tmp_path: Path) -> Imports:
    """Imports texts as files."""
    return Imports(tmp_path)
