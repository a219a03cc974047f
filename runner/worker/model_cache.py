"""The folder that holds compiled models: where it is, what is in it, and how it stays small.

PyBaMM names each file by its content and puts it there in one step, so that workers that compile the same model at once
do not disturb each other. Code made for one kind of processor must not run on another: each kind, with the
versions of the compiler, PyBaMM and CasADi, has a folder of its own.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from ...data.installed import installed_version

FOLDER_VARIABLE: Final = "KILOCELL_CACHE"
PYBAMM_VARIABLE: Final = "PYBAMM_CASADI_AOT_CACHE"
COMPILER: Final = "gcc"  # the one that PyBaMM calls
MOST_BYTES: Final = 1_000_000_000
TOUCH_SECOND: Final = 60.0  # between two looks at what is in use
SUFFIXES: Final = (".so", ".dylib", ".dll")
MACHINE_NAME: Final = re.compile("[0-9a-f]{12}")
KNOWN_SUFFIX: Final = ".known"  # an empty file for each kind of model that has been compiled
_last_look = [0.0]


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """One compiled model: its file, size in bytes, and when it was last used (s since 1970, to about a minute)."""

    path: Path
    bytes: int
    used_unix_second: float


def cache_root() -> Path:
    """The folder of compiled models: $KILOCELL_CACHE, else $XDG_CACHE_HOME/kilocell, else ~/.cache/kilocell."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given).expanduser().absolute() / "models"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "kilocell" / "models"


def has_compiler() -> bool:
    """Whether the compiler is there that PyBaMM calls."""
    return shutil.which(COMPILER) is not None


@cache
def machine_key() -> str:
    """A name for what compiled code depends on beside its own text: processor, system, compiler and libraries."""
    said = [platform.system(), platform.machine(), platform.processor(), *platform.libc_ver()]
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0].splitlines()
        said += [line for line in lines if line.startswith(("model", "vendor_id", "flags", "Features", "CPU "))]
    with suppress(OSError, subprocess.SubprocessError):
        version = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, timeout=30, check=True)
        said.append(version.stdout.split("\n", 1)[0])
    said += [installed_version(package) for package in ("pybamm", "casadi", "kilocell")]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:12]


def machine_folder() -> Path:
    """Where this machine's compiled models lie; it need not be there yet."""
    return cache_root() / machine_key()


def prepare() -> bool:
    """Make the folder and point PyBaMM at it.

    Returns:
        False where models cannot be compiled: no compiler, no folder that can be written, or one of another user, whose
        code is not to be run.
    """
    if not has_compiler():
        return False
    folder = machine_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError:
        return False
    if not os.access(folder, os.W_OK) or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
        return False
    os.environ[PYBAMM_VARIABLE] = str(folder)
    return True


def note_use(kind: str) -> None:
    """Remember that a kind of model is compiled; now and then, mark what this process uses and remove what is too much.

    Args:
        kind: a digest, see :func:`kilocell.runner.worker.compile.kind_of`.
    """
    with suppress(OSError):
        (machine_folder() / f"{kind}{KNOWN_SUFFIX}").touch()
    now = time.monotonic()
    if _last_look[0] and now - _last_look[0] < TOUCH_SECOND:
        return
    _last_look[0] = now
    for path in _models_in_use():
        with suppress(OSError):
            os.utime(path)
    shrink_to(MOST_BYTES)


def is_known(kind: str) -> bool:
    """Whether this kind of model was compiled on such a machine before."""
    return (machine_folder() / f"{kind}{KNOWN_SUFFIX}").is_file()


def _models_in_use() -> Iterator[Path]:
    """Compiled models that this process has loaded; none where the system does not say."""
    folder = str(cache_root())
    with suppress(OSError):
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
        yield from {Path(line[line.index("/") :]) for line in lines if folder in line}


def list_compiled_models() -> list[CompiledModel]:
    """Every compiled model in the folder, of all machines, the one used last first."""
    found = []
    for path in (path for folder in _machine_folders() for path in folder.glob("pybamm_*")):
        if path.suffix in SUFFIXES:
            with suppress(OSError):
                status = path.stat()
                found.append(CompiledModel(path, status.st_size, status.st_mtime))
    return sorted(found, key=lambda model: -model.used_unix_second)


def shrink_to(most_bytes: int) -> int:
    """Remove compiled models, those used longest ago first, until the rest has no more bytes than this.

    A model that another process has loaded stays loaded there.

    Returns:
        How many were removed.
    """
    removed = total = 0
    for model in list_compiled_models():
        total += model.bytes
        if total > most_bytes:
            with suppress(OSError):
                model.path.unlink()
                removed += 1
    return removed


def clear() -> tuple[int, int]:
    """Remove every compiled model and what is left of builds that were stopped; nothing else in the folder is touched.

    Returns:
        How many compiled models there were, and their bytes.
    """
    models = list_compiled_models()
    for folder in _machine_folders():
        for path in [*folder.glob("pybamm_*"), *folder.glob(f"*{KNOWN_SUFFIX}")]:
            with suppress(OSError):
                path.unlink()
        with suppress(OSError):
            folder.rmdir()
    return len(models), sum(model.bytes for model in models)


def _machine_folders() -> list[Path]:
    return [folder for folder in cache_root().glob("*") if MACHINE_NAME.fullmatch(folder.name) and folder.is_dir()]
