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

CREATE VIEW rules_by_cell AS
SELECT f.cell_id, f.rule,
    CASE max(CASE f.severity WHEN 'error' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END)
        WHEN 2 THEN 'error' WHEN 1 THEN 'warning' ELSE 'info' END AS severity,
    count(*) AS findings,
    (SELECT n.samples FROM flag_counts n WHERE n.cell_id = f.cell_id AND n.rule = f.rule) AS samples_flagged,
    (SELECT coalesce(sum(q.rows), 0) FROM quarantine_counts q WHERE q.cell_id = f.cell_id AND q.rule = f.rule)
        AS rows_quarantined,
    group_concat(DISTINCT f.action) AS actions
FROM findings f
GROUP BY f.cell_id, f.rule;

CREATE VIEW quarantined_rows AS
SELECT q.cell_id, s.path, q.rule, q.rows, q.source_index
FROM quarantine_counts q
LEFT JOIN record_sources s ON s.cell_id = q.cell_id AND s.source_index = q.source_index
ORDER BY q.cell_id, q.source_index, q.rule;

CREATE VIEW charge_by_rule AS
SELECT h.cell_id, h.rule, h.charge_in_ah, h.charge_out_ah,
    100 * h.charge_in_ah / nullif(r.charge_in_before_ah, 0) AS charge_in_percent,
    100 * h.charge_out_ah / nullif(r.charge_out_before_ah, 0) AS charge_out_percent
FROM charge_changes h
JOIN clean_reports r ON r.cell_id = h.cell_id
ORDER BY h.cell_id, h.position;
