-- Documents, and the entries of their indexes. Kinds, ids and keys are bytes, so that any text fits and the order of
-- bytes is that of code points; long ones end in a digest (storage/postgres/keys.py).

-- One row. Every write updates it first, and so waits for the one before: this is the lock of the one writer.
CREATE TABLE tinyscim.store (
    only_row boolean PRIMARY KEY CHECK (only_row),
    version bigint NOT NULL,  -- rises with every write
    indexes text NOT NULL     -- a digest of the indexes that every write maintains
);
INSERT INTO tinyscim.store VALUES (true, 1, '');

CREATE TABLE tinyscim.kinds (
    kind bytea PRIMARY KEY,
    last bigint NOT NULL,     -- the highest position so far
    count bigint NOT NULL
);

CREATE TABLE tinyscim.documents (
    kind bytea NOT NULL,
    position bigint NOT NULL,
    id bytea NOT NULL,
    version bigint NOT NULL,  -- of the store, when the document was last written
    document text NOT NULL,   -- not jsonb, which refuses \u0000 and changes numbers and the order of members
    PRIMARY KEY (kind, position),
    UNIQUE (kind, id)
);

-- How many positions of each block of 1,024 are no longer used: so a page far behind is found without counting the
-- documents before it.
CREATE TABLE tinyscim.removed (
    kind bytea NOT NULL,
    block bigint NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (kind, block)
);

CREATE TABLE tinyscim.indexes (
    number bigint PRIMARY KEY,
    kind bytea NOT NULL,
    name bytea NOT NULL,
    definition text NOT NULL,
    is_ready boolean NOT NULL -- otherwise it is being built or removed
);

CREATE TABLE tinyscim.entries (
    number bigint NOT NULL,   -- of the index
    key bytea NOT NULL,
    position bigint NOT NULL,
    is_unique boolean NOT NULL,
    PRIMARY KEY (number, key, position)
);
CREATE UNIQUE INDEX entries_unique ON tinyscim.entries (number, key) WHERE is_unique;

CREATE TABLE tinyscim.states (
    name bytea PRIMARY KEY,
    value text NOT NULL
);
