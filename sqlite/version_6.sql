ALTER TABLE fits ADD COLUMN starts_unconverged INTEGER;
ALTER TABLE fits ADD COLUMN agreeing_starts TEXT;
ALTER TABLE fits ADD COLUMN data_cost REAL;
ALTER TABLE fit_starts ADD COLUMN converged INTEGER;
ALTER TABLE fit_starts ADD COLUMN data_cost REAL;
ALTER TABLE fit_starts ADD COLUMN prior_squares REAL;
ALTER TABLE simulations ADD COLUMN fitted_rmse_mv REAL;
ALTER TABLE simulations ADD COLUMN fit_difference TEXT;
