-- From version 6 to version 7: the resistance of cycles, which earlier cleaning did not find (NULL); and what each run was, with its
-- workers over time, of which earlier runs recorded nothing. Do not change these statements; schema.sql is the current schema.

-- Cycles: the resistance.
ALTER TABLE cycles ADD COLUMN resistance_ohm REAL;
ALTER TABLE cycles ADD COLUMN resistance_second REAL;
ALTER TABLE cycles ADD COLUMN resistance_uncertainty_ohm REAL;
ALTER TABLE cycles ADD COLUMN resistance_edges INTEGER;
ALTER TABLE cycles ADD COLUMN resistance_source TEXT;

-- Runs: what each one was, and its workers over time.
ALTER TABLE runs ADD COLUMN kilocell_commit TEXT;
ALTER TABLE runs ADD COLUMN campaign_commit TEXT;
ALTER TABLE runs ADD COLUMN cluster TEXT;
ALTER TABLE runs ADD COLUMN jobs TEXT;
ALTER TABLE runs ADD COLUMN log TEXT;
ALTER TABLE runs ADD COLUMN seen_unix_second REAL;
ALTER TABLE runs ADD COLUMN seconds REAL;
ALTER TABLE runs ADD COLUMN worker_hosts TEXT;
ALTER TABLE runs ADD COLUMN workers_peak INTEGER;
ALTER TABLE runs ADD COLUMN workers_memory_peak_bytes INTEGER;
ALTER TABLE runs ADD COLUMN worker_memory_peak_bytes INTEGER;
ALTER TABLE runs ADD COLUMN client_memory_peak_bytes INTEGER;
CREATE TABLE run_workers (
    run_id              INTEGER NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    unix_second         REAL NOT NULL,
    workers             INTEGER NOT NULL,
    threads             INTEGER NOT NULL,
    memory_bytes        INTEGER NOT NULL,
    worker_memory_bytes INTEGER NOT NULL,
    running_jobs        INTEGER NOT NULL,
    running             TEXT NOT NULL,
    left_second         REAL,
    left_is_least       INTEGER CHECK (left_is_least IN (0, 1)),
    PRIMARY KEY (run_id, unix_second)
) STRICT, WITHOUT ROWID;
