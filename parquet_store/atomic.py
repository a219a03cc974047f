"""Write a file atomically: it appears under its name complete, or not at all. Without pandas, for quick commands."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .shared_folder import follow_folder


def write_atomically(path: Path, write: Callable[[Path], None]) -> int:
    """Write a file under a temporary name in the same folder, then rename it.

    Args:
        path: the final path; its folder is made if it is absent.
        write: writes the file to the temporary path that it gets.

    Returns:
        The size of the file in bytes.

    Raises:
        OSError: the file cannot be written; the error has the final path.
    """
    follow_folder(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        write(temporary)
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        size = temporary.stat().st_size
        temporary.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        # Most errors of a write or fsync have no path, or that of the temporary file, or a text of the library's own.
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
    return size
