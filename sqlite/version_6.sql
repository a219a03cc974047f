-- Stretches: how well the state at the start of each is known.
ALTER TABLE stretches ADD COLUMN state_uncertainty_mv REAL;
ALTER TABLE stretches ADD COLUMN state_uncertainty_soc REAL;
