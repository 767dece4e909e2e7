-- Null of versions and investments from before there was a fee.
ALTER TABLE asset_versions ADD COLUMN buyer_price_bp bigint; -- basis points of the amount
ALTER TABLE investments
    ADD COLUMN originator_cents bigint, -- what the originator gets
    ADD COLUMN buyer_cents bigint,      -- what the investor pays
    ADD COLUMN fee_cents bigint;        -- the difference
