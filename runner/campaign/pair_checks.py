"""Refuse pairs of parameter set and model that cannot be simulated: each set describes a kind of cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from ...data.errors import JobError
from ...data.known_sets import KNOWN_SETS, LITHIUM_ION
from ...data.settings import ModelSettings, ParameterSetSettings
from .campaign import Campaign
from .cell_plan import CellFit, CellPlan
from .errors import campaign_error
from .fit_checks import RefusedFit
from .known_checks import recall

PLAIN_MODELS: Final = ("SPM", "SPMe", "DFN", "MPM", "NewmanTobias")
PLAIN_KINDS: Final = (LITHIUM_ION, "sodium-ion")
"""Without options, each of these models takes each of PyBaMM's sets of these kinds; a test builds them all."""

MOST_BUILT: Final = 30
"""Pairs that are built at most to see whether PyBaMM takes them, 0.1 s to 0.7 s each. Chosen, not measured."""

KNOTS: Final = 100  # of the current in such a model: any number gives the same answer
TOLERANCE: Final = 1e-6  # relative and absolute; any number gives the same answer

Pair = tuple[ModelSettings, ParameterSetSettings]


@dataclass(frozen=True, slots=True)
class MatchedPlans:
    """The plans of cells without what cannot run because set and model do not match.

    Args:
        refused: the fits taken out.
        unmatched: a line for each pair of model and set that is not simulated although the campaign's models and sets
            fit others: such a campaign has cells of several kinds.
    """

    plans: tuple[CellPlan, ...]
    refused: tuple[RefusedFit, ...] = ()
    unmatched: tuple[str, ...] = ()


def refuse_pairs(campaign: Campaign, plans: Sequence[CellPlan]) -> MatchedPlans:
    """Take simulations and fits that PyBaMM cannot run out of the cells' plans.

    PyBaMM is imported only if there is a pair that may not fit, and that it was not asked before.

    Args:
        plans: one for each cell of the raw files.

    Raises:
        CampaignError: a model fits none of the sets, a set fits none of the models, or a fit runs for no cell.
    """
    wanted = dict.fromkeys(_unchanged(one.model, one.parameter_set) for plan in plans for one in plan.simulations)
    fitted = dict.fromkeys(_unchanged(fit.settings.model, fit.settings.parameter_set) for fit in _fits(plans))
    reasons = dict(_find_reasons((*wanted, *fitted)))
    if not reasons:
        return MatchedPlans(tuple(plans))
    good = [pair for pair in wanted if pair not in reasons]
    hopeless = [reasons[pair] for pair in wanted if pair in reasons and not _is_used(pair, good)]
    kept = tuple(_without(plan, reasons) for plan in plans)
    refused = _refused_fits(campaign, plans, reasons)
    running = {_fit_name(fit) for fit in _fits(kept)}
    hopeless += [one.text for one in refused if one.fit not in running]
    if hopeless:
        raise campaign_error(campaign.path, list(dict.fromkeys(hopeless)))
    unmatched = tuple(f"not simulated: {reasons[pair]}" for pair in wanted if pair in reasons)
    return MatchedPlans(kept, refused, unmatched)


def _fits(plans: Iterable[CellPlan]) -> Iterator[CellFit]:
    yield from (fit for plan in plans for fit in plan.fits)


def _fit_name(fit: CellFit) -> str:
    """Return the name of a fit as in the campaign; of a link of a chain, the chain's."""
    return fit.settings.chain or fit.settings.name


def _is_used(pair: Pair, good: Sequence[Pair]) -> bool:
    """Whether both the model and the set of a pair fit another one."""
    model, parameter_set = pair
    return any(model == other for other, _ in good) and any(parameter_set == other for _, other in good)


def _unchanged(model: ModelSettings, parameter_set: ParameterSetSettings) -> Pair:
    return model, replace(parameter_set, name=parameter_set.base, overrides=())


def _find_reasons(pairs: Iterable[Pair]) -> Iterator[tuple[Pair, str]]:
    """Yield the pairs that cannot be simulated, each once, with the reason."""
    built = 0
    for pair in dict.fromkeys(pairs):
        if _is_plain(*pair):
            continue
        reason = recall(partial(_check_kind, *pair), "kind of a set", pair[0], sets=(pair[1],))
        if not reason and built < MOST_BUILT:
            built += 1
            reason = recall(partial(_check_built, *pair), "a model with a set", pair[0], sets=(pair[1],))
        if reason:
            yield pair, reason


def _is_plain(model: ModelSettings, parameter_set: ParameterSetSettings) -> bool:
    known = KNOWN_SETS.get(parameter_set.base)
    if model.type not in PLAIN_MODELS or model.options or known is None or parameter_set.file_digest:
        return False
    return known.kind in PLAIN_KINDS


def _check_kind(model: ModelSettings, parameter_set: ParameterSetSettings) -> str:
    """Return why a set describes another kind of cell than a model; "" = it does not."""
    from ...jobs.models.pybamm_models import check_set

    try:
        check_set(model, parameter_set.key)
    except JobError as error:
        return str(error) if error.code == "cannot_build" else ""  # of others, each job says why
    return ""


def _check_built(model: ModelSettings, parameter_set: ParameterSetSettings) -> str:
    """Return why PyBaMM cannot build a model with a set, such as a missing parameter; "" = it can."""
    from ...jobs.models.build import build_model, make_structure

    structure = make_structure(model, parameter_set.key, (), KNOTS, TOLERANCE, TOLERANCE, compiled=False)
    try:
        build_model(structure)
    except JobError as error:
        return str(error) if error.code == "cannot_build" else ""
    return ""


def _refused_fits(campaign: Campaign, plans: Sequence[CellPlan], reasons: dict[Pair, str]) -> tuple[RefusedFit, ...]:
    places = {table.name: where for where, table in campaign.named_fits()}
    cells: dict[tuple[str, str], list[str]] = {}
    for plan in plans:
        for fit in plan.fits:
            reason = reasons.get(_unchanged(fit.settings.model, fit.settings.parameter_set))
            if reason:
                cells.setdefault((_fit_name(fit), reason), []).append(plan.cell_id)
    return tuple(
        RefusedFit(name, tuple(dict.fromkeys(ids)), f"{places[name]}.model: {reason}")
        for (name, reason), ids in cells.items()
    )


def _without(plan: CellPlan, reasons: dict[Pair, str]) -> CellPlan:
    return replace(
        plan,
        simulations=tuple(one for one in plan.simulations if _unchanged(one.model, one.parameter_set) not in reasons),
        fits=tuple(
            fit for fit in plan.fits if _unchanged(fit.settings.model, fit.settings.parameter_set) not in reasons
        ),
    )
