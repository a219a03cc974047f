"""Before work is sent: does a worker see the store, may it write there, and has it the same versions?"""

from __future__ import annotations

import platform
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ...data.errors import UsageError
from ...data.installed import installed_version

SEEN_WITHIN_SECOND: Final = 60.0
"""Network file systems show a new file to other machines after up to a minute (their attribute cache), s."""


def check_workers(client: Any, folder: Path, packages: Sequence[str]) -> None:
    """Let one worker check that work can be done there; wait for the first worker if there is none.

    Args:
        client: a ``distributed.Client``.
        folder: of the store; a file is written there and deleted.
        packages: whose versions must be the same here and there.

    Raises:
        UsageError: the worker cannot work; the text says what is wrong and what to do.
    """
    question = folder / f"preflight-{secrets.token_hex(4)}"
    answer = question.with_name(question.name + "-answer")
    question.write_text(question.name, encoding="ascii")
    try:
        future = client.submit(_make_check(), str(question), str(answer), tuple(packages), pure=False, priority=100)
        found = future.result()
        problems = list(_find_problems(found, folder, packages))
        if not problems and not _appears(answer):
            problems.append(
                f"it writes other files than this machine sees in {folder}: put the store on a file system that all "
                "nodes share"
            )
    finally:
        question.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise UsageError(f"a worker on {found['host']} cannot do the work, so nothing was sent:\n{lines}")


def _make_check() -> Callable[[str, str, tuple[str, ...]], dict[str, Any]]:
    """Return the check as a function that travels by value: the worker need not have kilocell."""

    def check(question: str, answer: str, packages: tuple[str, ...]) -> dict[str, Any]:
        import importlib.metadata
        import pathlib
        import platform
        import socket
        import time

        asked = pathlib.Path(question)
        found: dict[str, Any] = {"host": socket.gethostname(), "python": platform.python_version(), "error": ""}
        versions: dict[str, str | None] = {}
        for name in packages:
            try:
                versions[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                versions[name] = None
        found["versions"] = versions
        deadline = time.monotonic() + 60
        found["visible"] = asked.exists()
        while not found["visible"] and asked.parent.is_dir() and time.monotonic() < deadline:
            time.sleep(0.5)  # a network file system may show a new file later
            found["visible"] = asked.exists()
        if found["visible"]:
            try:
                with pathlib.Path(answer).open("x") as file:
                    file.write(socket.gethostname())
            except OSError as error:
                found["error"] = error.strerror
        return found

    return check


def _find_problems(found: Mapping[str, Any], folder: Path, packages: Sequence[str]) -> list[str]:
    problems = []
    if not found["visible"]:
        problems.append(
            f"it does not see {folder}: put the store on a file system that all nodes share (store in the campaign, "
            "or --store)"
        )
    elif found["error"]:
        problems.append(
            f"it cannot write in {folder}: {found['error']}; give the user of the worker write permission, or choose "
            "another --store"
        )
    versions = {name: (installed_version(name), found["versions"][name]) for name in packages}
    versions["python"] = (platform.python_version(), found["python"])
    for name, (here, there) in versions.items():
        if here == there or (name == "python" and _minor(here) == _minor(there)):
            continue
        has = f"it has {name} {there}" if there else f"it has no {name}"
        problems.append(f"{has}, this machine {here}: start the workers from the same environment")
    return problems


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _appears(path: Path) -> bool:
    deadline = time.monotonic() + SEEN_WITHIN_SECOND
    while not path.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
