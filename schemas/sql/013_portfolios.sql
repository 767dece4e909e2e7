-- The newest version of every portfolio, as the buy offers that it places; none if it is closed. What is open of each is its amount less
-- what `investments` has of it. `offers` is a JSON array of schemas.events.BuyOffer, in bytes: a criterion may have any character.
CREATE TABLE portfolios (
    investor  text COLLATE "C" NOT NULL,
    portfolio text COLLATE "C" NOT NULL,
    version   numeric NOT NULL CHECK (version > 0), -- of any size: whoever writes to the topic chooses it
    offers    bytea NOT NULL,
    PRIMARY KEY (investor, portfolio)
);
CREATE INDEX investments_of_buy_offer ON investments (buy_offer);
