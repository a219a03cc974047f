-- From version 4 to version 5: selected parts of a record, with the errors of each stretch; errors by cycle of failed
-- simulations, for the cycles that did not fail; the selection in the view results. Do not change these statements; schema.sql is the current schema.

ALTER TABLE simulations ADD COLUMN selection TEXT;
ALTER TABLE fits ADD COLUMN selection TEXT;
ALTER TABLE fits ADD COLUMN validation_selection TEXT;

CREATE TABLE stretches (
    cell_id                TEXT NOT NULL,
    label                  TEXT NOT NULL,
    stretch                INTEGER NOT NULL,  -- 1, 2, ... in the order of the record
    name                   TEXT NOT NULL,     -- such as cycle 2, step 9 (discharge)
    status                 TEXT NOT NULL CHECK (status IN ('done', 'failed')),
    first_cycle_count      INTEGER NOT NULL,
    last_cycle_count       INTEGER NOT NULL,
    first_step_count       INTEGER NOT NULL,
    last_step_count        INTEGER NOT NULL,
    first_test_time_second REAL,
    last_test_time_second  REAL,
    samples                INTEGER NOT NULL,  -- with a measured voltage; 0: it failed
    rmse_mv                REAL,
    bias_mv                REAL,
    worst_mv               REAL,  -- the error of the largest magnitude, with its sign
    worst_time_second      REAL,
    initial_soc            REAL,  -- 0 to 1; NULL: it was solved from an earlier sample on
    initial_voltage_volt   REAL,
    initial_state_source   TEXT NOT NULL,
    reason                 TEXT NOT NULL,     -- why it failed; '': it did not
    reason_code            TEXT NOT NULL,
    PRIMARY KEY (cell_id, label, stretch),
    FOREIGN KEY (cell_id, label) REFERENCES simulations (cell_id, label) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
