"""Models: PyBaMM models built once per structure, their equilibrium, and the state that a simulation starts from.

A model's settings and a parameter set enter; a built model with its inputs, and an initial state, leave.
``pybamm_models`` creates the model, ``build`` discretises and compiles it, ``equilibrium`` and ``full_cell`` find
states at rest, ``initial_state`` chooses the one that belongs to the record.
"""
