"""Nobody but a run's own processes can talk to its scheduler and workers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import distributed
import psutil
from kilocell.data.settings import ClusterSettings
from kilocell.runner.cluster.open import open_cluster
from kilocell.runner.cluster.security import make_security, security_in_files

WAIT_SECOND = 300


def ports_of_this_run() -> set[int]:
    me = psutil.Process()
    family = [me, *me.children(recursive=True)]
    return {entry.laddr.port for one in family for entry in one.net_connections("tcp") if entry.status == "LISTEN"}


async def answers(address: str, connection: dict[str, Any]) -> bool:
    """Whether a stranger who connects gets an answer to a question that every Dask process answers."""
    try:
        async with distributed.rpc(address, timeout=5, connection_args=connection) as other:  # type: ignore[no-untyped-call]
            return bool(await asyncio.wait_for(other.identity(), 5))
    except (TimeoutError, OSError, ValueError, TypeError):
        return False


async def all_answers(tries: list[tuple[str, dict[str, Any]]]) -> list[bool]:
    return await asyncio.gather(*(answers(address, connection) for address, connection in tries))


def test_a_stranger_on_the_machine_gets_no_answer(tmp_path: Path) -> None:
    settings = ClusterSettings(workers=1, dashboard_address="none")
    with open_cluster(settings, "run", tmp_path, print) as workers:
        assert workers.client.submit(pow, 2, 10).result(timeout=WAIT_SECOND) == 1024
        scheduler = workers.client.scheduler.address
        addresses = [scheduler, *workers.client.scheduler_info()["workers"]]
        assert {address.partition("://")[0] for address in addresses} == {"tls"}
        own = workers.client.security.get_connection_args("client")
        other_key = make_security().get_connection_args("client")
        assert asyncio.run(answers(scheduler, own))
        tries: list[tuple[str, dict[str, Any]]] = [(f"tcp://127.0.0.1:{port}", {}) for port in ports_of_this_run()]
        tries += [(address.replace("tcp", "tls"), other_key) for address, _ in tries]
        assert not any(asyncio.run(all_answers(tries)))


def test_the_dashboard_shows_neither_keys_nor_the_way_in(tmp_path: Path) -> None:
    from urllib.request import urlopen

    settings = replace(ClusterSettings(workers=1), dashboard_address="127.0.0.1:0")
    with open_cluster(settings, "run", tmp_path, print) as workers:
        key = workers.client.security.tls_client_key
        assert "PRIVATE KEY" in key
        base = workers.dashboard.removesuffix("/status")
        for page in ("/status", "/info/main/workers.html", "/json/identity.json"):
            with urlopen(base + page, timeout=WAIT_SECOND) as answer:
                text = answer.read().decode()
            assert "PRIVATE KEY" not in text
            assert key[60:120] not in text


def test_keys_in_files_can_be_read_by_the_user_alone_and_are_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "keys"
    with security_in_files(folder) as security:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
        assert security.get_connection_args("worker")["ssl_context"] is not None
    assert not folder.exists()


def test_two_runs_have_different_keys() -> None:
    assert make_security().tls_client_key != make_security().tls_client_key
