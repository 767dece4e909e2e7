-- Every version of every asset, with its assessment (schemas/columns.py, ASSESSED): append-only.
-- Money is cents of `currency`, rates are parts per million a year; the units stand last in the names.
CREATE TABLE asset_versions (
    originator              text COLLATE "C" NOT NULL,
    asset                   text COLLATE "C" NOT NULL,
    version                 integer NOT NULL CHECK (version > 0),
    change                  text COLLATE "C" NOT NULL,
    product                 text COLLATE "C" NOT NULL,
    status                  text COLLATE "C" NOT NULL,
    currency                text COLLATE "C" NOT NULL,
    country                 text COLLATE "C" NOT NULL,
    sale                    text COLLATE "C" NOT NULL,
    issued                  date NOT NULL,
    term_months             integer NOT NULL,
    rate_ppm                bigint NOT NULL,
    principal_cents         bigint NOT NULL,
    outstanding_cents       bigint NOT NULL,
    paid_principal_cents    bigint NOT NULL,
    paid_interest_cents     bigint NOT NULL,
    paid_fees_cents         bigint NOT NULL,
    days_past_due           integer NOT NULL,
    stated_instalment_cents bigint,           -- by the originator; instalment_cents is ours
    purpose                 text COLLATE "C",
    grade                   text COLLATE "C", -- the originator's; risk_group is ours
    borrower_region         text COLLATE "C",
    borrower_home           text COLLATE "C",
    borrower_income_cents   bigint,
    borrower_employment_years   integer,
    borrower_debt_ratio_ppm     bigint,
    borrower_delinquencies_2y   integer,
    borrower_inquiries_12m      integer,
    digest                  bytea NOT NULL CHECK (length(digest) = 16), -- XXH3-128 of the document's bytes
    batch                   text COLLATE "C" NOT NULL,
    position                bigint NOT NULL,  -- byte position of the document in its batch
    delta_principal_cents   bigint NOT NULL,  -- paid since the version before; a correction downwards is negative
    delta_interest_cents    bigint NOT NULL,
    delta_fees_cents        bigint NOT NULL,
    remaining_months        integer NOT NULL,
    instalment_cents        bigint NOT NULL,
    last_instalment_cents   bigint NOT NULL,
    interest_cents          bigint NOT NULL,
    score                   bigint NOT NULL,
    risk_group              text COLLATE "C" NOT NULL,
    price_bp                bigint NOT NULL,
    source_partition        integer NOT NULL, -- of assets.assessed: where a reader finds the message again
    source_offset           bigint NOT NULL,
    PRIMARY KEY (originator, asset, version)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: its rows are immutable', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON asset_versions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
