-- The ledger (schemas/ledger.md): double entry, append-only. Amounts are minor units of their account's currency; an account that owes its
-- holder money or principal is positive, one that is owed it negative, so that all of a currency add up to zero.

-- The kinds of accounts (agents/ledger/accounts.py) and the limits of their balances; null: none.
CREATE TABLE account_kinds (
    kind    text COLLATE "C" PRIMARY KEY,
    lowest  bigint,
    highest bigint
);
INSERT INTO account_kinds (kind, lowest, highest) VALUES
    ('bank', NULL, 0), ('wallet', 0, NULL), ('hold', 0, NULL), ('settlement', 0, NULL), ('fees', 0, NULL),
    ('transit', NULL, 0), ('pending', 0, NULL), ('retained', 0, NULL),
    ('principal', NULL, 0), ('unsold', 0, NULL), ('claim', 0, NULL);

CREATE TABLE accounts (
    account    bigint PRIMARY KEY CHECK (account > 0), -- 1, 2, 3 … in the order of opening
    name       text COLLATE "C" NOT NULL UNIQUE,
    kind       text COLLATE "C" NOT NULL REFERENCES account_kinds,
    currency   text COLLATE "C" NOT NULL,
    investor   text COLLATE "C",
    originator text COLLATE "C",
    asset      text COLLATE "C",
    opened     date NOT NULL,                          -- of an asset's accounts: the day of its issue
    hash       bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX accounts_of_investor ON accounts (investor, account) WHERE investor IS NOT NULL;
CREATE INDEX accounts_of_asset ON accounts (originator, asset, account) WHERE asset IS NOT NULL;
CREATE INDEX accounts_of_originator ON accounts (originator, kind, account) WHERE originator IS NOT NULL AND asset IS NULL;

-- What each account has: the sum of its legs. `low` and `high` are the extremes after each single transfer of its last posting, so a limit
-- is kept at every moment, however many transfers are posted together.
CREATE TABLE balances (
    account bigint PRIMARY KEY,
    balance bigint NOT NULL DEFAULT 0,
    low     bigint NOT NULL DEFAULT 0,
    high    bigint NOT NULL DEFAULT 0,
    lowest  bigint,
    highest bigint,
    CONSTRAINT not_below_its_limit CHECK (low >= lowest AND balance >= lowest),
    CONSTRAINT not_above_its_limit CHECK (high <= highest AND balance <= highest)
) WITH (fillfactor = 50);

CREATE TABLE transfers (
    number    bigint PRIMARY KEY CHECK (number > 0), -- 1, 2, 3 … in the order of booking
    id        text COLLATE "C" NOT NULL UNIQUE,
    kind      text COLLATE "C" NOT NULL,
    currency  text COLLATE "C" NOT NULL,
    effective date NOT NULL,                         -- when it counts
    booked    timestamptz NOT NULL,                  -- when it was known: the time of its cause
    source    text COLLATE "C" NOT NULL,             -- topic-partition-offset of its cause
    batch     text COLLATE "C" NOT NULL,             -- of the document behind it
    position  bigint NOT NULL,                       -- of the document in its batch, in bytes
    reverses  text COLLATE "C",                      -- the id of the transfer that it takes back
    hash      bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE UNIQUE INDEX transfers_reversed_once ON transfers (reverses) WHERE reverses IS NOT NULL;
CREATE INDEX transfers_by_effective ON transfers USING brin (effective) WITH (autosummarize = on);

CREATE TABLE legs (
    transfer bigint NOT NULL,
    account  bigint NOT NULL,
    amount   bigint NOT NULL CHECK (amount <> 0)
);
CREATE INDEX legs_of_account ON legs (account, transfer);
-- They lie in the order of their transfers, so a summary of each range of pages finds them, at no cost for each row.
CREATE INDEX legs_of_transfer ON legs USING brin (transfer) WITH (pages_per_range = 16, autosummarize = on);

-- What is carried from one distribution of interest or late fees to the next, in millionths of a minor unit, by claim; the newest row counts.
CREATE TABLE carried (
    originator text COLLATE "C" NOT NULL,
    asset      text COLLATE "C" NOT NULL,
    component  text COLLATE "C" NOT NULL,
    transfer   bigint NOT NULL,
    holders    bigint[] NOT NULL, -- accounts
    micro      bigint[] NOT NULL,
    PRIMARY KEY (originator, asset, component, transfer)
);

CREATE FUNCTION legs_add_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT transfer, sum(amount) AS total INTO wrong FROM added GROUP BY transfer HAVING sum(amount) <> 0 OR count(*) < 2 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transfer % refused: its legs add up to %, or there is only one', wrong.transfer, wrong.total USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER adds_up AFTER INSERT ON legs REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION legs_add_up();

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON account_kinds FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON accounts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON legs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON carried FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE DELETE OR TRUNCATE ON balances FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The rights go from the owner, too, who is who applies the migrations; a superuser, as of the embedded PostgreSQL, has every right, and
-- only the triggers hold.
REVOKE UPDATE, DELETE, TRUNCATE ON accounts, transfers, legs, carried FROM PUBLIC, CURRENT_USER;
REVOKE DELETE, TRUNCATE ON balances, account_kinds FROM PUBLIC, CURRENT_USER; -- a reference to a row wants the right to update it
