"""``python -m kilocell.runner`` is the command line, too."""

from __future__ import annotations

from ..__main__ import main

if __name__ == "__main__":
    main()
