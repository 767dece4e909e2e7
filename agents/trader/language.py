"""The language of criteria (`schemas/criteria.md`): text in, an expression out. Pure.

Lark parses it, LALR(1); what it builds is bounded as it grows, so that nobody follows it deeper than DEPTH_MAX.
"""

import re
from functools import lru_cache
from typing import Final

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken, v_args

from agents.trader.expression import DEPTH_MAX, EVERYTHING, Ask, CriteriaError, Many, Node, Not, Place, Shape, Test, Word, asks

TEXT_BYTES_MAX: Final = 4 * 1024

GRAMMAR: Final = r"""
?start: exception
?exception: any
    | exception _BUT _NOT [_WHEN] any             -> but_not
?any: all (_OR all)*
?all: part (_AND part)*
?part: _NOT part                                  -> negation
    | "(" exception ")"
    | _EVERYTHING                                 -> everything
    | WORD OPERATOR value                         -> compared
    | WORD _BETWEEN value _AND value              -> between
    | WORD _NOT _BETWEEN value _AND value         -> not_between
    | WORD _IN "(" value ("," value)* ")"         -> within
    | WORD _NOT _IN "(" value ("," value)* ")"    -> not_within
    | WORD _IS _KNOWN                             -> known
?value: WORD | TEXT | NUMBER | PERCENTAGE | DAY

_AND.3: /and(?![\w.-])/i
_OR.3: /or(?![\w.-])/i
_NOT.3: /not(?![\w.-])/i
_BUT.3: /but(?![\w.-])/i
_WHEN.3: /when(?![\w.-])/i
_BETWEEN.3: /between(?![\w.-])/i
_IN.3: /in(?![\w.-])/i
_IS.3: /is(?![\w.-])/i
_KNOWN.3: /known(?![\w.-])/i
_EVERYTHING.3: /everything(?![\w.-])/i
OPERATOR: /<=|>=|<>|!=|==|=|<|>/
DAY.2: /[0-9]{4}-[0-9]{2}-[0-9]{2}(?![\w.-])/
PERCENTAGE.1: /-?[0-9]+(\.[0-9]+)?[ \t]*%/
NUMBER: /-?[0-9]+(\.[0-9]+)?(?![\w.-])/
WORD: /[A-Za-z_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?(?![\w.-])/
TEXT: /"([^"\\\r\n]|\\["\\])*"|'([^'\\\r\n]|\\['\\])*'/
%ignore /[ \t\r\n]+/
"""

_SHAPES: Final = {
    "WORD": Shape.WORD, "TEXT": Shape.TEXT, "NUMBER": Shape.NUMBER, "PERCENTAGE": Shape.PERCENT, "DAY": Shape.DAY,
}  # fmt: skip
_WANTED: Final = (  # what can come next, by a terminal of it, in the words of a message
    ("NUMBER", 'a value, such as 36, 6%, 2500.00, 2026-01-31, A or "two words"'),
    ("WORD", "an attribute"),
    ("_NOT", "not"),
    ("LPAR", "("),
    ("OPERATOR", "=, !=, <, <=, >, >="),
    ("_BETWEEN", "between"),
    ("_IN", "in"),
    ("_IS", "is known"),
    ("_KNOWN", "known"),
    ("_AND", "and"),
    ("_OR", "or"),
    ("_BUT", "but not when"),
    ("_WHEN", "when"),
    ("COMMA", ","),
    ("RPAR", ")"),
    ("$END", "the end"),
)


def parse(text: str) -> Node:
    """The expression of a text.

    Raises:
        CriteriaError: it is too long or too deep, or none; with line, column and what could stand there.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > TEXT_BYTES_MAX:
        raise CriteriaError(f"the criteria have {size} bytes; at most {TEXT_BYTES_MAX}", "")
    try:
        node: Node = _parser().parse(text)  # type: ignore[assignment]
    except UnexpectedInput as fault:
        raise _unexpected(text, fault) from fault
    except _TooDeepError as fault:
        raise CriteriaError(f"the criteria are nested deeper than {DEPTH_MAX} levels", fault.place, text) from fault
    return node


class _TooDeepError(ValueError):
    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place


def _bounded(node: Node) -> Node:
    if node.depth > DEPTH_MAX:
        raise _TooDeepError(next((ask.attribute.place for ask in asks(node)), (0, 1)))
    return node


@v_args(inline=True)
class _Builder(Transformer[Token, Node]):
    """What each rule of the grammar makes of its parts. Lark calls it as it parses, inner parts first."""

    def WORD(self, token: Token) -> Word:  # noqa: N802 - a terminal's name
        assert token.start_pos is not None
        assert token.end_pos is not None
        text, shape = str(token), _SHAPES[token.type]
        if shape is Shape.TEXT:
            text = re.sub(r"\\(.)", r"\1", text[1:-1])
        elif shape is Shape.PERCENT:
            text = text[:-1].rstrip()
        return Word(text, shape, (token.start_pos, token.end_pos))

    TEXT = NUMBER = PERCENTAGE = DAY = WORD

    def everything(self) -> Node:
        return EVERYTHING

    def any(self, *parts: Node) -> Node:
        return _bounded(Many(False, parts))

    def all(self, *parts: Node) -> Node:
        return _bounded(Many(True, parts))

    def negation(self, part: Node) -> Node:
        return _bounded(Not(part))

    def but_not(self, part: Node, exception: Node) -> Node:
        return _bounded(Many(True, (part, Not(exception))))

    def compared(self, attribute: Word, operator: Token, value: Word) -> Node:
        if operator in {"!=", "<>"}:
            return Not(Ask(attribute, Test.IS, (value,)))
        return Ask(attribute, Test(operator if operator != "==" else "="), (value,))

    def between(self, attribute: Word, *values: Word) -> Node:
        return Ask(attribute, Test.BETWEEN, values)

    def not_between(self, attribute: Word, *values: Word) -> Node:
        return Not(Ask(attribute, Test.BETWEEN, values))

    def within(self, attribute: Word, *values: Word) -> Node:
        return Ask(attribute, Test.IN, values)

    def not_within(self, attribute: Word, *values: Word) -> Node:
        return Not(Ask(attribute, Test.IN, values))

    def known(self, attribute: Word) -> Node:
        return Ask(attribute, Test.KNOWN)


@lru_cache(1)
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="basic", transformer=_Builder())


def _unexpected(text: str, fault: UnexpectedInput) -> CriteriaError:
    if isinstance(fault, UnexpectedCharacters):
        start = fault.pos_in_stream or 0
        sign = text[start]
        if sign in "\"'":
            return CriteriaError("a text that begins with a quote must end with it, on the same line", (start, len(text)), text)
        why = f"{sign!r} cannot stand here; a number is as 36 or 0.06, and a text of other than letters A-Z a-z, digits, _ . - needs quotes"
        return CriteriaError(why, (start, start + 1), text)
    assert isinstance(fault, UnexpectedToken)
    accepted = set(fault.accepts or fault.expected)
    if "_BUT" in accepted:  # a whole expression is read by then: what goes on inside of it is no more in the parser's state
        accepted |= {"_AND", "_OR"}
    wanted = [words for name, words in _WANTED if name in accepted and not (name == "WORD" and "NUMBER" in accepted)]
    could = f"; here can stand {', '.join(wanted[:-1])}{' or ' if len(wanted) > 1 else ''}{wanted[-1]}"
    token = fault.token
    if token.type == "$END":
        end = len(text.rstrip())
        return CriteriaError(f"the criteria end too early{could}", (end, end + 1), text)
    assert token.start_pos is not None
    assert token.end_pos is not None
    return CriteriaError(f"{str(token)[:64]!r} cannot stand here{could}", (token.start_pos, token.end_pos), text)
