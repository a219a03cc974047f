-- From version 3 to version 4: source, bounds and counters of the charge, by cell and by cycle; samples that cleaning
-- inserted; the uncertainty of the charge beside the charge check of simulations and fits; where a nominal capacity
-- comes from; the numerical error of simulations. Older results have none of it (NULL) until the next `kilocell run` cleans the cell again. Do not change
-- these statements; schema.sql is the current schema.

ALTER TABLE cells ADD COLUMN capacity_source TEXT;
ALTER TABLE cells ADD COLUMN parameter_set_source TEXT;

ALTER TABLE clean_reports ADD COLUMN rows_inserted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clean_reports ADD COLUMN charge_source TEXT;
ALTER TABLE clean_reports ADD COLUMN charge_in_low_ah REAL;
ALTER TABLE clean_reports ADD COLUMN charge_in_high_ah REAL;
ALTER TABLE clean_reports ADD COLUMN charge_out_low_ah REAL;
ALTER TABLE clean_reports ADD COLUMN charge_out_high_ah REAL;
ALTER TABLE clean_reports ADD COLUMN charge_in_counted_ah REAL;
ALTER TABLE clean_reports ADD COLUMN charge_out_counted_ah REAL;

ALTER TABLE cycles ADD COLUMN charge_source TEXT;
ALTER TABLE cycles ADD COLUMN charge_in_low_ah REAL;
ALTER TABLE cycles ADD COLUMN charge_in_high_ah REAL;
ALTER TABLE cycles ADD COLUMN charge_out_low_ah REAL;
ALTER TABLE cycles ADD COLUMN charge_out_high_ah REAL;
ALTER TABLE cycles ADD COLUMN charge_in_counted_ah REAL;
ALTER TABLE cycles ADD COLUMN charge_out_counted_ah REAL;

ALTER TABLE simulations ADD COLUMN charge_source TEXT;
ALTER TABLE simulations ADD COLUMN charge_throughput_ah REAL;
ALTER TABLE simulations ADD COLUMN charge_uncertainty_ah REAL;
ALTER TABLE simulations ADD COLUMN numerical_error_rmse_mv REAL;
ALTER TABLE simulations ADD COLUMN numerical_error_worst_mv REAL;
ALTER TABLE simulations ADD COLUMN temperature_rmse_kelvin REAL;

ALTER TABLE fits ADD COLUMN charge_throughput_ah REAL;
ALTER TABLE fits ADD COLUMN charge_uncertainty_ah REAL;

ALTER TABLE simulations ADD COLUMN state_uncertainty_mv REAL;
ALTER TABLE simulations ADD COLUMN state_uncertainty_soc REAL;
ALTER TABLE initial_states ADD COLUMN uncertainty_mv REAL;
ALTER TABLE initial_states ADD COLUMN uncertainty_soc REAL;
ALTER TABLE fits ADD COLUMN initial_state_source TEXT;
ALTER TABLE fits ADD COLUMN state_uncertainty_mv REAL;
ALTER TABLE fits ADD COLUMN state_uncertainty_soc REAL;

CREATE VIEW charge_uncertainty AS
SELECT cell_id, charge_source, charge_in_after_ah AS charge_in_ah, charge_in_low_ah, charge_in_high_ah,
    charge_in_counted_ah, charge_out_after_ah AS charge_out_ah, charge_out_low_ah, charge_out_high_ah,
    charge_out_counted_ah,
    (charge_in_high_ah - charge_in_low_ah + charge_out_high_ah - charge_out_low_ah) / 2 AS charge_uncertainty_ah,
    100 * (charge_in_high_ah - charge_in_low_ah + charge_out_high_ah - charge_out_low_ah) / 2
        / nullif(charge_in_after_ah + charge_out_after_ah, 0) AS charge_uncertainty_percent
FROM clean_reports
ORDER BY cell_id;

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
    s.temperature_source
FROM cells c
LEFT JOIN clean_reports r ON r.cell_id = c.cell_id
LEFT JOIN jobs j ON j.kind = 'clean' AND j.cell_id = c.cell_id
    AND j.label = (SELECT k.label FROM jobs k WHERE k.kind = 'clean' AND k.cell_id = c.cell_id
                   ORDER BY k.started_unix_second DESC, k.label LIMIT 1)
LEFT JOIN charge_uncertainty u ON u.cell_id = c.cell_id
LEFT JOIN simulations s ON s.cell_id = c.cell_id
LEFT JOIN models m ON m.model_digest = s.model_digest
ORDER BY c.cell_id, s.parameter_set, m.rowid, s.label;

DROP VIEW cell_overview;
CREATE VIEW cell_overview AS
SELECT c.cell_id, c.nominal_capacity_ah, c.temperature_celsius,
    (SELECT count(*) FROM source_cells x WHERE x.cell_id = c.cell_id) AS sources,
    r.rows_in, r.rows_kept, r.rows_quarantined, r.cycles_after AS cycles, r.time_span_after_second AS time_span_second,
    r.charge_in_after_ah AS charge_in_ah, r.charge_out_after_ah AS charge_out_ah, r.temperature_mean_celsius,
    CASE WHEN r.cell_id IS NOT NULL THEN (SELECT count(*) FROM findings f WHERE f.cell_id = c.cell_id) END AS findings,
    coalesce((SELECT k.status FROM jobs k WHERE k.kind = 'clean' AND k.cell_id = c.cell_id
              ORDER BY k.started_unix_second DESC, k.label LIMIT 1), 'pending') AS status,
    (SELECT count(*) FROM simulations s WHERE s.cell_id = c.cell_id AND s.status = 'done') AS simulations_done,
    (SELECT count(*) FROM simulations s WHERE s.cell_id = c.cell_id AND s.status = 'failed') AS simulations_failed,
    b.label AS best_simulation, b.rmse_mv AS best_rmse_mv, r.path, r.rows_inserted, r.charge_source,
    r.charge_in_low_ah, r.charge_in_high_ah, r.charge_out_low_ah, r.charge_out_high_ah, r.charge_in_counted_ah,
    r.charge_out_counted_ah, u.charge_uncertainty_ah, u.charge_uncertainty_percent,
    c.capacity_source, c.parameter_set_source
FROM cells c
LEFT JOIN clean_reports r ON r.cell_id = c.cell_id
LEFT JOIN charge_uncertainty u ON u.cell_id = c.cell_id
LEFT JOIN simulations b ON b.cell_id = c.cell_id
    AND b.label = (SELECT s.label FROM simulations s WHERE s.cell_id = c.cell_id AND s.rmse_mv IS NOT NULL
                   ORDER BY s.rmse_mv, s.label LIMIT 1)
ORDER BY c.cell_id;

DROP VIEW errors_by_cycle;
CREATE VIEW errors_by_cycle AS
SELECT s.cell_id, s.model, s.parameter_set, k.cycle_count, k.samples, k.rmse_mv, k.rmse_time_weighted_mv,
    k.bias_mv, k.worst_mv, k.worst_time_second,
    100 * (k.energy_in_model_wh / nullif(k.energy_in_measured_wh, 0) - 1) AS energy_in_error_percent,
    100 * (k.energy_out_model_wh / nullif(k.energy_out_measured_wh, 0) - 1) AS energy_out_error_percent,
    k.capacity_error_ah, k.capacity_voltage_volt, 100 * k.charge_error AS charge_error_percent, s.label,
    CASE k.cycle_count WHEN 0 THEN 100 * s.charge_uncertainty_ah / nullif(s.charge_throughput_ah, 0)
        ELSE 100 * (y.charge_in_high_ah - y.charge_in_low_ah + y.charge_out_high_ah - y.charge_out_low_ah) / 2
            / nullif(y.charge_in_ah + y.charge_out_ah, 0) END AS charge_uncertainty_percent
FROM simulations s
JOIN comparisons k ON k.cell_id = s.cell_id AND k.label = s.label
LEFT JOIN cycles y ON y.cell_id = k.cell_id AND y.cycle_count = k.cycle_count
WHERE s.status = 'done'
ORDER BY s.cell_id, s.label, k.cycle_count;
