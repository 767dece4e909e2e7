from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.gateway.multipart import FilePart, MultipartError

TYPE = "multipart/form-data; boundary=frontier"


def body(*parts, end=b"--frontier--\r\n"):
    return b"".join(b"--frontier\r\n" + head + b"\r\n\r\n" + data + b"\r\n" for head, data in parts) + end


def file(data, name=b'name="book"; filename="book.bson"'):
    return b"Content-Disposition: form-data; " + name + b"\r\nContent-Type: application/bson", data


def field(data):
    return b'Content-Disposition: form-data; name="note"', data


def read(pieces):
    part = FilePart(TYPE)
    out = b"".join([part.feed(piece) for piece in pieces])
    part.close()
    return out


@given(st.binary(max_size=200) | st.text("\r\n-frontie", max_size=60).map(str.encode), st.lists(st.integers(0, 600), max_size=8))
def test_the_file_comes_out_whole_however_the_body_is_cut(data, cuts):
    if b"\r\n--frontier" in b"\r\n" + data:
        return  # no client may choose such a boundary
    whole = body(field(b"day one"), file(data), field(b"the end"))
    edges = [0, *sorted(min(place, len(whole)) for place in cuts), len(whole)]
    assert read(whole[a:b] for a, b in pairwise(edges)) == data


def test_fields_are_passed_over():
    assert read([body(field(b"x" * 5000), file(b"data"))]) == b"data"


def test_a_form_without_a_file_is_refused():
    with pytest.raises(MultipartError, match="no part of the body has a file name"):
        read([body(field(b"data"))])


def test_a_second_file_is_refused():
    with pytest.raises(MultipartError, match="a second file"):
        read([body(file(b"one"), file(b"two"))])


@pytest.mark.parametrize("end", [b"", b"--frontier", b"--front"])
def test_a_cut_off_form_is_refused(end):
    with pytest.raises(MultipartError, match="closing boundary"):
        read([body(file(b"data"), end=end)])


def test_what_is_no_form_is_refused():
    with pytest.raises(MultipartError):
        read([b"\x10\0\0\0 this is BSON"])


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=" + "x" * 300])
def test_a_content_type_without_a_proper_boundary_is_refused(kind):
    with pytest.raises(MultipartError, match="boundary"):
        FilePart(kind)


def test_an_endless_header_is_refused():
    with pytest.raises(MultipartError):
        read([b"--frontier\r\nContent-Disposition: ", *[b"x" * 1000] * 100])
