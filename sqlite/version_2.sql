-- From version 1 to version 2: energy before and after cleaning, quarantined rows and flagged samples by rule, change of
-- charge by rule, and the files of each record. Cells that were cleaned before have none of it (NULL, no rows) until the
-- next `kilocell run` cleans them again. Do not change these statements; schema.sql is the current schema.

ALTER TABLE clean_reports ADD COLUMN energy_in_before_wh REAL;
ALTER TABLE clean_reports ADD COLUMN energy_in_after_wh REAL;
ALTER TABLE clean_reports ADD COLUMN energy_out_before_wh REAL;
ALTER TABLE clean_reports ADD COLUMN energy_out_after_wh REAL;

CREATE TABLE record_sources (
    cell_id      TEXT NOT NULL REFERENCES clean_reports (cell_id) ON DELETE CASCADE,
    source_index INTEGER NOT NULL,
    path         TEXT NOT NULL,  -- when it was cleaned
    digest       TEXT NOT NULL,  -- SHA-256 of the file, hex
    PRIMARY KEY (cell_id, source_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine_counts (
    cell_id      TEXT NOT NULL REFERENCES clean_reports (cell_id) ON DELETE CASCADE,
    rule         TEXT NOT NULL,
    source_index INTEGER NOT NULL,  -- which of record_sources
    rows         INTEGER NOT NULL,
    PRIMARY KEY (cell_id, rule, source_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE flag_counts (
    cell_id TEXT NOT NULL REFERENCES clean_reports (cell_id) ON DELETE CASCADE,
    rule    TEXT NOT NULL,
    samples INTEGER NOT NULL,
    PRIMARY KEY (cell_id, rule)
) STRICT, WITHOUT ROWID;

CREATE TABLE charge_changes (
    cell_id       TEXT NOT NULL REFERENCES clean_reports (cell_id) ON DELETE CASCADE,
    position      INTEGER NOT NULL,  -- order in which the rules were applied
    rule          TEXT NOT NULL,
    charge_in_ah  REAL NOT NULL,     -- after the rule less before it
    charge_out_ah REAL NOT NULL,
    PRIMARY KEY (cell_id, position)
) STRICT, WITHOUT ROWID;
