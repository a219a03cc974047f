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

DROP VIEW results;
CREATE VIEW results AS
SELECT c.cell_id, r.rows_kept AS rows, r.cycles_after AS cycles,
    CASE WHEN r.cell_id IS NOT NULL THEN (SELECT count(*) FROM findings f WHERE f.cell_id = c.cell_id) END AS findings,
    s.model, s.parameter_set, s.rmse_mv, s.bias_mv, s.worst_mv, s.worst_time_second,
    coalesce(s.status, j.status, 'pending') AS status,
    coalesce(s.reason, j.reason, '') AS reason,
    s.seconds, s.label, s.path, coalesce(s.charge_source, r.charge_source) AS charge_source, s.charge_error,
    coalesce(s.charge_uncertainty_ah, u.charge_uncertainty_ah) AS charge_uncertainty_ah,
    coalesce(100 * s.charge_uncertainty_ah / nullif(s.charge_throughput_ah, 0), u.charge_uncertainty_percent)
        AS charge_uncertainty_percent,
    c.capacity_source, c.parameter_set_source, s.initial_state_source, s.state_uncertainty_mv, s.state_uncertainty_soc,
    s.temperature_source, s.selection
FROM cells c
LEFT JOIN clean_reports r ON r.cell_id = c.cell_id
LEFT JOIN jobs j ON j.kind = 'clean' AND j.cell_id = c.cell_id
    AND j.label = (SELECT k.label FROM jobs k WHERE k.kind = 'clean' AND k.cell_id = c.cell_id
                   ORDER BY k.started_unix_second DESC, k.label LIMIT 1)
LEFT JOIN charge_uncertainty u ON u.cell_id = c.cell_id
LEFT JOIN simulations s ON s.cell_id = c.cell_id
LEFT JOIN models m ON m.model_digest = s.model_digest
ORDER BY c.cell_id, s.parameter_set, m.rowid, s.label;

DROP VIEW errors_by_cycle;
CREATE VIEW errors_by_cycle AS
SELECT s.cell_id, s.model, s.parameter_set, k.cycle_count, k.samples, k.rmse_mv, k.rmse_time_weighted_mv,
    k.bias_mv, k.worst_mv, k.worst_time_second,
    100 * (k.energy_in_model_wh / nullif(k.energy_in_measured_wh, 0) - 1) AS energy_in_error_percent,
    100 * (k.energy_out_model_wh / nullif(k.energy_out_measured_wh, 0) - 1) AS energy_out_error_percent,
    k.capacity_error_ah, k.capacity_voltage_volt, 100 * k.charge_error AS charge_error_percent, s.label,
    CASE k.cycle_count WHEN 0 THEN 100 * s.charge_uncertainty_ah / nullif(s.charge_throughput_ah, 0)
        ELSE 100 * (y.charge_in_high_ah - y.charge_in_low_ah + y.charge_out_high_ah - y.charge_out_low_ah) / 2
            / nullif(y.charge_in_ah + y.charge_out_ah, 0) END AS charge_uncertainty_percent,
    s.status
FROM simulations s
JOIN comparisons k ON k.cell_id = s.cell_id AND k.label = s.label
LEFT JOIN cycles y ON y.cell_id = k.cell_id AND y.cycle_count = k.cycle_count
WHERE s.status = 'done' OR (s.status = 'failed' AND k.cycle_count > 0)
ORDER BY s.cell_id, s.label, k.cycle_count;

CREATE VIEW errors_by_stretch AS
SELECT s.cell_id, s.model, s.parameter_set, s.selection, t.stretch, t.name, t.samples, t.rmse_mv, t.bias_mv, t.worst_mv,
    t.worst_time_second, t.first_test_time_second, t.last_test_time_second, t.first_cycle_count, t.last_cycle_count,
    t.first_step_count, t.last_step_count, t.initial_soc, t.initial_voltage_volt, t.initial_state_source, t.status,
    t.reason, t.reason_code, s.label
FROM simulations s
JOIN stretches t ON t.cell_id = s.cell_id AND t.label = s.label
ORDER BY s.cell_id, s.label, t.stretch;
