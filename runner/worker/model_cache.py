"""The folder of compiled models: where it is, what is in it, and how it stays small.

PyBaMM names each file by its content and creates it in one step, so several workers may compile the same model at the
same time. Code compiled for one kind of processor must not run on another: each kind, with the versions of the
compiler, PyBaMM and CasADi, has its own folder.
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

from ...data.cache_folder import cache_folder
from ...data.installed import installed_version

PYBAMM_VARIABLE: Final = "PYBAMM_CASADI_AOT_CACHE"
"""Environment variable from which PyBaMM takes the folder for compiled models."""

COMPILER: Final = "gcc"
"""The compiler that PyBaMM calls."""

MOST_BYTES: Final = 1_000_000_000
"""Size that the folder is kept below, bytes."""

TOUCH_SECOND: Final = 60.0
"""Shortest time between two updates of when the loaded models were last used, s."""

SUFFIXES: Final = (".so", ".dylib", ".dll")
MACHINE_NAME: Final = re.compile("[0-9a-f]{12}")
KNOWN_SUFFIX: Final = ".known"
"""Suffix of an empty file for each kind of model that was compiled, named by its ``compiled_model_key``."""

_last_update = [0.0]


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """One compiled model.

    Args:
        path: its shared library.
        bytes: its size.
        used_unix_second: when it was last used, s since 1970, accurate to about a minute.
    """

    path: Path
    bytes: int
    used_unix_second: float


def cache_root() -> Path:
    """Return the folder of compiled models, for all kinds of machines.

    Returns:
        ``models`` in $KILOCELL_CACHE, or else in $XDG_CACHE_HOME/kilocell, or else in ~/.cache/kilocell.
    """
    return cache_folder() / "models"


def has_compiler() -> bool:
    """Tell whether the compiler that PyBaMM calls is installed."""
    return shutil.which(COMPILER) is not None


@cache
def machine_key() -> str:
    """Return a name for everything that compiled code depends on besides its source.

    Returns:
        12 hex digits of a SHA-256 over the processor, the operating system, the compiler and the library versions.
    """
    facts = [platform.system(), platform.machine(), platform.processor(), *platform.libc_ver()]
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0].splitlines()
        facts += [line for line in lines if line.startswith(("model", "vendor_id", "flags", "Features", "CPU "))]
    with suppress(OSError, subprocess.SubprocessError):
        version = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, timeout=30, check=True)
        facts.append(version.stdout.split("\n", 1)[0])
    facts += [installed_version(package) for package in ("pybamm", "casadi", "kilocell")]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


def machine_folder() -> Path:
    """Return the folder of this machine's compiled models; it may not exist yet."""
    return cache_root() / machine_key()


def prepare() -> bool:
    """Create this machine's folder and tell PyBaMM to use it.

    Returns:
        False when models cannot be compiled: there is no compiler, or the folder cannot be written, or it belongs to
        another user, whose code must not be run.
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
    """Record that a kind of model was compiled.

    At most once in ``TOUCH_SECOND`` it also updates when this process's models were last used, and shrinks the folder.

    Args:
        kind: of :func:`kilocell.runner.worker.compile.compiled_model_key`.
    """
    with suppress(OSError):
        (machine_folder() / f"{kind}{KNOWN_SUFFIX}").touch()
    now = time.monotonic()
    if _last_update[0] and now - _last_update[0] < TOUCH_SECOND:
        return
    _last_update[0] = now
    for path in _models_in_use():
        with suppress(OSError):
            os.utime(path)
    shrink_to(MOST_BYTES)


def is_known(kind: str) -> bool:
    """Tell whether a kind of model was compiled on this kind of machine before.

    Args:
        kind: of :func:`kilocell.runner.worker.compile.compiled_model_key`.
    """
    return (machine_folder() / f"{kind}{KNOWN_SUFFIX}").is_file()


def _models_in_use() -> Iterator[Path]:
    """Yield the compiled models that this process has loaded; none on systems without ``/proc``."""
    folder = str(cache_root())
    with suppress(OSError):
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
        yield from {Path(line[line.index("/") :]) for line in lines if folder in line}


def list_compiled_models() -> list[CompiledModel]:
    """Return every compiled model, of all kinds of machines, the most recently used first."""
    models = []
    for folder in _machine_folders():
        for path in folder.glob("pybamm_*"):
            if path.suffix in SUFFIXES:
                with suppress(OSError):
                    status = path.stat()
                    models.append(CompiledModel(path, status.st_size, status.st_mtime))
    return sorted(models, key=lambda model: -model.used_unix_second)


def shrink_to(most_bytes: int) -> int:
    """Remove compiled models, the least recently used first, until the rest fits.

    A model that another process has loaded stays loaded there.

    Args:
        most_bytes: the largest size of the rest.

    Returns:
        The number of models removed.
    """
    removed = 0
    total = 0
    for model in list_compiled_models():
        total += model.bytes
        if total > most_bytes:
            with suppress(OSError):
                model.path.unlink()
                removed += 1
    return removed


def clear() -> tuple[int, int]:
    """Remove every compiled model, and files of interrupted builds; other files in the folder stay.

    Returns:
        The number of compiled models removed, and their size in bytes.
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
