"""The ``vtr`` command as a shell runs it, in this process: starting an interpreter for each would take most of the
tests' time."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest

from stream.cli import main


class Done(NamedTuple):
    """A finished command."""

    returncode: int
    stdout: bytes
    stderr: bytes


def vtr(*arguments: str, stdin: bytes = b"") -> Done:
    """Run the command."""
    output, errors = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(errors):
        patch.setattr(sys, "argv", ["vtr", *arguments])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin))))
        with pytest.raises(SystemExit) as end:
            main()
    output.flush()
    errors.flush()
    code = end.value.code
    return Done(code if isinstance(code, int) else 0, output.buffer.getvalue(), errors.buffer.getvalue())
