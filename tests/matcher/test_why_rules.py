"""Every reason is the one that decided: the naive book, relieved of that reason alone, bids or names a later one."""

import random

from histories import Market, buy, buy_withdrawn, histories, released, run, sell
from hypothesis import given, settings
from judge import agrees, asked, counted
from naive import NaiveBook, fits

from agents.matcher import rules
from agents.matcher.reasons import Beyond, Unfit, Unsigned, Why, name_of
from schemas.criteria import Predicate


def newest(naive):
    """The buy offers of the newest version of each portfolio that has any."""
    versions = {}
    for one in naive.buys.values():
        key = f"{one.offer.investor}/{one.offer.portfolio}"
        versions.setdefault(key, {}).setdefault(one.offer.version, []).append(one)
    return {key: (max(found), {one.offer.bucket: one for one in found[max(found)]}) for key, found in versions.items()}


@settings(max_examples=40)
@given(histories(least=10))
def test_the_naive_rules_agree_with_every_reason_and_nothing_possible_is_left(history):
    assert_agreed(run(Market(), history), run(NaiveBook(), history))


def test_they_agree_where_money_is_scarce_and_every_reason_decides_somewhere(monkeypatch):
    monkeypatch.setattr(rules, "BIDS_MAX", 5)
    seen = set()
    for seed in range(4):
        market, naive, log = Market(), NaiveBook(), crowded(random.Random(seed))
        for start in range(0, len(log), 30):
            run(market, log[start : start + 30])
            run(naive, log[start : start + 30])
            seen |= assert_agreed(market, naive)
    assert seen == {one.__struct_config__.tag for one in Why.__subclasses__()} - {"unknown", "possible"}


def crowded(chance, inputs=120):
    """A history of few assets and many buy offers, with bids of a few sizes, small limits and assets that need agreements."""
    placed, offered, log = [], [], []
    for n in range(inputs):
        kind = chance.randrange(8) if n > 15 else 0
        if kind < 3:
            signed = chance.choice([(), ("loan",), ("loan",)])
            terms = {"most": chance.randrange(6, 36), "risk_groups": tuple(chance.sample("ABC", 2)), "agreements": signed}
            terms["limits"] = chance.choice([(), (), (Predicate("rate", low=80_000),)])
            placed.append(buy(f"i{n % 9}", f"b{n}", chance.randrange(4, 90), **terms))
            log.append(placed[-1])
        elif kind == 3:
            log.append(buy_withdrawn(placed.pop(chance.randrange(len(placed)))))
        elif kind == 4 and offered:
            log.append(released(chance.choice(offered[-6:]), *range(1, chance.randrange(2, 4))))
        else:
            terms = {"risk_group": chance.choice("ABC"), "all_or_none": chance.random() < 0.5, "agreements": chance.choice([(), ("loan",)])}
            terms["rate_ppm"] = chance.choice([70_000, 90_000])
            offered.append(sell(f"a{chance.randrange(9)}", n, chance.randrange(30, 150), chance.choice([5, 20]), 30, **terms))
            log.append(offered[-1])
    return log


def assert_agreed(market, naive):
    """Of every buy offer of a newest version and every asset. Returns the names of the reasons."""
    seen = set()
    for portfolio, (version, buckets) in newest(naive).items():
        told = {bucket: [] for bucket in buckets}
        for key, asset in naive.assets.items():
            found = asked(market, portfolio, key)
            assert (found.version, [one.bucket.bucket for one in found.buckets]) == (version, sorted(buckets))
            assert found.left_cents == asset.left
            for one in found.buckets:
                mine = buckets[one.bucket.bucket]
                assert (one.bucket.open_cents, one.bucket.held_cents, one.bucket.invested_cents) == (mine.open, mine.held, mine.invested)
                assert agrees(naive, mine, asset, one.why), (one.why, asset, mine)
                seen.add(name_of(one.why))
                if asset.offer:
                    told[one.bucket.bucket].append((asset, one.why))
        assert_counts(counted(market, portfolio), buckets, told, sum(asset.offer is not None for asset in naive.assets.values()))
    return seen


def assert_counts(found, buckets, told, on_offer):
    """What is counted for a portfolio is what is told of its assets one by one."""
    assert (found.on_offer, found.looked_at, found.cut) == (on_offer, on_offer, False)
    for one in found.buckets:
        mine, every = buckets[one.bucket.bucket], told[one.bucket.bucket]
        fitting = [decided for asset, decided in every if fits(mine.offer, asset.offer)]
        assert one.fit == len(fitting)
        assert one.decided == {name: sum(name_of(decided) == name for decided in fitting) for name in map(name_of, fitting)}
        for (kind, name), count in one.unfit.items():
            first = [decided for _, decided in every if name_of(decided) == kind and name == first_of(decided)]
            bid = sum(not fits(mine.offer, asset.offer) and not isinstance(decided, Unfit | Beyond | Unsigned) for asset, decided in every)
            assert len(first) <= count <= len(first) + bid
        assert sum(one.unfit.values()) + one.fit == on_offer


def first_of(found):
    return found.agreements[0] if isinstance(found, Unsigned) else found.unmet[0].asked.attribute if found.unmet else ""
