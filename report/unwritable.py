"""Tell readers without write permission in a store where else their figures can go."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar

from ..data.errors import StoreError
from ..parquet_store.layout import Store

P = ParamSpec("P")
T = TypeVar("T")
REFUSED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
"""What the system says when a user may not write, or nobody can."""


def says_where_else(write: Callable[Concatenate[Store, P], T]) -> Callable[Concatenate[Store, P], T]:
    """Let a function that writes figures into a store say what to do when the store is not writable.

    Args:
        write: its first argument is the store.
    """

    @wraps(write)
    def written(store: Store, /, *arguments: P.args, **named: P.kwargs) -> T:
        try:
            return write(store, *arguments, **named)
        except OSError as error:
            if error.errno not in REFUSED:
                raise
            raise StoreError(
                f"{error.filename or store.figures} cannot be written: {error.strerror}. Figures go to the store's "
                "folder; to write them elsewhere, add --out FILE"
            ) from error

    return written
