"""Let all members of a group write to a store that lies in the group's folder, whatever the umask of each of them is.

A folder that belongs to a group has the setgid bit and is writable for the group, as administrators and
``chmod g+ws`` make it. Then new files and folders of the store are writable for the group, too.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

GROUP_BITS: Final = stat.S_IRWXG


def follow_folder(root: Path) -> None:
    """Set this process's umask so that files in a store take the permissions of the group from its folder.

    Without the setgid bit nothing changes.

    Args:
        root: the store's folder; while it does not exist, the folder in which it is made counts.
    """
    if not is_shared(root):
        return
    before = os.umask(0o077)  # the only way to read it is to set it
    os.umask(before & ~GROUP_BITS)


def is_shared(root: Path) -> bool:
    """Tell whether a store lies in a folder of a group: setgid, and writable for the group."""
    try:
        mode = next(folder for folder in (root, *root.absolute().parents) if folder.is_dir()).stat().st_mode
    except (OSError, StopIteration):
        return False
    return bool(mode & stat.S_ISGID and mode & stat.S_IWGRP)
