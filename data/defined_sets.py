"""The parameter sets of files that this process knows, by their content; without PyBaMM, which makes sets of them."""

from __future__ import annotations

_content_by_key: dict[str, bytes] = {}


def define_set(key: str, content: bytes) -> None:
    """Register the parameter set of a file in this process.

    Args:
        key: as ``ParameterSetSettings.key`` gives it; it contains the digest of the content.
        content: the file's bytes, BPX or JSON of ``ParameterValues``.
    """
    _content_by_key[key] = content


def defined_content(key: str) -> bytes | None:
    """Return the content of a set that was given to :func:`define_set`; ``None`` = it was not."""
    return _content_by_key.get(key)
