"""``kilocell cache``: show and clear the folder of compiled models."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ...data.text import format_count
from . import options

if TYPE_CHECKING:
    from ..worker.model_cache import CompiledModel


@click.command(short_help="Show or clear the folder of compiled models.")
@click.option("--clear", is_flag=True, help="Remove all compiled models. Runs compile them again when it pays.")
@options.json_option
def cache(clear: bool, json_: bool) -> None:
    """Show the folder of compiled models, their number and size, and when they were last used."""
    if clear:
        clear_cache(json_)
    else:
        show_cache(json_)


def show_cache(json_: bool) -> None:
    """Print the folder of compiled models, their number and size, and each kind of machine with its last use."""
    from ..show.table import table
    from ..worker import model_cache

    models = model_cache.list_compiled_models()
    by_machine: dict[str, list[CompiledModel]] = {}
    for model in models:
        by_machine.setdefault(model.path.parent.name, []).append(model)
    if json_:
        print(json.dumps(_cache_to_dict(by_machine), ensure_ascii=False, indent=1))
        return
    print(f"folder    {model_cache.cache_root()}")
    if not model_cache.has_compiler():
        print(f"compiler  no {model_cache.COMPILER} on this machine: models run in CasADi's virtual machine")
    size_mb = _size(models) / 1e6
    limit_mb = model_cache.MOST_BYTES / 1e6
    print(f"models    {len(models)}, {size_mb:.1f} MB of at most {limit_mb:.0f} MB; the least recently used go first")
    if by_machine:
        rows = []
        for name, of_machine in by_machine.items():
            shown = f"{name} (this one)" if name == model_cache.machine_key() else name
            rows.append((shown, len(of_machine), _size(of_machine) / 1e6, _when(of_machine)))
        print(table(("machine", "models", "MB", "last used"), rows))


def _cache_to_dict(by_machine: dict[str, list[CompiledModel]]) -> dict[str, Any]:
    from ..worker import model_cache

    machines: list[dict[str, Any]] = []
    for name, of_machine in by_machine.items():
        machines.append(
            {
                "machine": name,
                "here": name == model_cache.machine_key(),
                "models": len(of_machine),
                "bytes": _size(of_machine),
                "last_used_unix_second": of_machine[0].used_unix_second,
            }
        )
    return {
        "folder": str(model_cache.cache_root()),
        "compiler": model_cache.has_compiler(),
        "models": sum(machine["models"] for machine in machines),
        "bytes": sum(machine["bytes"] for machine in machines),
        "most_bytes": model_cache.MOST_BYTES,
        "machines": machines,
    }


def _size(models: Sequence[CompiledModel]) -> int:
    """Return the size of compiled models in bytes."""
    return sum(model.bytes for model in models)


def _when(models: Sequence[CompiledModel]) -> str:
    """Return when the first of some models, the latest, was last used."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(models[0].used_unix_second))


def clear_cache(json_: bool) -> None:
    """Remove every compiled model, and print how many there were."""
    from ..worker import model_cache

    number, size = model_cache.clear()
    if json_:
        print(json.dumps({"folder": str(model_cache.cache_root()), "removed": number, "bytes": size}))
        return
    print(f"removed {format_count(number, 'compiled model')}, {size / 1e6:.1f} MB, from {model_cache.cache_root()}")
