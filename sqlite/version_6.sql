-- From version 5 to version 6: the error budget of simulations and fits, and its parts. Older results have none of it
-- (NULL) until the next `kilocell run` does them again. And the plan of the last run, with the standing of results: all
-- count until the next run, except those that were marked for it. Do not change these statements; schema.sql is the current schema.

ALTER TABLE simulations ADD COLUMN charge_uncertainty_mv REAL;
ALTER TABLE simulations ADD COLUMN error_budget_mv REAL;
ALTER TABLE simulations ADD COLUMN error_budget_main TEXT;
ALTER TABLE simulations ADD COLUMN error_budget_unknown TEXT;
ALTER TABLE simulations ADD COLUMN error_budget_too_large INTEGER CHECK (error_budget_too_large IN (0, 1));

ALTER TABLE fits ADD COLUMN numerical_error_rmse_mv REAL;
ALTER TABLE fits ADD COLUMN compression_rmse_mv REAL;
ALTER TABLE fits ADD COLUMN charge_uncertainty_mv REAL;
ALTER TABLE fits ADD COLUMN error_budget_mv REAL;
ALTER TABLE fits ADD COLUMN error_budget_main TEXT;
ALTER TABLE fits ADD COLUMN error_budget_unknown TEXT;
ALTER TABLE fits ADD COLUMN error_budget_too_large INTEGER CHECK (error_budget_too_large IN (0, 1));

CREATE TABLE plan (
    kind    TEXT NOT NULL CHECK (kind IN ('split', 'clean', 'simulate', 'start', 'fit', 'profile')),
    cell_id TEXT NOT NULL,
    label   TEXT NOT NULL,
    digest  TEXT NOT NULL,
    reason  TEXT NOT NULL,
    PRIMARY KEY (kind, cell_id, label)
) STRICT, WITHOUT ROWID;

CREATE INDEX findings_by_cycle ON findings (cell_id, cycle_count);

ALTER TABLE cells ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE sources ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE jobs ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE clean_reports ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE simulations ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE fits ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE fit_starts ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE fit_intervals ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';

UPDATE jobs SET standing = 'out of date: settings or input changed' WHERE status = 'pending';
UPDATE simulations SET standing = 'out of date: settings or input changed' WHERE status = 'pending';
UPDATE fits SET standing = 'out of date: settings or input changed' WHERE status = 'pending';
UPDATE fit_starts SET standing = 'out of date: settings or input changed' WHERE status = 'pending';
UPDATE fit_intervals SET standing = 'out of date: settings or input changed' WHERE status = 'pending';
UPDATE clean_reports SET standing = 'out of date: settings or input changed'
WHERE EXISTS (SELECT 1 FROM jobs j WHERE j.kind = 'clean' AND j.cell_id = clean_reports.cell_id AND j.status = 'pending');
