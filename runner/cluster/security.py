"""Keep other users of the machine out: connections of a run are encrypted, and only its own processes can make them.

Without this, anyone who can open a connection to a scheduler or worker can run code as the user. Each run has its own
key, which it makes when it starts. The key is in the memory of its processes; Slurm jobs read it from files in the
store that only the user can read, and that are deleted when the run ends.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from distributed.security import Security

from ...data.errors import UsageError

PROTOCOL: Final = "tls"
"""How the processes of a run talk to each other."""

ROLES: Final = ("client", "scheduler", "worker")


def make_security() -> Any:
    """Return a new key and certificate (Dask's ``Security``), for one run; it takes about 0.1 s."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of cryptography, for how Dask calls it
        return Security.temporary()  # type: ignore[no-untyped-call]


def configured_connection(address: str) -> dict[str, Any]:
    """Return what a connection to a scheduler that the user started needs, from Dask's own configuration.

    Args:
        address: of the scheduler.

    Raises:
        UsageError: a ``tls://`` address, and the configuration names no keys, or no files that can be read.
    """
    where = "distributed.comm.tls of Dask's configuration (docs/clusters.md)"
    try:
        connection: dict[str, Any] = Security().get_connection_args("client")  # type: ignore[no-untyped-call]
    except OSError as error:
        raise UsageError(f"{address}: the certificate or key in {where} cannot be read: {error}") from error
    if address.startswith(f"{PROTOCOL}://") and connection["ssl_context"] is None:
        raise UsageError(f"{address}: a scheduler with TLS needs ca-file, client.cert and client.key in {where}")
    return connection


@contextmanager
def security_in_files(folder: Path) -> Iterator[Any]:
    """Make a key and certificate that processes on other machines read from files; delete the files at the end.

    Args:
        folder: on a file system that the machines share; it is made so that only the user can enter it.
    """
    secret = make_security()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    certificate = folder / "certificate.pem"
    key = folder / "key.pem"
    try:
        _write_private(certificate, secret.tls_ca_file)
        _write_private(key, secret.tls_worker_key)
        roles = {f"tls_{role}_cert": str(certificate) for role in ROLES}
        roles |= {f"tls_{role}_key": str(key) for role in ROLES}
        yield Security(  # type: ignore[no-untyped-call]
            require_encryption=True, tls_ca_file=str(certificate), **roles
        )
    finally:
        key.unlink(missing_ok=True)
        certificate.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()


def _write_private(path: Path, text: str) -> None:
    """Write a file that only the user can read, also while it is written."""
    path.unlink(missing_ok=True)
    with open(path, "x", encoding="ascii", opener=partial(os.open, mode=0o600)) as file:
        file.write(text)
