-- Every document in quarantine, by its record on assets.rejected.
CREATE TABLE rejections (
    topic         text COLLATE "C" NOT NULL,
    partition     integer NOT NULL,
    record_offset bigint NOT NULL,
    originator    text COLLATE "C" NOT NULL,
    batch         text COLLATE "C" NOT NULL,
    asset         text COLLATE "C" NOT NULL,
    position      bigint NOT NULL,
    field         text COLLATE "C" NOT NULL,
    reason        text COLLATE "C" NOT NULL,
    source        text COLLATE "C" NOT NULL,
    document      bytea NOT NULL,
    rejected_at   timestamptz NOT NULL, -- time of the record
    PRIMARY KEY (topic, partition, record_offset)
);
CREATE INDEX rejections_of_batch ON rejections (batch, rejected_at DESC);
CREATE INDEX rejections_recent ON rejections (rejected_at DESC);
