-- From version 2 to version 3: parameter sets that come out of files. Never edited; schema.sql is the current whole.

ALTER TABLE parameter_sets ADD COLUMN file_digest TEXT;
