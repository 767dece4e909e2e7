"""What `assess` compares is the same work: loan by loan the same answers."""

import msgspec
import pytest

from tests.bench import assess, assessing
from tests.bench.loans import Answer, made, product
from tests.bench.peers import loan_by_loan
from tests.bench.process import RunError

SAME = Answer(28_353, 216_766, 94, "F", 9_900, 56_090, 142_750)


def test_the_first_loans_are_the_same_however_many_there_are():
    assert made(1_003).slice(0, 10).equals(made(10))


@pytest.mark.parametrize(("way", "tolerance"), [(loan_by_loan.by_decimal, None), (loan_by_loan.by_quantlib, assess.OF_UNROUNDED)])
def test_loan_by_loan_the_answers_are_those_of_the_columns(way, tolerance):
    rows, given = made(assessing.KEPT), product()
    assess.compare(list(assessing.by_columns(rows, given)), list(assessing.one_by_one(way)(rows.to_pylist(), given)), tolerance)


@pytest.mark.parametrize("field", ["instalment_cents", "score", "risk_group", "expected_return_ppm"])
def test_another_answer_is_no_measurement_and_is_named(field):
    value = getattr(SAME, field)
    other = SAME._replace(**{field: value + 2 if isinstance(value, int) else "A"})
    with pytest.raises(RunError, match=f"loan 1: {field}"):
        assess.compare([SAME, SAME], [SAME, other], None)


def test_answers_are_read_as_they_were_written(tmp_path):
    (tmp_path / "answers").write_bytes(msgspec.json.encode([SAME]))
    assert assess._read(tmp_path / "answers") == [SAME]
