"""Export: cleaned cells as CSV, BDF or one SQLite file, and parameter sets as JSON or BPX."""
