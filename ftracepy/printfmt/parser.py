"""From the text of a `print fmt` to its syntax tree: C's expression grammar without assignments.

Anything that is not an expression over the record raises PrintFmtFault: only the kernel that wrote it can evaluate it.
Of statement expressions, `({ … })`, those are read that name values and then use them, as min() does.
"""

from __future__ import annotations

from ftracepy.printfmt.ctypes_ import starts_type
from ftracepy.printfmt.lexer import Token, tokens
from ftracepy.printfmt.nodes import (
    Binary,
    Braces,
    Call,
    Cast,
    Field,
    Index,
    Name,
    Node,
    Num,
    PrintFmt,
    PrintFmtFault,
    SizeOf,
    Str,
    Ternary,
    Unary,
)

_PRECEDENCE = {
    "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7, ">=": 7,
    "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10,
}  # fmt: skip
_DEEPEST = 120  # parentheses count twice; the deepest real one needs 33
_LOOKED_AHEAD = 4  # tokens behind one that is not the end
_MOST_REPEATED = 1000  # nodes that named values may stand for in all


def parse(print_fmt: str, long_bytes: int = 8, exact: bool = True) -> PrintFmt:
    """Parse the text after 'print fmt:'; raises PrintFmtFault.

    Without `exact`, also at what trace-cmd's library does not know: statement expressions and REC->ent.
    """
    return _Parser(tokens(print_fmt), long_bytes, exact).whole()


class _Parser:
    def __init__(self, stream: list[Token], long_bytes: int, exact: bool) -> None:
        self._tokens = stream + stream[-1:] * _LOOKED_AHEAD
        self._at = 0
        self._long_bytes = long_bytes
        self._exact = exact
        self._named_values: dict[str, tuple[Node, int]] = {}
        self._repeated = 0
        self._depth = 0

    def whole(self) -> PrintFmt:
        template = self._take("string").value
        args: list[Node] = []
        while self._accept(",") and self._peek().kind != "end":
            args.append(self._ternary())
        self._take("end")
        return PrintFmt(template, tuple(args))

    def _peek(self, ahead: int = 0) -> Token:
        return self._tokens[self._at + ahead]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += token.kind != "end"
        return token

    def _accept(self, op: str) -> bool:
        token = self._tokens[self._at]
        if token.text == op and token.kind == "op":
            self._at += 1
            return True
        return False

    def _expect(self, op: str) -> None:
        if not self._accept(op):
            raise PrintFmtFault(f"expected {op!r}, found {self._peek().text!r}")

    def _take(self, kind: str) -> Token:
        if self._peek().kind != kind:
            raise PrintFmtFault(f"expected a {kind}, found {self._peek().text!r}")
        return self._next()

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PrintFmtFault("nested too deeply")

    def _ternary(self) -> Node:
        self._deeper()
        condition = self._binary(1)
        if self._accept("?"):
            short = self._exact and self._peek().text == ":"
            yes = condition if short else self._ternary()
            self._expect(":")
            condition = Ternary(condition, yes, self._ternary())
        self._depth -= 1
        return condition

    def _binary(self, least: int) -> Node:
        left = self._unary()
        while self._peek().kind == "op" and _PRECEDENCE.get(self._peek().text, 0) >= least:
            op = self._next().text
            left = Binary(op, left, self._binary(_PRECEDENCE[op] + 1))
        return left

    def _unary(self) -> Node:
        self._deeper()
        node = self._prefixed()
        self._depth -= 1
        return node

    def _prefixed(self) -> Node:
        token = self._peek()
        if token.kind == "op" and token.text in {"-", "~", "!", "+", "&", "*"}:
            return Unary(self._next().text, self._unary())
        if token.kind == "op" and token.text == "(" and (type_ := self._cast_type()):
            return Cast(type_, self._unary())
        if self._exact and token.text == "(" and self._peek(1).text == "typeof":
            return self._as_its_own_type()
        return self._postfix()

    def _cast_type(self) -> str:
        """The type of a cast that starts here, consumed; '' and nothing consumed where it is a parenthesis."""
        text, at = self._type_words(1)
        if not text or self._peek(at).text != ")":
            return ""
        after = self._peek(at + 1)
        sure = starts_type(text.split()[0]) or "*" in text
        if not sure and not (after.kind in {"name", "number", "string"} or after.text == "("):
            return ""
        self._at += at + 1
        return text

    def _as_its_own_type(self) -> Node:
        """(typeof(x))y, of which the kernel makes such rounding of addresses as the compiler did not resolve."""
        for word in ("(", "typeof", "("):
            self._next_is(word)
        self._ternary()
        self._expect(")")
        self._expect(")")
        return Cast("unsigned long", self._unary())

    def _next_is(self, word: str) -> None:
        if self._next().text != word:
            raise PrintFmtFault(f"expected {word!r}")

    def _type_words(self, at: int) -> tuple[str, int]:
        words: list[str] = []
        while self._peek(at).kind == "name" and self._peek(at).text != "REC":
            words.append(self._peek(at).text)
            at += 1
        if not words:
            return "", at
        while self._peek(at).text in {"*", "const"}:
            words.append(self._peek(at).text)
            at += 1
        return " ".join(words), at

    def _postfix(self) -> Node:
        node = self._primary()
        while True:
            if self._accept("["):
                node = Index(node, self._ternary())
                self._expect("]")
            elif self._accept("->") or self._accept("."):
                node = self._member(node, self._take("name").text)
            else:
                return node

    def _member(self, node: Node, name: str) -> Node:
        """A field; `ent` is the record's head, whose fields are called common_… in a format."""
        if node == Name("REC"):
            return Field(name)
        if node == Field("ent") and self._exact:
            return Field(f"common_{name}")
        match node:
            case Cast(_, Braces((Braces((Name(given), value)),))) if given == f".{name}":
                return value
        raise PrintFmtFault(f"member {name!r} of something that is not the record")

    def _statements(self) -> Node:
        """`type name = value; … result` up to the closing brace."""
        if not self._exact:
            raise PrintFmtFault("a statement expression")
        text, at = self._type_words(0)
        while text and self._peek(at).text == "=":
            self._at += at
            name = text.split()[-1].lstrip("*")
            self._expect("=")
            first, before = self._at, self._repeated
            value = self._ternary()
            self._named_values[name] = value, self._at - first + self._repeated - before
            self._expect(";")
            text, at = self._type_words(0)
        node = self._ternary()
        self._accept(";")
        self._expect("}")
        return node

    def _primary(self) -> Node:
        token = self._next()
        match token.kind:
            case "number":
                return _number(token.text, self._long_bytes)
            case "char":
                return Num(int.from_bytes(token.value[:1], "little", signed=True))
            case "string":
                return Str(token.value)
            case "name" if token.text == "sizeof":
                return self._sizeof()
            case "name":
                return self._named(token.text)
        if token.text == "(":
            node = self._statements() if self._accept("{") else self._ternary()
            self._expect(")")
            return node
        if token.text == "{":
            return self._braces()
        raise PrintFmtFault(f"unexpected {token.text!r}")

    def _named(self, name: str) -> Node:
        if not self._accept("("):
            return self._value(name)
        args: list[Node] = []
        while not self._accept(")"):
            args.append(self._argument())
            if not self._accept(","):
                self._expect(")")
                break
        return Call(name, tuple(args))

    def _value(self, name: str) -> Node:
        node, nodes = self._named_values.get(name, (Name(name), 0))
        self._repeated += nodes
        if self._repeated > _MOST_REPEATED:
            raise PrintFmtFault("named values repeated too often")
        return node

    def _argument(self) -> Node:
        """An argument may be a type too: __print_array(p, n, sizeof(u8)) is common, f(struct x *) is not."""
        return self._ternary()

    def _braces(self) -> Node:
        items: list[Node] = []
        while not self._accept("}"):
            items.append(self._designated() if self._exact and self._accept(".") else self._ternary())
            if not self._accept(","):
                self._expect("}")
                break
        return Braces(tuple(items))

    def _designated(self) -> Node:
        """.member = value: as ktime_t, a struct of one number before 4.10, was made."""
        name = self._take("name").text
        self._expect("=")
        return Braces((Name(f".{name}"), self._ternary()))

    def _sizeof(self) -> Node:
        self._expect("(")
        text, at = self._type_words(0)
        if text and self._peek(at).text == ")":
            self._at += at + 1
            return SizeOf(text)
        node = self._ternary()
        self._expect(")")
        return SizeOf("", node)


def _number(text: str, long_bytes: int) -> Num:
    digits = text.rstrip("uUlL")
    suffix = text[len(digits) :].lower()
    octal = digits.startswith("0") and digits.isdigit() and digits != "0"
    value = int(digits, 8) if octal and set(digits) <= set("01234567") else int(digits, 0) if not octal else int(digits, 10)
    hexadecimal = digits[:1] == "0"
    size = 8 if "ll" in suffix else long_bytes if "l" in suffix else 4
    signed = "u" not in suffix
    for candidate in ((size, signed), (size, False), (8, signed), (8, False)):
        if not candidate[1] and signed and not hexadecimal:
            continue
        if value < 1 << (candidate[0] * 8 - candidate[1]):
            return Num(value, *candidate)
    return Num(value & (1 << 64) - 1, 8, False)
