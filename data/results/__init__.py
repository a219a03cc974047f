"""Results of jobs: frozen values that receipts store as JSON and the catalog stores as rows.

``cleaning`` has the findings, the clean report and the cycles of a cell; ``simulation`` the comparison with the
measurement; ``fitting`` starts, fits and profiles; ``receipt`` the receipt that ends every job.
Class and field names are part of stored receipts: do not change them without a migration.
"""
