"""The tree of a query as it is written: what the parser makes and the resolver reads. Names mean nothing yet.

Every node knows its ``place`` (offset in the text), which takes no part in comparison: two trees are equal if they say the same.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Node:
    """A part of a query, and where it begins."""

    place: int = field(default=0, compare=False, kw_only=True)


@dataclass(frozen=True)
class Name(Node):
    """An identifier; ``delimited`` ones (in double quotes) are compared with case."""

    text: str
    delimited: bool = False

    def __str__(self) -> str:
        return '"' + self.text.replace('"', '""') + '"' if self.delimited else self.text


@dataclass(frozen=True)
class Expression(Node):
    """A value or a condition; the resolver tells which."""


@dataclass(frozen=True)
class NumberLiteral(Expression):
    """A number as written, without sign."""

    text: str


@dataclass(frozen=True)
class StringLiteral(Expression):
    """A string without its quotes."""

    value: str


@dataclass(frozen=True)
class BooleanLiteral(Expression):
    """TRUE or FALSE, beyond the ADQL grammar."""

    value: bool


@dataclass(frozen=True)
class NullLiteral(Expression):
    """NULL."""


@dataclass(frozen=True)
class ColumnReference(Expression):
    """``column``, ``table.column`` or ``schema.table.column``."""

    parts: tuple[Name, ...]


@dataclass(frozen=True)
class Sign(Expression):
    """``-x`` or ``+x``."""

    operator: str
    operand: Expression


@dataclass(frozen=True)
class Arithmetic(Expression):
    """``+ - * /``, ``%`` (beyond the grammar) and ``||`` between two values."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Call(Expression):
    """A function; ``star`` for COUNT(*). The name is in upper case."""

    function: str
    arguments: tuple[Expression, ...]
    distinct: bool = False
    star: bool = False


@dataclass(frozen=True)
class Cast(Expression):
    """``CAST(x AS VARCHAR(n))``: the type in upper case, with its length or None."""

    operand: Expression
    type_name: str
    length: int | None = None


@dataclass(frozen=True)
class Case(Expression):
    """``CASE [x] WHEN a THEN b ... [ELSE c] END``, beyond the grammar."""

    operand: Expression | None
    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression | None


@dataclass(frozen=True)
class ScalarQuery(Expression):
    """A query of one column and one row as a value, beyond the grammar."""

    query: "Query"


@dataclass(frozen=True)
class Comparison(Expression):
    """``= <> < > <= >=`` between two values (``!=`` is written ``<>`` here)."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Between(Expression):
    """``x [NOT] BETWEEN low AND high``."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool = False


@dataclass(frozen=True)
class InList(Expression):
    """``x [NOT] IN (a, b, ...)``."""

    operand: Expression
    values: tuple[Expression, ...]
    negated: bool = False


@dataclass(frozen=True)
class InQuery(Expression):
    """``x [NOT] IN (SELECT ...)``."""

    operand: Expression
    query: "Query"
    negated: bool = False


@dataclass(frozen=True)
class Like(Expression):
    """``x [NOT] LIKE pattern`` or ILIKE; ``ESCAPE 'c'`` behind it is beyond the grammar."""

    operand: Expression
    pattern: Expression
    negated: bool = False
    any_case: bool = False
    escape: Expression | None = None


@dataclass(frozen=True)
class IsNull(Expression):
    """``x IS [NOT] NULL``."""

    operand: Expression
    negated: bool = False


@dataclass(frozen=True)
class Exists(Expression):
    """``EXISTS (SELECT ...)``."""

    query: "Query"


@dataclass(frozen=True)
class Not(Expression):
    """``NOT c``."""

    operand: Expression


@dataclass(frozen=True)
class And(Expression):
    """``a AND b AND ...``."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class Or(Expression):
    """``a OR b OR ...``."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class Star(Node):
    """``*``, or ``t.*`` with the parts of its qualifier."""

    qualifier: tuple[Name, ...] = ()


@dataclass(frozen=True)
class SelectItem(Node):
    """An expression of the SELECT list and the name it is given."""

    expression: Expression
    alias: Name | None = None


@dataclass(frozen=True)
class TableReference(Node):
    """Something to select from."""


@dataclass(frozen=True)
class TableName(TableReference):
    """``[schema.]table [AS alias]``."""

    parts: tuple[Name, ...]
    alias: Name | None = None


@dataclass(frozen=True)
class DerivedTable(TableReference):
    """``(SELECT ...) AS alias``."""

    query: "Query"
    alias: Name


@dataclass(frozen=True)
class Join(TableReference):
    """``left [NATURAL] kind JOIN right [ON condition | USING (columns)]``; kind is INNER, LEFT, RIGHT, FULL or CROSS (beyond the grammar)."""

    kind: str
    left: TableReference
    right: TableReference
    natural: bool = False
    condition: Expression | None = None
    using: tuple[Name, ...] = ()


@dataclass(frozen=True)
class Select(Node):
    """One SELECT without its ORDER BY."""

    items: tuple[SelectItem | Star, ...]
    tables: tuple[TableReference, ...]
    distinct: bool = False
    top: int | None = None
    where: Expression | None = None
    group_by: tuple[Expression, ...] = ()
    having: Expression | None = None


@dataclass(frozen=True)
class SetOperation(Node):
    """``left UNION|EXCEPT|INTERSECT [ALL] right``."""

    operator: str
    all: bool
    left: "Body"
    right: "Body"


@dataclass(frozen=True)
class OrderItem(Node):
    """One item of ORDER BY."""

    expression: Expression
    descending: bool = False


@dataclass(frozen=True)
class CommonTable(Node):
    """``name [(columns)] AS (SELECT ...)`` of WITH."""

    name: Name
    columns: tuple[Name, ...]
    query: "Query"


@dataclass(frozen=True)
class Query(Node):
    """A whole query, also a parenthesised one: WITH, body, ORDER BY, OFFSET."""

    body: "Body"
    common_tables: tuple[CommonTable, ...] = ()
    order_by: tuple[OrderItem, ...] = ()
    offset: int | None = None


Body = Select | SetOperation | Query
