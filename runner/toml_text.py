"""Keys, texts and comments as TOML wants them; the standard library only reads it."""

from __future__ import annotations

import json
import re
from typing import Final

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")


def quoted(text: str) -> str:
    """Write any text as a TOML string: quotes, backslashes and control characters are escaped, the rest is kept."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def key_text(key: str) -> str:
    """Write a key: bare where it can be, quoted otherwise."""
    return key if _BARE_KEY.fullmatch(key) else quoted(key)


def comment(text: str) -> str:
    """Write a text as one comment line; control characters, which TOML forbids there, become spaces."""
    return f"# {_CONTROL.sub(' ', text)}".rstrip()
