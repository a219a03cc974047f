"""What the user asked for: the campaign file, checked, and turned into the settings that jobs work from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from ...data.cycle_selection import MeasuredCapacity
from ...data.errors import CampaignError
from ...data.fit_settings import FitObjective, FitSettings
from ...data.installed import parameter_set_names
from ...data.names import suggest_or_list
from ...data.settings import (
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
)
from .checks import find_table_problems
from .errors import campaign_error, describe_problems, format_key, value_text
from .fit_schema import FitTable
from .fit_tables import expand_chain, fit_links, fit_tables_for_cell, fitted_parameters
from .parameter_sets import SetFile, read_set_files
from .schema import CampaignFile, CapacityEntry, ModelTable, StateEntry, VariationTable, is_glob
from .sources import source_settings

DEFAULTS: Final = "defaults"
"""The table ``[cells.defaults]``, which is of every cell."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A checked campaign.

    Args:
        path, text: the file and what is in it.
        store: absolute path of the folder for results.
        sources: each raw file, absolute, with how it is read; sorted by path, each once.
        file: the file's tables.
        set_files: the files of its own parameter sets, as they were when it was loaded.
        asked: fits asked on the command line, which the store keeps.
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

    def base_set(self, base: str) -> ParameterSetSettings:
        """A parameter set as it is, PyBaMM's or a file's, by name."""
        return ParameterSetSettings(
            base, base, file_digest=next((file.digest for file in self.set_files if file.name == base), "")
        )

    def named_set(self, name: str) -> ParameterSetSettings | None:
        """A set or variation (``my_cell+thick``) by the name that users see; ``None`` where there is none."""
        base = name.partition("+")[0]
        if base not in (*parameter_set_names(), *(file.name for file in self.set_files)):
            return None
        return next((found for found in self._with_variations(base) if found.name == name), None)

    def cell(self, cell_id: str) -> CellSettings:
        """What the campaign says of a cell: its own table, over globs (later ones first), over the defaults."""
        said = self._given_for_cell(cell_id)
        capacity = said.get("nominal_capacity_ah") or CapacityEntry()
        over_time = isinstance(said.get("temperature_celsius"), str)
        return CellSettings(
            cell_id=cell_id,
            nominal_capacity_ah=capacity.ah,
            initial_state=_initial_state(said.get("initial_state", StateEntry())),
            temperature_celsius=None if over_time else said.get("temperature_celsius"),
            temperature=said["temperature_celsius"] if over_time else "mean",
            measured_capacity=None if capacity.cycle is None else MeasuredCapacity(capacity.cycle, capacity.of),
        )

    def parameter_sets(self, cell_id: str) -> tuple[ParameterSetSettings, ...]:
        """The parameter sets that a cell is simulated with, each followed by its variations; empty = cleaned only."""
        return tuple(s for base in self.bases(cell_id) for s in self._with_variations(base))

    def clean_settings(self, cell_id: str, current_sign: CurrentSign = "auto") -> CleanSettings:
        """The thresholds for a cell of a source that signs its current in this way."""
        cell = self.cell(cell_id)
        return replace(
            self.clean,
            current_sign=current_sign,
            nominal_capacity_ah=cell.nominal_capacity_ah,
            temperature_setpoint_celsius=cell.temperature_celsius,
        )

    def simulate_settings(
        self, cell: CellSettings, model: ModelSettings, parameter_set: ParameterSetSettings
    ) -> SimulateSettings:
        """One simulation as the campaign asks for it."""
        table = self.file.simulate
        return SimulateSettings(
            cell, model, parameter_set, cycles=table.cycles, time_limit_second=table.time_limit_second
        )

    def fits(self, cell_id: str) -> tuple[FitSettings, ...]:
        """The fits that a cell takes part in; a chain is one for each of its check-ups, in order.

        Raises:
            CampaignError: a fit names no parameter set, and the cell has none.
        """
        tables = fit_tables_for_cell(cell_id, self.file.fit, self.asked)
        return tuple(link for table in tables for link in expand_chain(table, self._fit(table, cell_id)))

    def named_fits(self) -> Iterator[tuple[str, FitTable]]:
        """Each fit, the asked ones too, with where it stands."""
        yield from self.file.named_fits()
        yield from ((f"fit {value_text(table.name)}, asked on the command line", table) for table in self.asked)

    def check_cells(self, cell_ids: Iterable[str]) -> None:
        """Check what can only be told when the sources' cells are known.

        Raises:
            CampaignError: ``[cells.ID]`` or a fit names a cell (not a glob) that no source has, with the nearest
                that is there; or a fit names no parameter set and one of its cells has none.
        """
        known = frozenset(cell_ids)
        tables = self.file.cells.keys() - {DEFAULTS}
        named = [(f"cells.{format_key(key)}", key) for key in sorted(tables)]
        named += [(f"{where}.cells", key) for where, fit in self.file.named_fits() for key in fit.cells]
        problems = [
            f"{where}: no source has the cell {value_text(key)}{suggest_or_list(key, [*known, DEFAULTS])}"
            for where, key in named
            if not is_glob(key) and key not in known
        ]
        for cell_id in sorted(known):
            try:
                self.fits(cell_id)
            except CampaignError as error:
                problems.append(str(error).removeprefix(f"{self.path}: "))
        if problems:
            raise campaign_error(self.path, problems)

    def _given_for_cell(self, cell_id: str) -> dict[str, Any]:
        tables = self.file.cells
        globs = [key for key in self.file.cell_globs if key != cell_id and fnmatchcase(cell_id, key)]
        own = [cell_id] if cell_id in tables and cell_id != DEFAULTS else []
        said: dict[str, Any] = {}
        for key in ([DEFAULTS] if DEFAULTS in tables else []) + globs + own:
            said |= tables[key].given
        return said

    def bases(self, cell_id: str) -> tuple[str, ...]:
        """Names of the parameter sets that a cell is given, without their variations."""
        return tuple(self._given_for_cell(cell_id).get("parameter_sets") or ())

    def _with_variations(self, base: str) -> Iterator[ParameterSetSettings]:
        own = self.base_set(base)
        yield own
        for variation in self.file.variations:
            if variation.applies_to(base):
                yield replace(own, name=f"{base}+{variation.name}", overrides=_overrides(variation))

    def _fit(self, table: FitTable, cell_id: str) -> FitSettings:
        bases = self.bases(cell_id)
        if table.parameter_set is None and not bases:
            raise campaign_error(
                self.path,
                [f"fit {value_text(table.name)} names no parameter_set and the cell {value_text(cell_id)} has none"],
            )
        name = table.parameter_set or bases[0]
        return FitSettings(
            name=table.name,
            cell=self.cell(cell_id),
            model=_find_model(table.model, self.models),
            parameter_set=next(s for s in self._with_variations(name.partition("+")[0]) if s.name == name),
            parameters=fitted_parameters(table),
            links=fit_links(table),
            cycles=tuple(sorted(set(table.cycles))),
            starts=table.starts,
            seed=table.seed,
            max_evaluations=table.max_evaluations,
            validation_cycles=tuple(sorted(set(table.validation_cycles))),
            objective=FitObjective(**_fields(table.objective)),
            method=table.method,
            first_points=table.first_points,
            profiles=table.profiles,
            time_limit_second=table.time_limit_second,
            stop_beaten=table.stop_beaten,
        )


def load_campaign(path: Path) -> Campaign:
    """Read and check a campaign file; nothing is written, and neither PyBaMM nor Dask is imported.

    Raises:
        CampaignError: the file is not there, is no TOML, or says something that cannot be; the text lists every
            such place with its key, value and the nearest right name.
    """
    text = _read_text(path)
    document = _document(path, text)
    folder = path.absolute().parent
    context = {"folder": folder, "parameter_sets": _keys(document.get("parameter_sets"))}
    try:
        file = CampaignFile.model_validate(document, context=context)
    except ValidationError as error:
        raise campaign_error(path, describe_problems(error, document, CampaignFile)) from None
    set_files, problems = read_set_files(file, folder)
    if problems := [*problems, *find_table_problems(file)]:
        raise campaign_error(path, problems)
    store = (folder / os.path.expanduser(file.store)).resolve()  # noqa: PTH111 - as in the globs
    return Campaign(
        name=file.name or folder.resolve().name,
        path=path,
        text=text,
        store=store,
        sources=source_settings(file.sources, store),
        models=tuple(_model(table) for table in file.models),
        clean=CleanSettings(**_fields(file.clean)),
        cluster=ClusterSettings(**_fields(file.cluster)),
        file=file,
        set_files=set_files,
    )


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise CampaignError(f"{path}: there is no such campaign file; `kilocell init FILES` writes one") from None
    except OSError as error:
        raise CampaignError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CampaignError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _document(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise CampaignError(f"{path}: is not valid TOML: {error}") from None


def _keys(table: Any) -> tuple[str, ...]:
    return tuple(table) if isinstance(table, dict) else ()


def _fields(table: BaseModel) -> dict[str, Any]:
    """A table's values as a frozen dataclass wants them."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table}


def _model(table: ModelTable) -> ModelSettings:
    # In a fixed order, since the order they are written in must not make a job run again.
    options, mesh = (tuple(sorted(pairs.items())) for pairs in (table.options, table.mesh))
    return ModelSettings(table.label, table.type, options, mesh)


def _find_model(name: str, models: Sequence[ModelSettings]) -> ModelSettings:
    """The campaign's model of this name; a type that the campaign does not name stands for itself."""
    return next((model for model in models if model.name == name), ModelSettings(name, name))


def _overrides(variation: VariationTable) -> tuple[Override, ...]:
    # In a fixed order, as a model's options.
    return tuple(
        Override(parameter, "value", change.value)
        if change.value is not None
        else Override(parameter, "scale", change.scale or 0.0)
        for parameter, change in sorted(variation.parameters.items())
    )


def _initial_state(entry: StateEntry) -> InitialState:
    if entry.previous_cycle:
        return InitialState("previous_cycle")
    if entry.soc is not None:
        return InitialState("soc", entry.soc)
    return InitialState() if entry.voltage is None else InitialState("voltage", entry.voltage)
