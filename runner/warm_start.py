"""Where a link of a chain begins: at the values of the nearest fit before it that has a result."""

from __future__ import annotations

from ..data.fit_settings import FitSettings
from ..data.fit_values import FitResult
from ..parquet_store.layout import Store
from ..parquet_store.read import read_receipt


def former_fit(store: Store, settings: FitSettings, start: int) -> tuple[FitResult | None, str]:
    """The fit at whose values a start begins, and its name with those that were passed over, for the start's receipt.

    One bad check-up does not end a chain: the next link begins from the last one with a result, or at its own first
    guess. Only the first start of a link is warm; ``None`` and "" for all others.
    """
    if start or not settings.former:
        return None, ""
    lacking: list[str] = []
    for name in settings.former:
        receipt = read_receipt(store.receipt("fit", settings.cell.cell_id, name))
        if receipt is not None and receipt.status == "done" and isinstance(receipt.result, FitResult):
            return receipt.result, f"{name}{_since(lacking)}"
        lacking.append(name)
    return None, f"its own first guess{_since(lacking)}"


def _since(lacking: list[str]) -> str:
    if not lacking:
        return ""
    return f", since {', '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} no result"
