-- Every investment, by its record on the published topic. Within a partition rows appear in the order of record_offset, none skipped, so
-- (partition, record_offset) pages them without a gap and without a repetition while more arrive.
CREATE TABLE investments (
    investment    text COLLATE "C" PRIMARY KEY,
    sell_offer    text COLLATE "C" NOT NULL,
    buy_offer     text COLLATE "C" NOT NULL,
    originator    text COLLATE "C" NOT NULL,
    asset         text COLLATE "C" NOT NULL,
    version       integer NOT NULL,
    investor      text COLLATE "C" NOT NULL,
    portfolio     text COLLATE "C" NOT NULL,
    bucket        text COLLATE "C" NOT NULL,
    currency      text COLLATE "C" NOT NULL,
    amount_cents  bigint NOT NULL,
    price_bp      bigint NOT NULL,
    rate_ppm      bigint NOT NULL,
    risk_group    text COLLATE "C" NOT NULL,
    partition     integer NOT NULL,
    record_offset bigint NOT NULL,
    made_at       timestamptz NOT NULL, -- time of the record
    UNIQUE (partition, record_offset)
);
CREATE INDEX investments_of_investor ON investments (investor, partition, record_offset);
CREATE INDEX investments_of_originator ON investments (originator, partition, record_offset);

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON investments FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
