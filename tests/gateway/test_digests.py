from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.gateway.digests import FIELDS, DigestError, Digests, FieldError, parse

DIGEST = sha256(b"").digest()
TEXT = b64encode(DIGEST).decode()


def digests(**fields):
    return Digests(lambda name: fields.get(name.lower().replace("-", "_"), ""))


def written(data):
    return f"sha-256=:{b64encode(sha256(data).digest()).decode()}:"


@given(st.lists(st.binary(max_size=50)), st.sampled_from(["content_digest", "repr_digest"]))
def test_the_digest_of_what_came_fits_and_another_does_not(pieces, field):
    data = b"".join(pieces)
    right, wrong = digests(**{field: written(data)}), digests(**{field: written(data + b"x")})
    for piece in pieces:
        right.feed(piece)
        wrong.feed(piece)
    right.close()
    with pytest.raises(DigestError) as fault:
        wrong.close()
    assert fault.value.field.lower().replace("-", "_") == field
    assert [f"sha-256={digest}" for digest in (fault.value.expected, fault.value.found)] == [written(data + b"x"), written(data)]


def test_of_two_fields_both_have_to_fit():
    for fields in ({"content_digest": written(b"x")}, {"repr_digest": written(b"x")}):
        both = digests(**{"content_digest": written(b""), "repr_digest": written(b""), **fields})
        with pytest.raises(DigestError):
            both.close()


@pytest.mark.parametrize(
    "value", ["", "sha-512=:AAAA:", "md5=::", "unixsum=:AA==:, crc32c=:AAAAAA==:", 'sha-512=:AA==:;a;b=1;c="x,y\\"";d=?1;e=:AA==:']
)
def test_without_sha_256_nothing_is_compared(value):
    assert parse(FIELDS[0], value) is None
    never = digests(content_digest=value)
    never.feed(b"anything")
    never.close()


@pytest.mark.parametrize(
    "value",
    [
        f"sha-256=:{TEXT}:",
        f" sha-256=:{TEXT}: ",
        f"sha-256=:{TEXT.rstrip('=')}:",
        f"sha-512=:AAAA: \t,\t sha-256=:{TEXT}:",
        f'sha-512=:AAAA:;note="sha-256=:AAAA:, x", sha-256=:{TEXT}:; a=1;b',
        f"sha-256=:{b64encode(b'x' * 32).decode()}:, sha-256=:{TEXT}:",
    ],
)
def test_sha_256_is_found_wherever_it_stands(value):
    assert parse(FIELDS[0], value) == DIGEST


@pytest.mark.parametrize(
    "value",
    [
        "sha-256",
        "sha-256=",
        f"sha-256={TEXT}",
        f"sha-256=:{TEXT}",
        f"SHA-256=:{TEXT}:",
        f"sha-256 = :{TEXT}:",
        f"sha-256=:{TEXT}:,",
        f",sha-256=:{TEXT}:",
        f"sha-256=:{TEXT}: sha-512=:AAAA:",
        f'sha-256="{TEXT}"',
        "sha-256=:!:",
        "sha-256=:A:",
        "sha-256=:AA=A:",
        "sha-256=:AAAA:",
        "sha-256=::",
        f"sha-256=:{TEXT[:-4]}:",
        "unixsum=30637",
        "sha-512=1, x",
        "é",
    ],
)
def test_a_field_that_cannot_be_read_is_named(value):
    with pytest.raises(FieldError, match=r"^Repr-Digest: ") as fault:
        digests(repr_digest=value)
    assert fault.value.field == "Repr-Digest"


@given(st.text(st.characters(codec="latin-1")) | st.text('sha-256=:;," \\A', max_size=60))
def test_any_text_is_read_or_refused(value):
    try:
        digest = parse(FIELDS[0], value)
    except FieldError:
        return
    assert digest is None or len(digest) == 32
