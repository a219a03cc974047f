"""Simulation: drive a model with a cell's measured current and compare its voltage with the measured one.

Cleaned samples and :class:`~kilocell.data.settings.SimulateSettings` enter; a frame of simulated samples and a result
with its errors leave. ``simulate.py`` reads from top to bottom: it selects cycles, cuts them into stretches, tries
attempts from fast to careful, and compares. ``replay.py`` solves one profile.
"""
