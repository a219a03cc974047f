"""``python -m kilocell.runner`` is the command line, for schedulers that start workers by module."""

from __future__ import annotations

from .cli import main

main()
