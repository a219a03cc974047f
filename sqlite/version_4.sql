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
