"""The programs of Prometheus that tests run, from Debian's packages or from anywhere else on the PATH."""

import os
import shutil

import pytest

from tests.environment import in_ci

INSTALL = "apt-get install prometheus prometheus-alertmanager"
"""Where the distribution has them; `.ci/run` does it."""

_NAMES = {"alertmanager": ("prometheus-alertmanager", "alertmanager")}
"""What a program is called, first by Debian."""


def program(name: str) -> str:
    """The path of a program. Without it the test that asks is skipped, and fails in CI."""
    for each in _NAMES.get(name, (name,)):
        path = shutil.which(each)
        if path is not None:
            return path
    reason = f"no {name} on the PATH: {INSTALL}"
    if is_ci():
        pytest.fail(f"CI is set, and there is {reason}")
    pytest.skip(reason)


def is_ci() -> bool:
    """Whether what is missing must not drop out of the checks."""
    return in_ci(os.environ)
