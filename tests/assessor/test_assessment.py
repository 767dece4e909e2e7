import msgspec
import pytest
from assessor_rows import changed

from agents.assessor.assessment import Assessor
from agents.assessor.cashflow import BoundsError
from schemas.columns import ASSESSED
from schemas.curves import NEVER, Curve
from schemas.pricing import Late, Pricing
from schemas.product import UnknownProductError
from schemas.published import Products, encode
from tests.rows import CATALOG

USD = CATALOG.products["consumer-loan-usd"]
EUR = CATALOG.products["consumer-loan-eur"]
DEARER = msgspec.structs.replace(
    EUR, version=EUR.version + 1, groups=tuple(msgspec.structs.replace(group, price_bp=group.price_bp + 1) for group in EUR.groups)
)
ASSESSOR = Assessor({USD.product: USD, DEARER.product: DEARER})
BY = [{"product": one.product, "product_version": one.version} for one in (USD, DEARER)]


def test_an_asset_keeps_its_columns_and_gets_cash_flow_group_and_price():
    rows = changed({"term_months": 60, "purpose": "moving", "borrower_home": "mortgage", "borrower_income": 9_000_000})
    assessed = ASSESSOR.assess(rows)
    assert assessed.schema.equals(ASSESSED)
    assert assessed.select(rows.schema.names).equals(rows)
    one = assessed.to_pylist()[0]
    # a real loan: 28,000.00 at 14.07 % over 60 months was 652.53 a month
    assert (one["instalment_cents"], one["remaining_months"]) == (65_253, 60)
    assert 65_253 * 59 + one["last_instalment_cents"] == one["principal"] + one["interest_cents"]
    assert (one["score"], one["risk_group"], one["price_bp"]) == (45 + 5 + 5 + 12 + 6 + 5 + 5 + 14 + 4, "E", 9_950)
    assert one["reasons"] == "rate -55, borrower_debt_ratio -15, borrower_inquiries_12m -15, purpose -12"


def test_what_to_expect_of_a_loan_depends_on_its_groups_curve_and_its_price_and_on_no_clock():
    group = EUR.groups[-1]
    riskier = msgspec.structs.replace(group, curve=Curve(default_ppm=(10_000,), loss_given_default_ppm=800_000, recovery_months=6))
    cheaper = msgspec.structs.replace(riskier, price_bp=9_000)
    found = []
    for groups in ((msgspec.structs.replace(group, curve=NEVER, price_bp=10_000),), (riskier,), (cheaper,)):
        product = msgspec.structs.replace(EUR, groups=groups, pricing=Pricing())
        (row,) = Assessor({EUR.product: product}).assess(changed({"product": EUR.product, "term_months": 12, "rate": 120_000})).to_pylist()
        found.append((row["expected_loss_ppm"], row["expected_return_ppm"], row["duration_days"]))
    (none, own, days), (loss, low, _), (same, high, _) = found
    assert (none, abs(own - 126_825) < 1_500, 190 < days < 200) == (0, True, True), "1 % a month are 12.68 % a year"
    assert 0 < loss == same < 800_000
    assert low < min(own, high)


def test_a_late_loan_is_cheaper_and_a_buyer_pays_the_fee_of_its_group():
    late = (Late(1, -100), Late(8, -250))
    groups = tuple(msgspec.structs.replace(group, price_bp=10_000, fee_bp=7 if group.name == "F" else None) for group in EUR.groups)
    product = msgspec.structs.replace(EUR, groups=groups, pricing=Pricing(fee_bp=25, late=late))
    rows = [{"product": EUR.product, "days_past_due": days} for days in (0, 1, 7, 8, 500)]
    better = {"product": EUR.product, "rate": 10_000, "term_months": 12}
    found = Assessor({EUR.product: product}).assess(changed(*rows, better)).to_pylist()
    assert [row["price_bp"] for row in found] == [10_000, 9_900, 9_900, 9_750, 9_750, 10_000]
    assert [row["buyer_price_bp"] - row["price_bp"] for row in found] == [7] * 5 + [25]
    assert found[0]["expected_return_ppm"] < found[1]["expected_return_ppm"] < found[3]["expected_return_ppm"]


def test_a_loans_curve_goes_on_where_the_loan_is():
    late = Curve(default_ppm=(*[0] * 12, 50_000), loss_given_default_ppm=500_000)
    product = msgspec.structs.replace(EUR, groups=(msgspec.structs.replace(EUR.groups[-1], curve=late),))
    year = {"product": EUR.product, "rate": 0, "principal": 1_200_000, "outstanding": 1_200_000, "term_months": 12}
    second = {**year, "principal": 2_400_000, "term_months": 24}
    first, later = Assessor({EUR.product: product}).assess(changed(year, second)).to_pylist()
    assert (first["remaining_months"], first["expected_loss_ppm"]) == (12, 0)
    assert (later["remaining_months"], later["expected_loss_ppm"] > 50_000) == (12, True)


def test_what_is_repaid_has_nothing_to_expect():
    (row,) = ASSESSOR.assess(changed({"outstanding": 0, "status": "repaid"})).to_pylist()
    assert (row["expected_loss_ppm"], row["expected_return_ppm"], row["duration_days"]) == (0, None, None)


def test_rows_of_several_products_are_each_assessed_by_their_own_in_order():
    mixed = [{"asset_id": str(n), **BY[n % 2], "rate": 20_000 * n} for n in range(9)]
    together = ASSESSOR.assess(changed(*mixed)).to_pylist()
    assert together == [ASSESSOR.assess(changed(row)).to_pylist()[0] for row in mixed]
    assert {row["price_bp"] % 5 for row in together} == {0, 1}


def test_each_row_is_assessed_by_the_version_of_its_product_that_it_was_taken_by():
    products = Products({EUR.product: EUR})
    assessor = Assessor(products)  # before there is the other
    products.take(1, 0, EUR.product.encode(), encode(DEARER), CATALOG.markets)
    rows = [{"product": EUR.product, "product_version": EUR.version + n % 2, "asset_id": str(n)} for n in range(5)]
    prices = assessor.assess(changed(*rows))["price_bp"].to_pylist()
    assert [price - prices[0] for price in prices] == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("by", [{"product": "car-lease"}, {"product_version": 9}], ids=str)
def test_a_version_of_a_product_that_is_not_known_is_named_with_the_asset(by):
    told = {"product": USD.product, "product_version": USD.version, **by}
    named = f"bluebird/L2, version 4: version {told['product_version']} of product '{told['product']}' is not on the topic"
    with pytest.raises(UnknownProductError, match=named):
        ASSESSOR.assess(changed({}, {**by, "asset_id": "L2", "version": 4}))


def test_an_asset_beyond_the_contract_is_refused():
    with pytest.raises(BoundsError, match="row 1: months is 601"):
        ASSESSOR.assess(changed({}, {"term_months": 601}))
