"""Who may do what; none of it needs a broker."""

import pytest

UPLOAD = "/originators/bluebird/batches"
ROUTES = [
    ("POST", UPLOAD),
    ("GET", UPLOAD),
    ("GET", "/batches/b"),
    ("GET", "/batches/b/rejected"),
    ("POST", "/portfolios"),
    ("DELETE", "/portfolios/p?currency=EUR"),
    ("GET", "/investments"),
    ("GET", "/originators/bluebird/assets/loan-7"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer originator.bluebird.x"}, {"Authorization": "Basic YTpi"}])
async def test_without_a_valid_token_nothing_is_answered_but_401(alone, method, path, header):
    response = await alone.request(method, path, headers=header)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="tranche"'
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["type"] == "urn:tranche:problem:unauthorized"


async def test_an_unknown_originator_is_404_with_any_valid_token(alone):
    for kind, name in (("originator", "nobody"), ("originator", "bluebird"), ("investor", "ann")):
        response = await alone.post("/originators/nobody/batches", headers=alone.token(kind, name))
        assert response.status_code == 404
        assert response.json()["originator"] == "nobody"


@pytest.mark.parametrize(("kind", "name"), [("originator", "harbor"), ("investor", "bluebird"), ("operator", "bluebird")])
async def test_somebody_elses_token_is_403(alone, kind, name):
    response = await alone.post(UPLOAD, headers=alone.token(kind, name), content=b"x" * 1_000_000)
    assert response.status_code == 403
    assert response.json()["type"] == "urn:tranche:problem:forbidden"


@pytest.mark.parametrize("kind", ["originator", "operator"])
async def test_only_investors_have_portfolios(alone, kind):
    headers = alone.token(kind, "bluebird")
    assert (await alone.post("/portfolios", headers=headers)).status_code == 403
    assert (await alone.delete("/portfolios/p?currency=EUR", headers=headers)).status_code == 403


async def test_the_scheme_is_not_case_sensitive(alone):
    token = alone.token("investor", "ann")["Authorization"].split()[1]
    response = await alone.post("/originators/nobody/batches", headers={"Authorization": f"bearer {token}"})
    assert response.status_code == 404


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", "/portfolios", 405), ("PUT", UPLOAD, 405)])
async def test_an_unknown_route_or_method_is_a_problem_too(alone, method, path, status):
    response = await alone.request(method, path)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == status


async def test_a_token_is_never_logged(alone, capfd):
    await alone.get("/batches/b", headers=alone.token("originator", "bluebird"))
    await alone.post(UPLOAD, headers={"Authorization": "Bearer originator.bluebird.wrongwrongwrong"})
    out, err = capfd.readouterr()
    assert "/originators/bluebird/batches" in out + err
    assert "wrongwrongwrong" not in out + err
    assert alone.token("originator", "bluebird")["Authorization"].split()[1] not in out + err


async def test_a_method_that_a_path_has_not_is_answered_with_all_that_it_has(alone):
    assert (await alone.put(UPLOAD)).headers["Allow"] == "GET, HEAD, POST"
    assert (await alone.get("/portfolios")).headers["Allow"] == "POST"
