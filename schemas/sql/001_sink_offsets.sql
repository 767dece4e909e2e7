-- Where each PostgreSQL sink stands in each source partition: written in the transaction of the rows, so it says exactly which input they
-- include. `epoch` counts the openings; a writer of an earlier epoch is refused (streams/store.py).
CREATE TABLE sink_offsets (
    sink        text COLLATE "C" NOT NULL,
    topic       text COLLATE "C" NOT NULL,
    partition   integer NOT NULL CHECK (partition >= 0),
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    epoch       bigint NOT NULL CHECK (epoch > 0),
    PRIMARY KEY (sink, topic, partition)
);
