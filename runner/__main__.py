"""``python -m kilocell.runner`` is the command line, too."""

from __future__ import annotations

from . import signals

if __name__ == "__main__":
    signals.take_signals()
    from .cli import main  # slow: a Ctrl-C may come meanwhile

    main()
