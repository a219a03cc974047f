"""Slides about a store: what they say (``content.py``, one module for each page), and PDF and Markdown of it.

``write.py`` is the file to start with: it builds the pages, and writes them.
"""
