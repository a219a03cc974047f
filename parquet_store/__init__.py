"""Where partitions and receipts lie, and how they are written and read."""
