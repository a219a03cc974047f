"""Models: PyBaMM models built once per structure, their equilibrium, and the state from which a simulation starts.

A model's settings and a parameter set go in; a built model with its inputs, and an initial state, come out.
``pybamm_models`` creates the model, ``options`` lists what a model can be given, ``build`` discretises and compiles it,
``equilibrium`` and ``full_cell`` find states at rest, and ``initial_state`` chooses the one that fits the record.
"""
