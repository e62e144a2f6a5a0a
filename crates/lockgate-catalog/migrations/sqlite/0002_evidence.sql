-- What a gate saw, as JSON: counts and shares, never a value of a row.
ALTER TABLE gates ADD COLUMN evidence TEXT NOT NULL DEFAULT 'null';
