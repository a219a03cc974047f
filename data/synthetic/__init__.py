"""Synthetic cells: records whose true parameters are known, with typical defects of a lab planted in them.

Input: a seed and a number of cells. Output: raw tables and their ground truth. ``virtual_cell`` solves a PyBaMM model
(imported inside its functions), ``protocols`` has what the cycler does, ``cycler`` measures as a cycler does, and
``damage`` plants defects. Start with :mod:`kilocell.data.synthetic.generate`.
"""
