-- From version 5 to version 6: the error budget of simulations and fits, and its parts; states of stretches. Older results have none of it
-- (NULL) until the next `kilocell run` does them again. Do not change these statements; schema.sql is the current schema.

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
-- Stretches: how well the state at the start of each is known.
ALTER TABLE stretches ADD COLUMN state_uncertainty_mv REAL;
ALTER TABLE stretches ADD COLUMN state_uncertainty_soc REAL;
