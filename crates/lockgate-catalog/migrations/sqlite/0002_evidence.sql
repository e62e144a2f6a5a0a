-- What a gate saw, as JSON: counts, shares and shapes, and names of categories that many rows share.
ALTER TABLE gates ADD COLUMN evidence TEXT NOT NULL DEFAULT 'null';
