"""Compiles the modules that every event goes through, with mypyc: the same Python, about a third faster.

The build of a wheel (``pip install .``) does it where there is a C compiler, and does without where there is none.
An editable install leaves the modules as they are, so that an edit counts at once; ``python .build/compile.py``
compiles them in place, and ``--clean`` takes that back. ``VTR_COMPILE=0`` builds without, ``VTR_COMPILE=1`` insists.
"""

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parents[1]

COMPILED = (
    "stream/events/decoding.py",
    "stream/shipment.py",
    "stream/engine/engine.py",
    "stream/engine/numbers.py",
    "stream/engine/recount.py",
    "stream/engine/scope.py",
    "stream/engine/scopes.py",
    "stream/span.py",
    "stream/engine/status.py",
    "stream/engine/window.py",
    "stream/policy/judge.py",
    "stream/state/paged.py",
    "stream/state/pages.py",
    "stream/state/event_ids.py",
    "stream/state/rows.py",
    "stream/state/shipments.py",
    "stream/tracking/check_digits.py",
    "stream/tracking/numbers.py",
    "stream/tracking/placeholders.py",
)
"""Where the time goes. Structs of msgspec cannot be compiled, so no module here may define one."""

NEEDED = ("mypy==2.4.1", "setuptools>=80", "msgspec>=0.22,<0.23")
"""msgspec, because the compiler must know the types of the events."""

SWITCH = "VTR_COMPILE"


class CompileError(Exception):
    """The modules cannot be compiled here."""


def compiled(target: Path) -> list[Path]:
    """Compile into ``target``. Returns the files that are now there, relative to it. Raises :class:`CompileError`."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    here = Path.cwd()
    os.chdir(ROOT)  # from where the modules have their names
    try:
        with tempfile.TemporaryDirectory() as work:
            extensions = mypycify(
                # Types that are not installed in a build are no reason not to compile; CI checks them all.
                [f"--config-file={os.devnull}", "--ignore-missing-imports", "--follow-imports=silent", *COMPILED],
                opt_level="3",
                group_name="vtr_stream",
                target_dir=work,
            )
            command = Distribution({"name": "vtr-stream", "ext_modules": extensions}).get_command_obj("build_ext")
            command.build_lib, command.build_temp = str(target), work
            command.ensure_finalized()
            command.run()
    except (Exception, SystemExit) as error:  # mypyc ends the interpreter, and setuptools has errors of every kind
        raise CompileError(str(error)) from error
    finally:
        os.chdir(here)
    return sorted(file.relative_to(target) for file in target.rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"))


class CustomBuildHook(BuildHookInterface):
    """Puts the compiled modules into a wheel."""

    def dependencies(self) -> list[str]:
        """What is installed for the build."""
        return list(NEEDED) if _is_wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless the wheel only points to the source."""
        if version == "editable" or not _is_wanted():
            return
        self._target = Path(tempfile.mkdtemp())
        try:
            files = compiled(self._target)
        except CompileError as error:
            if os.environ.get(SWITCH) == "1":
                raise
            self.app.display_warning(f"not compiled, so slower: {error}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update({str(self._target / file): str(file) for file in files})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Clean up."""
        if hasattr(self, "_target"):
            shutil.rmtree(self._target)


def _is_wanted() -> bool:
    switch = os.environ.get(SWITCH)
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    return switch != "0" and (switch == "1" or shutil.which(compiler) is not None)


def clean() -> None:
    """Take away what was compiled in place."""
    for file in (*ROOT.glob("vtr_stream__mypyc*.so"), *(ROOT / "stream").rglob("*.so")):
        file.unlink()


def main() -> None:
    """Compile in place."""
    clean()
    if sys.argv[1:] == ["--clean"]:
        return
    try:
        files = compiled(ROOT)
    except CompileError as error:
        sys.exit(f"cannot compile: {error}")
    print(f"compiled {len(files) - 1} modules; `{sys.argv[0]} --clean` takes them away")


if __name__ == "__main__":
    main()
