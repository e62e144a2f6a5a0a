CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    pipeline TEXT NOT NULL,
    pipeline_digest TEXT NOT NULL,
    purpose TEXT NOT NULL,
    started TEXT NOT NULL,
    finished TEXT,
    outcome TEXT NOT NULL
) STRICT;

CREATE TABLE snapshots (
    manifest TEXT PRIMARY KEY,
    dataset TEXT NOT NULL,
    version INTEGER NOT NULL,
    run TEXT NOT NULL,
    created TEXT NOT NULL,
    row_count INTEGER NOT NULL,
    subject_count INTEGER NOT NULL,
    classification TEXT NOT NULL,
    owner TEXT NOT NULL,
    purpose TEXT NOT NULL,
    UNIQUE (dataset, version)
) STRICT;

-- One edge for each column that flows into a column; "*" stands for the whole dataset.
CREATE TABLE lineage (
    manifest TEXT NOT NULL REFERENCES snapshots (manifest) ON DELETE CASCADE,
    from_dataset TEXT NOT NULL,
    from_column TEXT NOT NULL,
    to_column TEXT NOT NULL,
    transformation TEXT NOT NULL,
    PRIMARY KEY (manifest, from_dataset, from_column, to_column)
) STRICT;

CREATE TABLE gates (
    run TEXT NOT NULL,
    gate TEXT NOT NULL,
    passed INTEGER NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (run, gate)
) STRICT;

CREATE INDEX lineage_from ON lineage (from_dataset, from_column);
