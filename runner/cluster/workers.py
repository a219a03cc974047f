"""What all kinds of workers share: environment, dashboard, memory and description."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any, Final

from dask.utils import parse_bytes

from ...data.errors import UsageError

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
"""Hosts of addresses that only this machine reaches."""

# Set before a worker imports NumPy: one thread each, because every core runs its own worker.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYBAMM_DISABLE_TELEMETRY": "true",
}


@dataclass(frozen=True, slots=True)
class Workers:
    """Running workers that take jobs.

    Args:
        client: a ``distributed.Client``.
        dashboard: address of Dask's dashboard; "" = none.
        description: what runs where, in one line, for example ``2 worker processes, 1 thread each``.
        scheduler: the ``distributed.Scheduler``, if it is in this process; ``None`` = it is not.
    """

    client: Any
    dashboard: str
    description: str
    scheduler: Any = None


def format_count(number: int, noun: str, plural: str = "s") -> str:
    """Return a number with its noun in the singular or plural: ``1 worker``, ``2 processes``.

    Args:
        plural: the ending of the plural.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{plural}"


def memory_bytes(text: str, what: str) -> int:
    """Return text such as ``4GiB`` or ``500MB`` in bytes.

    Args:
        what: name of the setting, for the error.

    Raises:
        UsageError: the text is not a positive size.
    """
    try:
        size = int(parse_bytes(text))
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{what} {text!r}: give a number with a unit, such as 4GiB") from error
    if size < 1:
        raise UsageError(f"{what} {text!r}: must be more than 0")
    return size


def dashboard_options(address: str) -> dict[str, Any]:
    """Return the options of a Dask scheduler for its dashboard.

    Without a dashboard, Dask's scheduler still answers its health check, on a free port of the loopback address.

    Args:
        address: HOST:PORT or ``none``. If the port is in use, the next free one is taken.

    Raises:
        UsageError: the text is neither, the host is not an address of this machine, or 100 ports in a row are in use.
    """
    if address == "none":
        return {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    host, _, port_text = address.rpartition(":")
    host = host or "127.0.0.1"
    if not port_text.isdecimal() or int(port_text) > 65535:
        raise UsageError(f"dashboard address {address!r}: give HOST:PORT, such as 127.0.0.1:8787, or none")
    port = _free_port(host, int(port_text))
    return {"dashboard": True, "dashboard_address": f"{host}:{port}"}


def _free_port(host: str, first: int) -> int:
    """Return the first free port from ``first``; 0 = let the system choose."""
    if first == 0:
        return 0
    for port in range(first, min(first + 100, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the dashboard itself binds
            try:
                probe.bind((host, port))
            except PermissionError as error:
                raise UsageError(f"dashboard address {host}:{port}: {error.strerror}; give a port from 1024") from error
            except socket.gaierror as error:
                raise UsageError(f"dashboard address {host}:{port}: {error.strerror}") from error
            except OSError as error:
                if not _is_here(host):
                    raise UsageError(f"dashboard address {host}:{port}: {error.strerror}") from error
                continue
            return port
    raise UsageError(f"dashboard address {host}:{first}: this port and the next ones are in use; give another, or none")


def _is_here(host: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True
