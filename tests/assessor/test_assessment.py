import msgspec
import pytest
from assessor_rows import changed

from agents.assessor.assessment import Assessor
from agents.assessor.cashflow import BoundsError
from schemas.columns import ASSESSED
from schemas.product import UnknownProductError
from tests.rows import CATALOG

USD = CATALOG.products["consumer-loan-usd"]
EUR = CATALOG.products["consumer-loan-eur"]
DEARER = msgspec.structs.replace(EUR, groups=tuple(msgspec.structs.replace(group, price_bp=group.price_bp + 1) for group in EUR.groups))
ASSESSOR = Assessor({USD.product: USD, DEARER.product: DEARER})


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


def test_rows_of_several_products_are_each_assessed_by_their_own_in_order():
    mixed = [{"asset_id": str(n), "product": ("consumer-loan-usd", "consumer-loan-eur")[n % 2], "rate": 20_000 * n} for n in range(9)]
    together = ASSESSOR.assess(changed(*mixed)).to_pylist()
    assert together == [ASSESSOR.assess(changed(row)).to_pylist()[0] for row in mixed]
    assert {row["price_bp"] % 5 for row in together} == {0, 1}


def test_a_product_that_is_in_no_file_is_named_with_the_asset():
    with pytest.raises(UnknownProductError, match=r"bluebird/L2, version 4: product 'car-lease' is not in the catalog"):
        ASSESSOR.assess(changed({}, {"product": "car-lease", "asset_id": "L2", "version": 4}))


def test_an_asset_beyond_the_contract_is_refused():
    with pytest.raises(BoundsError, match="row 1: months is 601"):
        ASSESSOR.assess(changed({}, {"term_months": 601}))
