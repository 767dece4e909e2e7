"""A plain, slow book with dictionaries and loops, for anybody to read beside `agents/matcher/rules.py`: the oracle of the real one."""

from dataclasses import dataclass, field

from agents.confirmer.outcomes import investments
from agents.matcher import rules
from schemas.criteria import takes
from schemas.events import BidsReleased, BuyOffer, BuyOfferWithdrawn, Proposal, ProposedBid, SellOffer, SellOfferWithdrawn

M64 = 2**64 - 1


@dataclass
class Buy:
    offer: BuyOffer
    placed: int
    served: int
    held: int = 0
    invested: int = 0

    @property
    def open(self):
        return self.offer.amount_cents - self.held - self.invested


@dataclass
class Asset:
    version: int = 0
    offer: SellOffer | None = None
    since: int = 0
    investments: int = 0
    held: list = field(default_factory=list)  # (buy offer, investor, cents, 0, 0)
    sold: list = field(default_factory=list)  # (buy offer, investor, cents, version, match number)
    released: list = field(default_factory=list)  # buy offers

    @property
    def left(self):
        return self.offer.amount_cents - sum(cents for _, _, cents, *_ in self.held + self.sold) if self.offer else 0


def fits(buy: BuyOffer, sell: SellOffer) -> bool:
    return takes(buy.criteria, sell.attributes) and set(sell.agreements) <= set(buy.agreements)


def tie(buy_offer: str, sell_offer: str) -> int:
    z = (rules.digest(buy_offer) ^ rules.digest(sell_offer)) & M64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & M64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & M64
    return z ^ (z >> 31)


class NaiveBook:
    def __init__(self):
        self.now = 0
        self.buys: dict[str, Buy] = {}
        self.assets: dict[str, Asset] = {}
        self.withdrawn: dict[tuple, int] = {}
        self.proposals: list[Proposal] = []
        self.sales: list[tuple[SellOffer, ProposedBid]] = []  # of one input

    @property
    def investments(self):
        return [one for proposal in self.proposals for one in investments(proposal, {})]

    def take(self, event):
        self.now += 1
        self.match(event)
        for name in dict.fromkeys(offer.offer for offer, _ in self.sales):
            (offer, *_), bids = zip(*[sale for sale in self.sales if sale[0].offer == name], strict=True)
            self.proposals.append(Proposal(f"{name}/{bids[0].number}", offer, bids))
        self.sales = []

    def match(self, event):
        match event:
            case SellOffer() | SellOfferWithdrawn():
                self.renew(self.assets.setdefault(f"{event.originator}/{event.asset}", Asset()), event)
            case BuyOffer():
                self.place(event)
            case BuyOfferWithdrawn():
                self.withdraw(event)
            case BidsReleased(offer, numbers):
                self.take_back(self.assets.get(f"{offer.originator}/{offer.asset}", Asset()), offer, numbers)

    def renew(self, asset, event):
        if event.version <= asset.version:
            return
        hungry = [self.buys[name] for name, *_ in asset.held]
        for name, _, cents, *_ in asset.held:
            self.buys[name].held -= cents
        if asset.offer is None:
            asset.since = self.now
        asset.version, asset.held, asset.released, asset.investments = event.version, [], [], 0
        asset.offer = event if isinstance(event, SellOffer) else None
        if asset.left <= 0:
            asset.offer, asset.since = None, 0
        self.meet_all(asset, hungry)

    def place(self, offer):
        if offer.offer in self.buys or offer.version <= self.withdrawn.get((offer.investor, offer.portfolio), 0):
            return
        self.buys[offer.offer] = Buy(offer, self.now, self.now)
        self.meet_sells(self.buys[offer.offer])

    def withdraw(self, event):
        buy = self.buys.get(event.offer)
        if buy is None or buy.offer.investor != event.investor:
            return
        del self.buys[event.offer]
        key = (buy.offer.investor, buy.offer.portfolio)
        self.withdrawn[key] = max(self.withdrawn.get(key, 0), buy.offer.version)
        hit = [asset for asset in self.assets.values() if any(name == event.offer for name, *_ in asset.held)]
        for asset in hit:
            asset.held = [bid for bid in asset.held if bid[0] != event.offer]
        for asset in sorted(hit, key=self.rank):
            self.meet_buys(asset)

    def take_back(self, asset, offer, numbers):
        gone = [bid for bid in asset.sold if bid[3] == offer.version and bid[4] in numbers]
        if not gone:
            return
        hungry = [self.buys[name] for name, *_ in gone if name in self.buys]
        for name, _, cents, *_ in gone:
            if name in self.buys:
                self.buys[name].invested -= cents
        asset.sold = [bid for bid in asset.sold if bid not in gone]
        if asset.version == offer.version:
            asset.released += [name for name, *_ in gone]
            if asset.offer is None:
                asset.offer, asset.since = offer, self.now
        self.meet_all(asset, hungry)

    def meet_all(self, asset, hungry):
        """An asset that lost bids, then the buy offers that got their money back."""
        hungry.sort(key=lambda buy: (buy.served, buy.placed))
        self.meet_buys(asset)
        for buy in hungry:
            self.meet_sells(buy)

    def meet_buys(self, asset):
        if asset.offer is None:
            return
        for buy in sorted(self.buys.values(), key=lambda buy: (buy.served, tie(buy.offer.offer, asset.offer.offer), buy.placed)):
            self.meet(asset, buy)

    def meet_sells(self, buy):
        for asset in sorted((asset for asset in self.assets.values() if asset.offer), key=self.rank):
            self.meet(asset, buy)

    @staticmethod
    def rank(asset):
        amount = asset.offer.amount_cents
        return -((amount - asset.left) * 10_000 // amount), asset.since

    def meet(self, asset, buy):
        cents = self.largest_bid(asset, buy)
        if not cents:
            return
        buy.served = self.now
        asset.held.append((buy.offer.offer, buy.offer.investor, cents, 0, 0))
        buy.held += cents
        if not asset.offer.all_or_none or asset.left == 0:
            held, asset.held = asset.held, []
            for name, investor, amount, *_ in held:
                self.invest(asset, name, investor, amount)
        if asset.left == 0:
            asset.offer, asset.since = None, 0

    def largest_bid(self, asset, buy):
        """Every amount is tried: the largest that breaks no rule, or 0."""
        bids = asset.held + asset.sold
        if asset.offer is None or not fits(buy.offer, asset.offer):
            return 0
        bidders = [name for name, *_ in bids] + asset.released
        if buy.offer.offer in bidders or len(bidders) >= rules.BIDS_MAX:
            return 0
        left, smallest, largest = asset.left, asset.offer.bid_cents_min, asset.offer.bid_cents_max
        has = sum(cents for _, investor, cents, *_ in bids if investor == buy.offer.investor)

        def allowed(cents):
            takes_a_small_rest = cents == left < 2 * smallest
            return (
                (smallest <= cents <= largest or takes_a_small_rest)
                and (cents == left or left - cents >= smallest)
                and cents <= buy.open
                and has + cents <= buy.offer.bid_cents_max
            )

        return max(filter(allowed, range(1, left + 1)), default=0)

    def invest(self, asset, name, investor, cents):
        buy, sell = self.buys[name], asset.offer
        buy.held -= cents
        buy.invested += cents
        asset.investments += 1
        asset.sold.append((name, investor, cents, sell.version, asset.investments))
        self.sales.append((sell, ProposedBid(asset.investments, name, investor, buy.offer.portfolio, buy.offer.bucket, cents)))

    def summary(self):
        """What both books must agree on."""
        buys = {n: (b.open, b.held, b.invested, b.placed, b.served) for n, b in self.buys.items()}
        assets = {k: (a.version, a.offer, a.since, a.investments, a.held, a.sold, a.released) for k, a in self.assets.items()}
        return self.now, buys, assets
