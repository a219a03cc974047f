"""``kilocell cache``: show and clear the folder of compiled models."""

from __future__ import annotations

import json
import time

import click

from ..show.table import table
from ..worker import model_cache
from . import options


@click.command(short_help="Show or clear the folder of compiled models.")
@click.option("--clear", is_flag=True, help="Remove all compiled models; runs compile them again when it pays.")
@options.json_option
def cache(clear: bool, json_: bool) -> None:
    """Show where compiled models lie, how many there are, their size, and when they were last used."""
    if clear:
        clear_cache(json_)
    else:
        show_cache(json_)


def show_cache(json_: bool) -> None:
    """Print the folder of compiled models, their number and size, and each kind of machine with its last use."""
    models, here = model_cache.list_compiled_models(), model_cache.machine_key()
    total = sum(model.bytes for model in models)
    machines: dict[str, list[model_cache.CompiledModel]] = {}
    for model in models:
        machines.setdefault(model.path.parent.name, []).append(model)
    if json_:
        kinds = [
            {
                "machine": name,
                "here": name == here,
                "models": len(own),
                "bytes": sum(model.bytes for model in own),
                "last_used_unix_second": own[0].used_unix_second,
            }
            for name, own in machines.items()
        ]
        whole = {
            "folder": str(model_cache.cache_root()),
            "compiler": model_cache.has_compiler(),
            "models": len(models),
            "bytes": total,
            "most_bytes": model_cache.MOST_BYTES,
            "machines": kinds,
        }
        print(json.dumps(whole, ensure_ascii=False, indent=1))
        return
    print(f"folder    {model_cache.cache_root()}")
    if not model_cache.has_compiler():
        print(f"compiler  no {model_cache.COMPILER} here: models run in CasADi's virtual machine")
    limit = model_cache.MOST_BYTES / 1e6
    print(f"models    {len(models)}, {total / 1e6:.1f} MB of at most {limit:.0f} MB; those used longest ago go first")
    if machines:
        rows = [
            (
                name + (" (this one)" if name == here else ""),
                len(own),
                sum(model.bytes for model in own) / 1e6,
                _when(own),
            )
            for name, own in machines.items()
        ]
        print(table(("machine", "models", "MB", "last used"), rows))


def _when(models: list[model_cache.CompiledModel]) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(models[0].used_unix_second))


def clear_cache(json_: bool) -> None:
    """Remove every compiled model and say how many there were."""
    number, size = model_cache.clear()
    if json_:
        print(json.dumps({"folder": str(model_cache.cache_root()), "removed": number, "bytes": size}))
        return
    print(f"removed {number} compiled models, {size / 1e6:.1f} MB, from {model_cache.cache_root()}")
