-- Tables and views that an exported file has in addition to the catalog's tables: the time series, and views of them.
-- Conventions as in schema.sql: positive current charges the cell; units are at the end of names; NULL is "not known".

-- Cleaned samples of each cell; sample is its number in time order, from 0.
CREATE TABLE samples (
    cell_id                     TEXT NOT NULL REFERENCES cells (cell_id),
    sample                      INTEGER NOT NULL,
    test_time_second            REAL NOT NULL,
    unix_time_second            REAL,
    voltage_volt                REAL,
    current_ampere              REAL,
    cycle_count                 INTEGER NOT NULL,
    step_count                  INTEGER NOT NULL,
    step_type                   TEXT,
    cycle_id                    REAL,     -- the raw file's cycle number
    step_id                     REAL,     -- the raw file's step number
    ambient_temperature_celsius REAL,
    surface_temperature_celsius REAL,
    charging_capacity_ah        REAL,     -- the cycler's counter
    discharging_capacity_ah     REAL,     -- the cycler's counter
    flags                       INTEGER NOT NULL,  -- bits of the cleaning rules that flagged the sample
    source_index                INTEGER NOT NULL,
    source_row                  INTEGER NOT NULL,  -- -1: inserted at a step's edge; its voltage_volt is not measured
    PRIMARY KEY (cell_id, sample)
) STRICT, WITHOUT ROWID;
CREATE INDEX samples_by_cycle ON samples (cell_id, cycle_count);

-- Samples of each finished simulation, at the same times as the cleaned samples.
CREATE TABLE simulation_samples (
    cell_id                  TEXT NOT NULL,
    label                    TEXT NOT NULL,
    sample                   INTEGER NOT NULL,
    test_time_second         REAL NOT NULL,
    simulated_voltage_volt   REAL,
    simulated_current_ampere REAL,
    voltage_error_volt       REAL,  -- simulated - measured; NULL where no voltage was measured
    cycle_count              INTEGER NOT NULL,
    step_count               INTEGER NOT NULL,
    step_type                TEXT,
    window                   TEXT,  -- after the step's start: ohmic (to 2 s), kinetic (20 s), diffusion (120 s), capacity
    PRIMARY KEY (cell_id, label, sample),
    FOREIGN KEY (cell_id, label) REFERENCES simulations (cell_id, label)
) STRICT, WITHOUT ROWID;
-- What else a simulation stores (`outputs` of its model), a row for each sample and column of its Parquet file.
CREATE TABLE simulation_outputs (
    cell_id TEXT NOT NULL,
    label   TEXT NOT NULL,
    sample  INTEGER NOT NULL,
    output  TEXT NOT NULL,  -- with its unit, such as cell_temperature_celsius
    value   REAL,
    PRIMARY KEY (cell_id, label, output, sample),
    FOREIGN KEY (cell_id, label) REFERENCES simulations (cell_id, label)
) STRICT, WITHOUT ROWID;

CREATE INDEX simulation_samples_by_cycle ON simulation_samples (cell_id, label, cycle_count);

-- All cycles of a cell on a common time axis: each sample with the time since its cycle's start. Inserted step edges
-- have the cell's current and no voltage.
CREATE VIEW cell_cycles AS
SELECT s.cell_id, s.cycle_count, s.step_count, s.step_type,
    s.test_time_second - y.first_test_time_second AS cycle_time_second,
    s.test_time_second, CASE WHEN s.source_row >= 0 THEN s.voltage_volt END AS voltage_volt, s.current_ampere,
    s.surface_temperature_celsius, s.ambient_temperature_celsius
FROM samples s
LEFT JOIN cycles y ON y.cell_id = s.cell_id AND y.cycle_count = s.cycle_count
ORDER BY s.cell_id, s.sample;

-- Simulation against experiment: select a cell, a cycle and, if there are several, a model and a parameter set.
CREATE VIEW simulation_against_experiment AS
SELECT s.cell_id, s.cycle_count, u.model, u.parameter_set, s.test_time_second, s.current_ampere,
    CASE WHEN s.source_row >= 0 THEN s.voltage_volt END AS measured_voltage_volt, p.simulated_voltage_volt,
    1000 * p.voltage_error_volt AS voltage_error_mv
FROM current_simulations u
JOIN samples s ON s.cell_id = u.cell_id
JOIN simulation_samples p ON p.cell_id = u.cell_id AND p.label = u.label AND p.sample = s.sample
ORDER BY u.cell_id, u.label, s.sample;

-- Simulations with default parameters: parameter sets without overrides.
CREATE VIEW default_parameter_curves AS
SELECT u.model, u.parameter_set, p.cell_id, p.cycle_count, p.test_time_second,
    p.simulated_voltage_volt, p.simulated_current_ampere, 1000 * p.voltage_error_volt AS voltage_error_mv
FROM current_simulations u
JOIN simulation_samples p ON p.cell_id = u.cell_id AND p.label = u.label
WHERE NOT EXISTS (SELECT 1 FROM parameter_overrides o WHERE o.parameter_set_digest = u.parameter_set_digest)
ORDER BY u.model, p.cell_id, u.parameter_set, p.sample;
