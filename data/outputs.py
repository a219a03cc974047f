"""What a simulation can store beside the voltage: names for campaigns, columns with units, and PyBaMM's variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PER_CELL: Final = "per cell"
PER_PAIR: Final = "per pair"


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column of a simulation's Parquet file.

    Args:
        name: with its unit.
        label: for an axis, with its unit.
        variables: PyBaMM's names; the first that the model has is used. Empty = kilocell calculates it.
        factor, offset: value = factor * PyBaMM's value + offset.
        extensive: ``per cell`` = PyBaMM's value is that of one of the set's cells, where a model divides the current
            among several; ``per pair`` = of one electrode pair; "" = it does not depend on the size of the cell.
        over_space: "" = PyBaMM's value is one number; ``min`` or ``max`` of a value in space.
    """

    name: str
    label: str
    variables: tuple[str, ...] = ()
    factor: float = 1.0
    offset: float = 0.0
    extensive: str = ""
    over_space: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """What a campaign can name in ``outputs``.

    Args:
        about: in words.
        columns: a model that lacks one leaves it out; one that lacks all cannot have the output.
        options: PyBaMM's options of which one must be on; empty = none is needed.
    """

    about: str
    columns: tuple[OutputColumn, ...]
    options: tuple[str, ...] = ()


OFF: Final[dict[str, frozenset[str]]] = {
    "SEI": frozenset({"none"}),
    "lithium plating": frozenset({"none"}),
    "loss of active material": frozenset({"none"}),
    "particle mechanics": frozenset({"none", "swelling only"}),
    "thermal": frozenset({"isothermal"}),
    "calculate heat source for isothermal models": frozenset({"false"}),
}
"""Values with which an option is off."""

EXAMPLES: Final = {
    "SEI": "solvent-diffusion limited",
    "lithium plating": "irreversible",
    "loss of active material": "stress-driven",
    "particle mechanics": "swelling and cracking",
    "thermal": "lumped",
    "calculate heat source for isothermal models": "true",
}
"""A value of each of these options that turns it on, for error messages."""

SOC: Final = "state_of_charge"
CELL_TEMPERATURE: Final = "cell_temperature_celsius"


def _sides(name: str, label: str, *variables: str, factor: float = 1.0) -> tuple[OutputColumn, ...]:
    """Return a column for each electrode; ``{}`` in a variable is its side with a capital, ``<>`` without."""
    return tuple(
        OutputColumn(
            f"{side}_{name}",
            label,
            tuple(one.replace("{}", side.capitalize()).replace("<>", side) for one in variables),
            factor,
        )
        for side in ("negative", "positive")
    )


OUTPUTS: Final[dict[str, Output]] = {
    "temperature": Output(
        "mean temperature of the cell",
        (
            OutputColumn(
                CELL_TEMPERATURE,
                "Temperature (°C)",
                ("Volume-averaged cell temperature [C]", "Cell temperature [degC]"),
            ),
        ),
    ),
    "heating": Output(
        "heat that the cell makes",
        (OutputColumn("heating_watt", "Heating (W)", ("Total heating [W]",), extensive=PER_CELL),),
        ("thermal", "calculate heat source for isothermal models"),
    ),
    "soc": Output("state of charge between the set's cut-offs", (OutputColumn(SOC, "State of charge"),)),
    "stoichiometry": Output(
        "mean stoichiometries of the electrodes",
        _sides("stoichiometry", "Stoichiometry", "{} electrode stoichiometry", "{} electrode primary stoichiometry"),
    ),
    "surface_stoichiometry": Output(
        "mean stoichiometries at the surface of the particles",
        _sides(
            "surface_stoichiometry",
            "Surface\nstoichiometry",
            "X-averaged <> particle surface stoichiometry",
            "X-averaged <> primary particle surface stoichiometry",
        ),
    ),
    "open_circuit_voltage": Output(
        "open-circuit voltage of the mean stoichiometries",
        (
            OutputColumn(
                "open_circuit_voltage_volt",
                "Open-circuit\nvoltage (V)",
                ("Bulk open-circuit voltage [V]", "Open-circuit voltage [V]"),
            ),
        ),
    ),
    "overpotentials": Output(
        "overpotentials of reactions, concentration differences and electrolyte resistance",
        (
            OutputColumn(
                "reaction_overpotential_volt", "Overpotential (V)", ("X-averaged reaction overpotential [V]",)
            ),
            OutputColumn(
                "concentration_overpotential_volt", "Overpotential (V)", ("X-averaged concentration overpotential [V]",)
            ),
            OutputColumn(
                "electrolyte_ohmic_loss_volt", "Overpotential (V)", ("X-averaged electrolyte ohmic losses [V]",)
            ),
        ),
    ),
    "negative_potential": Output(
        "potential of the negative electrode at the separator; lithium can plate below 0 V",
        (
            OutputColumn(
                "negative_potential_volt",
                "Negative\npotential (V)",
                ("Negative electrode surface potential difference at separator interface [V]",),
            ),
        ),
    ),
    "electrolyte": Output(
        "smallest and largest concentration in the electrolyte",
        tuple(
            OutputColumn(
                f"electrolyte_{end}_mol_per_m3",
                "Electrolyte\n(mol/m³)",
                ("Electrolyte concentration [mol.m-3]",),
                over_space=end,
            )
            for end in ("min", "max")
        ),
    ),
    "sei_thickness": Output(
        "mean thickness of the SEI on the negative electrode",
        (
            OutputColumn(
                "sei_thickness_nm",
                "SEI thickness (nm)",
                ("X-averaged negative SEI thickness [m]", "X-averaged negative primary SEI thickness [m]"),
                1e9,
            ),
        ),
        ("SEI",),
    ),
    "plating": Output(
        "capacity lost to plated lithium",
        (
            OutputColumn(
                "plating_loss_ah",
                "Lost to\nplating (A.h)",
                ("Loss of capacity to negative lithium plating [A.h]",),
                extensive=PER_PAIR,
            ),
        ),
        ("lithium plating",),
    ),
    "sei_loss": Output(
        "capacity lost to SEI",
        (
            OutputColumn(
                "sei_loss_ah", "Lost to SEI (A.h)", ("Loss of capacity to negative SEI [A.h]",), extensive=PER_PAIR
            ),
        ),
        ("SEI",),
    ),
    "loss_of_lithium": Output(
        "cyclable lithium lost since the start",
        (OutputColumn("loss_of_lithium_percent", "Lithium\nlost (%)", ("Loss of lithium inventory [%]",)),),
        ("SEI", "lithium plating", "loss of active material"),
    ),
    "loss_of_active_material": Output(
        "active material lost since the start",
        _sides(
            "loss_of_active_material_percent",
            "Active material\nlost (%)",
            "Loss of active material in <> electrode [%]",
        ),
        ("loss of active material",),
    ),
    "crack_length": Output(
        "mean length of the cracks in the particles",
        _sides("crack_length_nm", "Crack length (nm)", "X-averaged <> particle crack length [m]", factor=1e9),
        ("particle mechanics",),
    ),
}
"""Every output by the name that a campaign gives it."""

COLUMNS: Final[dict[str, OutputColumn]] = {
    column.name: column for output in OUTPUTS.values() for column in output.columns
}
"""Every column that an output can have, by its name."""
