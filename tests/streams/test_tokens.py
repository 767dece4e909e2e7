import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.tokens import KINDS, Principal, TokenError, issue, verify

SECRET = "0123456789abcdef0123456789abcdef"
ids = st.from_regex(r"[a-z0-9-]{1,64}", fullmatch=True)
kinds = st.sampled_from(KINDS)


@given(kinds, ids)
def test_a_token_says_who_it_was_issued_to(kind, name):
    assert verify(SECRET, issue(SECRET, kind, name)) == Principal(kind, name)


@given(kinds, ids)
def test_a_token_needs_no_escaping_in_a_header_or_url(kind, name):
    token = issue(SECRET, kind, name)
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_a_token_stays_valid_across_versions_of_this_program():
    assert issue(SECRET, "originator", "bluebird") == "originator.bluebird.Ogc8GI4zwZps2Y8XXzeXCE6pPoZuAtjiRoDIPJuKBsA"


@given(kinds, ids, st.integers(0, 200), st.sampled_from("abcxyz019-_. \0é"))
def test_no_token_survives_the_change_of_a_character(kind, name, place, character):
    token = issue(SECRET, kind, name)
    place %= len(token)
    changed = token[:place] + character + token[place + 1 :]
    if changed != token:
        with pytest.raises(TokenError):
            verify(SECRET, changed)


@given(st.text(max_size=100))
def test_no_text_is_a_token(text):
    with pytest.raises(TokenError):
        verify(SECRET, text)


def test_another_systems_token_is_refused():
    with pytest.raises(TokenError, match="signature"):
        verify(SECRET, issue("another secret of enough characters", "operator", "ops"))


def test_an_id_of_one_kind_is_not_the_same_id_of_another():
    _, name, mac = issue(SECRET, "investor", "bluebird").split(".")
    with pytest.raises(TokenError, match="signature"):
        verify(SECRET, f"originator.{name}.{mac}")


@pytest.mark.parametrize("name", ["", "Bluebird", "blue bird", "a/b", "a.b", "x" * 65, "bluebird\n"])
def test_an_id_with_other_characters_gets_no_token(name):
    with pytest.raises(TokenError, match="must be 1 to 64"):
        issue(SECRET, "originator", name)


@pytest.mark.parametrize("secret", ["", "short"])
def test_without_a_proper_secret_nothing_is_issued_and_nothing_is_valid(secret):
    with pytest.raises(TokenError, match="32 characters"):
        issue(secret, "operator", "ops")
    with pytest.raises(TokenError):
        verify(secret, issue(SECRET, "operator", "ops"))


def test_a_message_never_holds_the_token():
    token = issue("another secret of enough characters", "operator", "ops")
    with pytest.raises(TokenError) as caught:
        verify(SECRET, token)
    assert token not in str(caught.value)


def test_bytes_that_are_no_text_are_no_token():
    with pytest.raises(TokenError):
        verify(SECRET, f"originator.bluebird.{chr(0xDCFF)}")
