"""The four questions from Python: what :class:`kilocell.report.store_reader.StoreReader` answers with frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..data.errors import UsageError
from .frames import COMPARISON, CURVES, PARAMETER_SETS, make_frame
from .reader import Names, Reader, describes_itself, make_filters

if TYPE_CHECKING:
    import pandas as pd


class Answers(Reader):
    """Comparisons, parameter sets and curves. ``cell`` may be a pattern; ``parameters`` a set's name or ``default``."""

    @describes_itself
    def compare(
        self,
        cycle: int | None = None,
        cell: Names = None,
        *,
        model: Names = None,
        parameters: Names = None,
        columns: Sequence[str] = (),
    ) -> pd.DataFrame:
        """Return simulation against experiment in a cycle, one row per simulation.

        Args:
            cycle: number of the cycle; ``None`` = the complete record (``cycle_count`` 0).
            cell: ids or patterns such as ``"CELL_*"``; ``None`` = all.
            model: names of models; ``None`` = all.
            parameters: names of parameter sets, or ``"default"``: sets without changed parameters; ``None`` = all.
            columns: names of the wanted columns; empty = all.

        Returns:
            ``cell_id``, ``model``, ``parameter_set``, ``cycle_count``, ``samples``; ``rmse_mv``, ``bias_mv``,
            ``worst_mv`` and its time; the ``..._rmse_mv`` of each window after a step's start (ohmic, kinetic,
            diffusion, capacity) and of each step type (charge, discharge, rest, hold, pulse; NaN: no such step);
            ``status``, ``is_default``, ``standing``.

        Raises:
            UsageError: an unknown name; the text suggests the nearest.
        """
        from ..sqlite import questions

        filters = make_filters(cell, model, parameters)
        with self._catalog() as catalog:
            rows = questions.cycle_comparison(catalog, cycle or 0, filters.choose_cells(catalog))
        return make_frame(filters.apply(rows), COMPARISON, columns)

    @describes_itself
    def parameter_sets(
        self, *, model: Names = None, parameters: Names = None, columns: Sequence[str] = ()
    ) -> pd.DataFrame:
        """Return the parameter sets that simulations use, one row per model and set.

        Args:
            model: names of models; ``None`` = all.
            parameters: names of parameter sets, or ``"default"``; ``None`` = all.
            columns: names of the wanted columns; empty = all.

        Returns:
            ``model``, ``parameter_set``, ``base``; ``overrides``, the changed parameters with kind (value, or scale = a
            factor), value and unit, as JSON; ``lineage``, the fit that gave the set; ``is_default``; ``cells``,
            ``cells_done`` and ``cells_failed``, counts of simulations; their ``rmse_mean_mv``, ``rmse_min_mv`` and
            ``rmse_max_mv``; ``parameter_set_digest``; ``standing``.

        Raises:
            UsageError: an unknown name; the text suggests the nearest.
        """
        from ..sqlite import questions

        with self._catalog() as catalog:
            rows = questions.model_parameter_sets(catalog)
        return make_frame(make_filters(None, model, parameters).apply(rows), PARAMETER_SETS, columns)

    @describes_itself
    def curves(
        self,
        cell: Names = None,
        *,
        model: Names = None,
        parameters: Names = None,
        columns: Sequence[str] = (),
    ) -> pd.DataFrame:
        """Return the voltage curves there are, one row per simulation; :meth:`curve_samples` reads them.

        Args:
            cell, model, parameters, columns: as of :meth:`compare`.

        Returns:
            ``cell_id``, ``model``, ``parameter_set``, ``status``, ``samples``, ``rmse_mv``, ``bias_mv``, ``worst_mv``;
            ``partial_rmse_mv`` of a failed one until its end; ``initial_soc``, ``initial_voltage_volt``,
            ``capacity_ah``, ``temperature_celsius``; ``selection``, the simulated part; ``reason`` it failed; ``path``
            of the Parquet file in the store; ``is_default``; ``standing``.

        Raises:
            UsageError: an unknown name; the text suggests the nearest.
        """
        from ..sqlite import questions

        filters = make_filters(cell, model, parameters)
        with self._catalog() as catalog:
            rows = questions.curves(catalog, filters.choose_cells(catalog))
        return make_frame(filters.apply(rows), CURVES, columns)

    @describes_itself
    def curve_samples(
        self, cell: Names = None, *, model: Names = None, parameters: Names = None, select: str | None = None
    ) -> pd.DataFrame:
        """Return the samples of voltage curves, measured beside simulated, in one long frame.

        Args:
            cell, model, parameters: as of :meth:`compare`.
            select: only this part of each record, such as ``"cycle 2, discharge"``; cells without it are left out.

        Returns:
            ``cell_id``, ``model``, ``parameter_set``, and the columns of ``StoreReader.simulation`` with
            ``measured_voltage_volt``.

        Raises:
            UsageError: an unknown name, or no curve has the part.
        """
        import pandas as pd

        from ..sqlite import questions
        from .curve_samples import NAMES, read_samples

        filters = make_filters(cell, model, parameters)
        with self._catalog() as catalog:
            rows = filters.apply(questions.curves(catalog, filters.choose_cells(catalog)))
        parts = []
        problem: UsageError | None = None
        for row in rows:
            try:
                frame = read_samples(self._store, row, select)
            except UsageError as error:
                problem = problem or error
                continue
            for place, name in enumerate(NAMES):
                frame.insert(place, name, pd.Series(str(row[name]), frame.index, "category"))
            parts.append(frame)
        if not parts:
            raise problem or UsageError("the store has no such curve; curves() lists those there are")
        joined = pd.concat(parts, ignore_index=True)
        return joined.astype(dict.fromkeys(NAMES, "category"))
