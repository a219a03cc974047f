"""Read the campaign's own parameter sets: files of BPX or of PyBaMM's ParameterValues, checked once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...data.names import suggest
from ...data.parameter_files import NO_BPX, Form, content_digest, has_bpx, read_document
from ...data.settings import ParameterSetSettings
from .errors import format_key, value_text
from .schema import CampaignFile


@dataclass(frozen=True, slots=True)
class SetFile:
    """A parameter set's file as it was when the campaign was loaded.

    Args:
        name: name of the set in the campaign.
        path: absolute path.
        form: ``bpx`` or ``pybamm``.
        digest: SHA-256 of the content, hex.
        content: the bytes of the file.
    """

    name: str
    path: Path
    form: Form
    digest: str
    content: bytes

    @property
    def settings(self) -> ParameterSetSettings:
        """The set without changes, as jobs name it."""
        return ParameterSetSettings(self.name, self.name, file_digest=self.digest)

    @property
    def where(self) -> str:
        """The key and value of the campaign file that name it, for an error's text."""
        return f'parameter_sets.{format_key(self.name)}.file = "{self.path}"'


def read_set_files(file: CampaignFile, folder: Path) -> tuple[tuple[SetFile, ...], list[str]]:
    """Read every file of ``[parameter_sets.NAME]``, without PyBaMM.

    Args:
        folder: folder of the campaign file; relative paths begin there.

    Returns:
        The files that can be read, and one line for each problem with the others.
    """
    set_files: list[SetFile] = []
    problems: list[str] = []
    for name, table in file.parameter_sets.items():
        path = Path(os.path.abspath(folder / os.path.expanduser(table.file)))  # noqa: PTH100, PTH111 - links stay
        where = f"parameter_sets.{format_key(name)}.file = {value_text(table.file)}"
        try:
            set_files.append(set_file(name, path))
        except ValueError as error:
            problems.append(f"{where}: {error}")
    return tuple(set_files), problems


def set_file(name: str, path: Path) -> SetFile:
    """Read one file and check it as far as possible without PyBaMM.

    Args:
        name: name of the set in the campaign.
        path: absolute path.

    Raises:
        ValueError: it does not exist, is not a parameter set, or is BPX and the package for BPX is not installed.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"there is no such file in {path.parent}{_nearest_file(path)}") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    form, _ = read_document(content)
    if form == "bpx" and not has_bpx():
        raise ValueError(NO_BPX)
    return SetFile(name, path, form, content_digest(content), content)


def _nearest_file(path: Path) -> str:
    return suggest(path.name, _names_in(path.parent))


def _names_in(folder: Path) -> Iterator[str]:
    try:
        yield from sorted(entry.name for entry in folder.iterdir() if entry.suffix == ".json")
    except OSError:
        return
