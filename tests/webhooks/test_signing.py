import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.tokens import TokenError, issue
from streams.webhooks.signing import signed_headers, webhook_secret
from tests.webhooks.receivers import Request, is_signed

SECRET = "0123456789abcdef0123456789abcdef"
ids = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=40)


def test_the_vector_of_the_specifications_own_libraries_is_met():
    headers = signed_headers("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(ids, st.integers(0, 2**40), st.binary(max_size=200))
def test_a_receiver_finds_every_message_signed_with_its_own_secret_only(id_, at_s, body):
    own, other = webhook_secret(SECRET, "bluebird"), webhook_secret(SECRET, "harbor")
    request = Request("", signed_headers(own, id_, at_s, body), body)
    assert is_signed(own, request)
    assert not is_signed(other, request)
    assert not is_signed(own, request._replace(body=body + b"."))


@pytest.mark.parametrize("id_", ["", "a.1", "a b\n", "ä"])
def test_an_id_that_could_be_read_in_two_ways_is_not_signed(id_):
    with pytest.raises(ValueError, match="without a dot"):
        signed_headers(webhook_secret(SECRET, "bluebird"), id_, 0, b"")


def test_a_receivers_secret_stays_the_same_across_versions_and_is_no_token():
    assert webhook_secret(SECRET, "bluebird") == "whsec_o2cQ3Oa7TJJbWDLM0vD0N8qanOP2e0W3VBCPhF/yXrY="
    assert issue(SECRET, "originator", "bluebird").split(".")[2] not in webhook_secret(SECRET, "bluebird")


@pytest.mark.parametrize(("secret", "name"), [("short", "bluebird"), (SECRET, "Blue bird"), (SECRET, "")])
def test_there_is_no_secret_without_a_proper_one_of_the_system_and_a_name(secret, name):
    with pytest.raises(TokenError):
        webhook_secret(secret, name)
