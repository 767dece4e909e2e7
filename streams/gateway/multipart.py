"""The file of a multipart/form-data body, as it comes (RFC 7578): the bytes of the one part that has a file name.

Pure. Parts without a file name are form fields; they are passed over.
"""

from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header


class MultipartError(ValueError):
    """A multipart body without exactly one whole file: the message says what is wrong."""


class FilePart:
    """Feed it the body's pieces in order, then close it."""

    def __init__(self, content_type: str) -> None:
        """Raises MultipartError: the content type names no boundary."""
        _, options = parse_options_header(content_type)
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._part_begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
            )
        except (KeyError, FormParserError) as fault:
            raise MultipartError("the content type multipart/form-data needs a boundary") from fault
        self._name, self._value, self._disposition = b"", b"", b""
        self._files, self._in_file, self._ended = 0, False, False
        self._out: list[bytes] = []

    def feed(self, piece: bytes) -> bytes:
        """The file's bytes in this piece of the body.

        Raises:
            MultipartError: this is no multipart body, or a second file begins.
        """
        try:
            self._parser.write(piece)
        except MultipartParseError as fault:
            raise MultipartError(f"byte {fault.offset} of a piece of the multipart body: {fault}") from fault
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else b"".join(out)

    def close(self) -> None:
        """Raises MultipartError: the body ends before its last boundary, or had no file."""
        if not self._ended:
            raise MultipartError("the body ends before the closing boundary")
        if not self._files:
            raise MultipartError("no part of the body has a file name")

    def _part_begin(self) -> None:
        self._disposition = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name, self._value = b"", b""

    def _headers_finished(self) -> None:
        self._in_file = b"filename" in parse_options_header(self._disposition)[1]
        self._files += self._in_file
        if self._files > 1:
            raise MultipartError("a second file begins; send one file a batch")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._out.append(data[start:end])

    def _part_end(self) -> None:
        self._in_file = False

    def _end(self) -> None:
        self._ended = True
