"""``python -m kilocell`` and the command ``kilocell``: the command line, which answers signals from the beginning."""

from __future__ import annotations

from .runner import signals


def main() -> None:
    """Run the command line and exit."""
    signals.take_signals()
    from .runner.cli import main as run  # slow: a Ctrl-C may come meanwhile

    run()


if __name__ == "__main__":
    main()
