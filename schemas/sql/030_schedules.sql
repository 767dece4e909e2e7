-- What a document says of irregular periods, and the originator's own schedule; null where it does not.
ALTER TABLE asset_versions
    ADD COLUMN first_due date,
    ADD COLUMN maturity date,
    ADD COLUMN schedule_convention text COLLATE "C",
    ADD COLUMN schedule json,              -- in the words of the document: [{"due": "2026-10-01", "principal": "291.82", "interest": "89.50"}, …]
    ADD COLUMN schedule_differences json,  -- from the convention computed again, cents: [{"line": 17, "principal": 0, "interest": 1}, …]; null: not proved
    ADD COLUMN residual_cents bigint;      -- of rounding, in the last instalment; null: not ours, or of a version from before it was told
