-- What originators are told, on its way to them (streams/notices/). A notice is one event of a published topic; the sinks of the notifier
-- write it exactly once, and only for an originator that has a delivery configured.
CREATE TABLE notices (
    originator    text COLLATE "C" NOT NULL,
    number        bigint GENERATED ALWAYS AS IDENTITY,
    topic         text COLLATE "C" NOT NULL,
    partition     integer NOT NULL,
    record_offset bigint NOT NULL,
    spooled       timestamptz NOT NULL DEFAULT now(),
    event         text NOT NULL, -- its line in the file: JSON
    PRIMARY KEY (originator, number),
    UNIQUE (topic, partition, record_offset)
);

-- The files they are delivered in. Cutting one moves its notices here, in one transaction: from then on its number and every byte of it are
-- as they are, whatever happens. `body` goes when it was delivered; the row stays, so that no number is given twice.
CREATE TABLE notice_files (
    originator   text COLLATE "C" NOT NULL,
    number       bigint NOT NULL CHECK (number > 0),
    notices      integer NOT NULL CHECK (notices > 0),
    since        timestamptz NOT NULL,               -- when the oldest of them came
    body         bytea,
    attempts     integer NOT NULL DEFAULT 0,
    next_attempt timestamptz NOT NULL DEFAULT now(), -- while an attempt is under way: when it is given up for lost
    delivered    timestamptz,
    PRIMARY KEY (originator, number),
    CHECK ((body IS NULL) = (delivered IS NOT NULL))
);
-- One at a time, so that files are delivered in the order of their numbers.
CREATE UNIQUE INDEX notice_files_on_their_way ON notice_files (originator) WHERE delivered IS NULL;
