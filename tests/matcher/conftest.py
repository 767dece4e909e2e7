"""The books under test: the real one and the naive one."""

import pytest
from histories import Market
from naive import NaiveBook


@pytest.fixture(params=[Market, NaiveBook])
def book(request):
    return request.param()
