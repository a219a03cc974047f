"""What a search keeps of its evaluations: the journal, the best point, and the end of what it may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ...data.arrays import Floats
from ...data.results.fitting import Evaluation
from .residuals import Residuals

if TYPE_CHECKING:
    from .search import Search


class Journal(Protocol):
    """Record of a start's evaluations, so that a start that was killed continues from its last one."""

    def recall(self, number: int, values: tuple[float, ...]) -> tuple[Floats, Floats, str] | None:
        """Return errors, slopes and reason of an evaluation, if it was recorded at exactly these values.

        Args:
            number: of the evaluation, from 1.
            values: in the parameters' units.
        """

    def note(self, evaluation: Evaluation, error_mv: Floats, slopes_mv: Floats) -> None:
        """Append an evaluation."""


class Exhausted(Exception):  # noqa: N818 - ends a search, which is no error
    """A start has used all of its evaluations."""


class LeftRange(Exception):  # noqa: N818 - ends a search with coarse tolerances, which is no error
    """A search with coarse tolerances left the range of the model, whose edge they do not see well enough."""


@dataclass(frozen=True, slots=True)
class Best:
    """The best point of a search so far.

    Args:
        cost: mV2, with the loss and the priors.
        unit: from 0 to 1, shape (parameters,).
        residuals: there; ``None`` = nothing is evaluated yet.
    """

    cost: float
    unit: Floats
    residuals: Residuals | None = None

    @property
    def is_without_solution(self) -> bool:
        """Whether the model has no solution there."""
        return self.residuals is not None and bool(self.residuals.reason)

    def data_cost(self, search: Search) -> float | None:
        """Return the cost in mV2 without priors; ``None`` = nothing is evaluated yet."""
        return None if self.residuals is None else search.data_cost(self.residuals)
