"""The campaign: a campaign file, read, checked and turned into the settings that jobs work from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from ...data.cycle_selection import MeasuredCapacity
from ...data.errors import CampaignError
from ...data.fit_settings import FitSettings
from ...data.installed import parameter_set_names
from ...data.settings import (
    TOLERANCES,
    CellSettings,
    CleanSettings,
    ClusterSettings,
    CurrentSign,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
    SourceSettings,
    ValueSource,
)
from .checks import find_table_problems
from .errors import campaign_error, describe_problems, format_key, value_text
from .fields import MEASURED_TEMPERATURES
from .fit_schema import FitTable
from .fit_tables import expand_chain, fit_links, fit_objective, fit_tables_for_cell, fitted_parameters, selected_parts
from .gone_files import find_gone
from .nested_fits import name_smaller_fits
from .parameter_sets import SetFile, read_set_files
from .schema import DEFAULT_STORE, CampaignFile, CapacityEntry, ClusterTable, ModelTable, StateEntry, VariationTable
from .sites import cluster_values
from .sources import source_settings

DEFAULTS: Final = "defaults"
"""Key of the table ``[cells.defaults]``, which holds for every cell."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A checked campaign.

    Args:
        path: path of the file.
        text: content of the file.
        store: absolute path of the folder for results.
        sources: each raw file (absolute path) with how it is read; sorted by path, each once.
        clean: thresholds of ``[clean]``, without what ``[cells]`` gives for each cell.
        file: the tables of the file.
        set_files: the files of ``[parameter_sets]``, as they were when the campaign was loaded.
        asked: fits from earlier ``kilocell fit`` commands, which the store keeps.
        verify: read all raw files again, also those of known size and time, to find those whose content changed.
    """

    name: str
    path: Path
    text: str
    store: Path
    sources: tuple[tuple[Path, SourceSettings], ...]
    models: tuple[ModelSettings, ...]
    clean: CleanSettings
    cluster: ClusterSettings
    file: CampaignFile
    set_files: tuple[SetFile, ...] = ()
    asked: tuple[FitTable, ...] = ()
    verify: bool = False

    def base_set(self, base: str) -> ParameterSetSettings:
        """Return a parameter set without changes.

        Args:
            base: name of a set of PyBaMM or of ``[parameter_sets]``.
        """
        for file in self.set_files:
            if file.name == base:
                return file.settings
        return ParameterSetSettings(base, base)

    def named_set(self, name: str) -> ParameterSetSettings | None:
        """Return a parameter set or variation.

        Args:
            name: as users see it, such as ``Chen2020`` or ``my_cell+thick``.

        Returns:
            ``None`` when there is no set of this name.
        """
        base = name.partition("+")[0]
        known = (*parameter_set_names(), *(file.name for file in self.set_files))
        if base not in known:
            return None
        return next((variant for variant in self._with_variations(base) if variant.name == name), None)

    def was_guessed(self, cell_id: str) -> bool:
        """Tell whether ``kilocell init`` wrote the table of a cell."""
        table = self.file.cells.get(cell_id)
        return table is not None and table.guessed.model_fields_set != set()

    def cell(self, cell_id: str) -> CellSettings:
        """Return the settings of a cell: ``[cells.ID]`` overrides globs (later ones first), globs override defaults."""
        given = self._given_for_cell(cell_id)
        capacity = given.get("nominal_capacity_ah") or CapacityEntry()
        measured = None
        if capacity.cycle is not None:
            measured = MeasuredCapacity(capacity.cycle, capacity.of)
        settings = CellSettings(
            cell_id=cell_id,
            nominal_capacity_ah=capacity.ah,
            initial_state=_initial_state(given.get("initial_state", StateEntry())),
            measured_capacity=measured,
            capacity_source=_capacity_source(given, capacity),
            parameter_set_source=given.get("parameter_set_source", ""),
        )
        if given.get("temperature_celsius") in MEASURED_TEMPERATURES:
            return replace(settings, temperature=given["temperature_celsius"])
        return replace(settings, temperature_celsius=given.get("temperature_celsius"))

    def parameter_sets(self, cell_id: str) -> tuple[ParameterSetSettings, ...]:
        """Return the parameter sets a cell is simulated with, each followed by its variations.

        Returns:
            Empty when the cell is only cleaned.
        """
        return tuple(variant for base in self._bases(cell_id) for variant in self._with_variations(base))

    def clean_settings(self, cell_id: str, current_sign: CurrentSign = "auto") -> CleanSettings:
        """Return the cleaning thresholds of a cell. A guessed capacity is not among them.

        Args:
            current_sign: what a positive current does in the cell's raw files.
        """
        cell = self.cell(cell_id)
        capacity_ah = cell.nominal_capacity_ah
        if cell.capacity_source == "guess":
            capacity_ah = None
        return replace(
            self.clean,
            current_sign=current_sign,
            nominal_capacity_ah=capacity_ah,
            temperature_setpoint_celsius=cell.temperature_celsius,
        )

    def _outputs(self, model: str) -> tuple[str, ...]:
        """Return what the simulations with a model store beside the voltage, in the campaign's order, each once."""
        tables = (table for table in self.file.models if table.label == model)
        return tuple(dict.fromkeys(name for table in tables for name in table.outputs))

    def simulate_settings(
        self, cell: CellSettings, model: ModelSettings, parameter_set: ParameterSetSettings
    ) -> SimulateSettings:
        """Return one simulation, with the selection, the time limit and the tolerance of ``[simulate]``."""
        table = self.file.simulate
        rtol, atol = TOLERANCES[table.tolerance]
        return SimulateSettings(
            cell,
            model,
            parameter_set,
            rtol=rtol,
            atol=atol,
            cycles=table.selection,
            time_limit_second=table.time_limit_second,
            tolerance=table.tolerance,
            error_estimate=table.error_estimate,
            outputs=self._outputs(model.name),
        )

    def fits(self, cell_id: str) -> tuple[FitSettings, ...]:
        """Return the fits that a cell takes part in; a chain gives one fit for each of its check-ups, in order.

        Raises:
            CampaignError: a fit names no parameter set, and the cell has none; the text does not name the file.
        """
        tables = fit_tables_for_cell(cell_id, self.file.fit, self.asked)
        return name_smaller_fits([link for table in tables for link in expand_chain(table, self._fit(table, cell_id))])

    def named_fits(self) -> Iterator[tuple[str, FitTable]]:
        """Yield each fit with the place where it is defined, for error messages.

        The fits of the file come first, then those of earlier commands.
        """
        yield from self.file.named_fits()
        for table in self.asked:
            yield f"fit {value_text(table.name)} (from an earlier kilocell fit)", table

    def _given_for_cell(self, cell_id: str) -> dict[str, Any]:
        """Return the keys that ``[cells]`` gives for a cell, those of the most specific table last."""
        tables = self.file.cells
        keys = []
        if DEFAULTS in tables:
            keys.append(DEFAULTS)
        keys += [key for key in self.file.cell_globs if key != cell_id and fnmatchcase(cell_id, key)]
        if cell_id in tables and cell_id != DEFAULTS:
            keys.append(cell_id)
        given: dict[str, Any] = {}
        for key in keys:
            given |= tables[key].given
        return given

    def _bases(self, cell_id: str) -> tuple[str, ...]:
        """Return the names of a cell's parameter sets, without their variations."""
        return tuple(self._given_for_cell(cell_id).get("parameter_sets") or ())

    def _with_variations(self, base: str) -> Iterator[ParameterSetSettings]:
        """Yield a parameter set, then each of its variations in the order of the file."""
        unchanged = self.base_set(base)
        yield unchanged
        for variation in self.file.variations:
            if variation.applies_to(base):
                yield replace(unchanged, name=f"{base}+{variation.name}", overrides=_overrides(variation))

    def _fit(self, table: FitTable, cell_id: str) -> FitSettings:
        bases = self._bases(cell_id)
        if table.parameter_set is None and not bases:
            cell_key = f"[cells.{format_key(cell_id)}]"
            raise CampaignError(
                f"fit {value_text(table.name)} names no parameter_set and the cell {value_text(cell_id)} has none; "
                f"add parameter_set to the fit or to {cell_key}"
            )
        name = table.parameter_set or bases[0]
        variants = self._with_variations(name.partition("+")[0])
        fitted, held_out = selected_parts(table)
        return FitSettings(
            name=table.name,
            cell=self.cell(cell_id),
            model=_find_model(table.model, self.models),
            parameter_set=next(variant for variant in variants if variant.name == name),
            parameters=fitted_parameters(table),
            links=fit_links(table),
            cycles=fitted.cycles,
            starts=table.starts,
            seed=table.seed,
            max_evaluations=table.max_evaluations,
            validation_cycles=held_out.cycles,
            objective=fit_objective(table),
            method=table.method,
            first_points=table.first_points,
            profiles=table.profiles,
            time_limit_second=table.time_limit_second,
            stop_beaten=table.stop_beaten,
            fit_initial_soc=table.initial_soc_policy,
            select=fitted.select,
            validation_select=held_out.select,
        )


def load_campaign(path: Path, store: Path | None = None) -> Campaign:
    """Read and check a campaign file; nothing is written, and neither PyBaMM nor Dask is imported.

    Args:
        path: the campaign file, TOML in UTF-8.
        store: folder of the store, which knows raw files that are gone; ``None`` = the campaign's.

    Raises:
        CampaignError: the file does not exist, is not TOML, or a key or value in it is wrong; the text lists every
            problem with its key, its value and the nearest valid name.
    """
    text = _read_text(path)
    document = _parse_toml(path, text)
    folder = path.absolute().parent
    context = {
        "folder": folder,
        "parameter_sets": _table_keys(document.get("parameter_sets")),
        "find_gone": cache(lambda: find_gone(store or _store_folder(folder, document.get("store", DEFAULT_STORE)))),
    }
    try:
        file = CampaignFile.model_validate(document, context=context)
    except ValidationError as error:
        raise campaign_error(path, describe_problems(error, document, CampaignFile)) from None
    set_files, problems = read_set_files(file, folder)
    problems += find_table_problems(file)
    if problems:
        raise campaign_error(path, problems)
    store = _store_folder(folder, file.store)
    return Campaign(
        name=file.name or folder.resolve().name,
        path=path,
        text=text,
        store=store,
        sources=source_settings(file.sources, store),
        models=tuple(_model(table) for table in file.models),
        clean=CleanSettings(
            **{name: value for name, value in _field_values(file.clean).items() if name != "time_limit_second"}
        ),
        cluster=ClusterSettings(**cluster_values(file.cluster, ClusterTable.model_fields)),
        file=file,
        set_files=set_files,
    )


def _store_folder(folder: Path, store: Any) -> Path:
    return (folder / os.path.expanduser(str(store))).resolve()  # noqa: PTH111 - as in the globs


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise CampaignError(f"{path}: no such campaign file; `kilocell init FILES` writes one") from None
    except OSError as error:
        raise CampaignError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CampaignError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _parse_toml(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise CampaignError(f"{path}: is not valid TOML: {error}") from None


def _table_keys(table: Any) -> tuple[str, ...]:
    return tuple(table) if isinstance(table, dict) else ()


def _field_values(table: BaseModel) -> dict[str, Any]:
    """Return a table's values as arguments of a frozen dataclass, with tuples for lists."""
    values = dict(table)
    for key, value in table:
        if isinstance(value, list):
            values[key] = tuple(value)
    return values


def _model(table: ModelTable) -> ModelSettings:
    # Sorted: the order of options in the file must not change a job's digest.
    options = tuple(sorted(table.options.items()))
    mesh = tuple(sorted(table.mesh.items()))
    return ModelSettings(table.label, table.type, options, mesh)


def _find_model(name: str, models: Sequence[ModelSettings]) -> ModelSettings:
    """Return the campaign's model of this name, or else the PyBaMM model of this type without options."""
    return next((model for model in models if model.name == name), ModelSettings(name, name))


def _overrides(variation: VariationTable) -> tuple[Override, ...]:
    # Sorted, as a model's options.
    overrides = []
    for parameter, change in sorted(variation.parameters.items()):
        if change.value is not None:
            overrides.append(Override(parameter, "value", change.value))
        else:
            overrides.append(Override(parameter, "scale", change.scale or 0.0))
    return tuple(overrides)


def _capacity_source(given: dict[str, Any], capacity: CapacityEntry) -> ValueSource:
    """Return who says the capacity; "" where it is measured in a cycle or not given."""
    if capacity.ah is None:
        return ""
    source: ValueSource = given["capacity_source"]
    return source


def _initial_state(entry: StateEntry) -> InitialState:
    if entry.previous_cycle:
        return InitialState("previous_cycle")
    if entry.soc is not None:
        return InitialState("soc", entry.soc)
    if entry.voltage is not None:
        return InitialState("voltage", entry.voltage)
    return InitialState()
