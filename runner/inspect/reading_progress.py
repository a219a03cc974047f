"""Show on a terminal how many files are read."""

from __future__ import annotations

from ..run.task_progress import TaskProgress


class ReadingProgress(TaskProgress):
    """One line that is redrawn in place: ``reading headers ━━━━ 12 of 200 files``. Nothing is drawn in a file or pipe.

    Args:
        stream: where to draw; ``None`` = draw nothing.
    """
