"""Synthetic cells: records with known truth, and the defects of a lab planted in them.

A seed and a number of cells enter; raw tables and their ground truth leave. ``virtual_cell`` solves a PyBaMM model
(imported inside its functions), ``protocols`` says what the cycler does, ``cycler`` samples as a cycler does, and
``damage`` plants defects. Start with :mod:`kilocell.data.synthetic.generate`.
"""
