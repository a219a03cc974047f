"""The versions of packages with which current results were made."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter


def versions_of_results(connection: sqlite3.Connection) -> Counter[tuple[str, str]]:
    """Count current results by package and version, as the receipts of their jobs say.

    Args:
        connection: to the catalog.

    Returns:
        Number of jobs by (package, version).
    """
    rows = connection.execute(
        "SELECT versions, count(*) FROM jobs WHERE status = 'done' AND standing = 'current' GROUP BY versions"
    )
    counts: Counter[tuple[str, str]] = Counter()
    for text, number in rows:
        for package, version in json.loads(text).items():
            counts[package, version] += number
    return counts
