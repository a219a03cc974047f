"""Say which versions of packages the results of a store have, where they are not those of this installation."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

from ...data.errors import StoreError
from ...data.installed import installed_version
from ...data.text import format_count, printable_text
from ...parquet_store.layout import Store
from ...sqlite.queries import connect
from ...sqlite.versions import versions_of_results


def versions_text(store: Path) -> str:
    """Return a line about current results that other versions of packages made; "" = there are none.

    Args:
        store: folder of the store; may not exist yet.
    """
    catalog = Store(store).catalog
    if not catalog.is_file():
        return ""
    try:
        with closing(connect(catalog)) as reader:
            counts = versions_of_results(reader)
    except StoreError:
        return ""  # whoever reads results says what is wrong
    others = Counter({one: number for one, number in counts.items() if one[1] != installed_version(one[0])})
    if not others:
        return ""
    named = ", ".join(
        f"{format_count(number, 'result')} with {package} {version} (installed: {installed_version(package) or 'none'})"
        for (package, version), number in sorted(others.items())
    )
    return printable_text(f"versions   {named}; they stay as they are")
