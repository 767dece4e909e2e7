-- What to expect of a version, by the curve of its risk group. Of versions from before there was such a prediction nothing is known: null.
ALTER TABLE asset_versions
    ADD COLUMN expected_loss_ppm bigint,   -- principal lost, of what is outstanding
    ADD COLUMN expected_return_ppm bigint, -- XIRR a year at the buyer's price; null also if nothing is outstanding, or there is no such rate
    ADD COLUMN duration_days bigint;       -- Macaulay's at that return
