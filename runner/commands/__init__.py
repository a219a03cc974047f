"""The commands of ``kilocell``: Click options and short functions that call the other subpackages.

Each command is defined in :mod:`kilocell.runner.cli` or in one of these modules. ``options.py`` defines shared options
once, ``campaign/default_paths.py`` where a command looks when the user names no store or campaign.
"""
