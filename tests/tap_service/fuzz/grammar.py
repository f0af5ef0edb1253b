"""Random ADQL: trees of queries on the fixed tables, by the rules of the grammar; ``grammar_values`` has the values in them."""

from dataclasses import dataclass, field, replace

from tap_service.adql import tree
from tests.tap_service.fuzz.choices import Choices
from tests.tap_service.fuzz.fixed_tables import SCHEMA, TABLES, FixedColumn, FixedTable
from tests.tap_service.fuzz.grammar_values import USUAL, Column, Made, Place, Source, ValueMaker, comparable

_KINDS = {
    "smallint": "whole", "integer": "whole", "bigint": "whole", "real": "number", "double": "number", "text": "text",
    "boolean": "boolean", "timestamp": "timestamp",
}  # fmt: skip
_ALIASES = (
    "a",
    "b",
    "c",
    "lon",
    "Total",
    "x1",
    "mean_mag",
    "T_eff",
    "Label One",
    "é",
    "select",
    "a.b",
    'q"q',
    "n",
    "UPPER_ROW",
    "very_" * 16 + "long",
)


@dataclass
class QueryMaker(ValueMaker):
    """Makes one query from one string of choices."""

    common: list[tuple[tree.Name, tuple[Column, ...]]] = field(default_factory=list)

    # -- queries

    def whole_query(self) -> tree.Query:
        """A query with all that may stand at its top: WITH, set operations, ORDER BY, OFFSET."""
        tables = []
        while len(tables) < 2 and self.choices.chance(12):
            made = self.query(1, (), ())
            name = self.new_name("w")
            columns: tuple[tree.Name, ...] = ()
            if self.choices.chance(25):
                columns = tuple(tree.Name(f"k{number}") for number in range(len(made.columns)))
                made = replace(made, columns=tuple(Column(f"k{number}", column.kind) for number, column in enumerate(made.columns)))
            tables.append(tree.CommonTable(name, columns, made.query))
            self.common.append((name, made.columns))
        return replace(self.query(3, (), ()).query, common_tables=tuple(tables))

    def query(self, depth: int, outer: tuple[Source, ...], kinds: tuple[str, ...], star: bool = True) -> Made:
        """A query; ``kinds`` are those of its columns, as many as there are, or empty for any."""
        if depth > 0 and self.choices.chance(10):
            return self.set_query(depth, outer, kinds)
        select, columns, place = self.select(depth, outer, kinds, star)
        order: tuple[tree.OrderItem, ...] = ()
        offset = None
        if self.choices.chance(20):
            select = replace(select, top=self.choices.of((3, 1, 10, 0, 100, 2147483648)))
        if self.choices.chance(8):
            offset = self.choices.of((1, 0, 2, 20, 3000000000))
        if select.top is not None or offset is not None:
            order = self.total_order(columns) if not self.choices.chance(4) else ()
        elif self.choices.chance(25):
            order = tuple(self.order_item(select, columns, place) for _ in range(1 + self.choices.below(3)))
        return Made(tree.Query(select, (), order, offset), columns)

    def set_query(self, depth: int, outer: tuple[Source, ...], kinds: tuple[str, ...]) -> Made:
        if not kinds:
            kinds = tuple(self.choices.of(USUAL) for _ in range(1 + self.choices.below(3)))
        left, right = self.operand(depth - 1, outer, kinds), self.operand(depth - 1, outer, kinds)
        operator = self.choices.of(("UNION", "EXCEPT", "INTERSECT"))
        first, second = left[0], right[0]
        if isinstance(first, tree.SetOperation) and operator == "INTERSECT" and first.operator != "INTERSECT":
            first = tree.Query(first)  # in parentheses
        if isinstance(second, tree.SetOperation) and (operator == "INTERSECT" or second.operator != "INTERSECT"):
            second = tree.Query(second)
        body = tree.SetOperation(operator, self.choices.chance(40), first, second)
        order: tuple[tree.OrderItem, ...] = ()
        offset = None
        if self.choices.chance(30):
            order = self.total_order(left[1])
            offset = self.choices.of((None, 1, 3))
        return Made(tree.Query(body, (), order, offset), left[1])

    def operand(self, depth: int, outer: tuple[Source, ...], kinds: tuple[str, ...]) -> tuple[tree.Body, tuple[Column, ...]]:
        made = self.query(depth, outer, kinds, star=False)
        query = made.query
        parentheses = query.order_by or query.offset is not None or self.choices.chance(20)
        return (query if parentheses else query.body), made.columns

    def total_order(self, columns: tuple[Column, ...]) -> tuple[tree.OrderItem, ...]:
        """All columns in some order, so that equal rows alone may change places."""
        numbers = list(range(1, len(columns) + 1))
        order = [numbers.pop(self.choices.below(len(numbers))) for _ in range(len(columns))]
        return tuple(tree.OrderItem(tree.NumberLiteral(str(number)), self.choices.chance(40)) for number in order)

    def order_item(self, select: tree.Select, columns: tuple[Column, ...], place: Place) -> tree.OrderItem:
        number = self.choices.below(len(columns))
        form = self.choices.below(3)
        value: tree.Expression = tree.NumberLiteral(str(number + 1))
        if form == 1 and sum(column.label.casefold() == columns[number].label.casefold() for column in columns) == 1:
            value = tree.ColumnReference((self.name(columns[number].label),))
        elif form == 2 and not select.distinct:
            value = self.value(self.choices.of(USUAL), place, 1)
            if isinstance(value, tree.NumberLiteral):
                value = tree.Sign("+", value)  # alone it would be a column's number
        return tree.OrderItem(value, self.choices.chance(40))

    # -- SELECT

    def select(
        self, depth: int, outer: tuple[Source, ...], kinds: tuple[str, ...], star: bool
    ) -> tuple[tree.Select, tuple[Column, ...], Place]:
        tables, sources, visible = self.from_clause(depth, outer)
        rows = Place(sources, visible, outer)
        where = self.condition(rows, 2) if self.choices.chance(45) else None
        distinct = self.choices.chance(12)
        if star and not kinds and self.choices.chance(12) and _differ(visible):
            return tree.Select((tree.Star(),), tables, distinct, None, where), visible, rows
        place, group_by, having = rows, (), None
        if self.choices.chance(25):
            group_by = tuple(self.group_item(rows) for _ in range(self.choices.below(3)))
            place = replace(rows, grouped=tuple((item, kind) for item, kind in group_by), aggregates=True)
            having = self.condition(place, 1) if self.choices.chance(30) else None
        items, columns = self.items(place, kinds, having is not None or bool(group_by))
        keys = tuple(self.group_key(item, items, rows) for item, _ in group_by)
        return tree.Select(items, tables, distinct, None, where, keys, having), columns, place

    def group_item(self, place: Place) -> tuple[tree.Expression, str]:
        kind = self.choices.of(USUAL)
        value = self.column(kind, place) if not self.choices.chance(20) else self.value(kind, place, 1)
        if value is None or isinstance(value, tree.NumberLiteral):
            value, kind = self.reference(place, place.visible[0]), place.visible[0].kind
        return value, kind

    def group_key(self, value: tree.Expression, items: tuple[tree.SelectItem, ...], rows: Place) -> tree.Expression:
        """A value of GROUP BY, by its name in the SELECT list where it has one that is no column's."""
        for item in items:
            if item.expression == value and item.alias and self.choices.chance(50):
                folded = item.alias.text.casefold()
                if not any(column.label.casefold() == folded for column in rows.visible):
                    return tree.ColumnReference((item.alias,))
        return value

    def items(self, place: Place, kinds: tuple[str, ...], is_grouped: bool) -> tuple[tuple[tree.SelectItem, ...], tuple[Column, ...]]:
        """The SELECT list; a grouped one without GROUP BY has an aggregate function in it."""
        wanted = kinds or tuple(self.choices.of(USUAL) for _ in range(1 + self.choices.below(4)))
        items, columns = [], []
        taken: set[str] = set()
        for number, kind in enumerate(wanted):
            needs_aggregate = place.grouped == () and not is_grouped and number == 0
            value = self.aggregate(kind, place) if needs_aggregate else self.value(kind, place, 3)
            label = self.declared[value] if isinstance(value, tree.ColumnReference) else ""
            alias = None
            if not label or label.casefold() in taken or self.choices.chance(25):
                label = next(
                    name for name in (self.choices.of(_ALIASES), *(f"c{number + i}" for i in range(9))) if name.casefold() not in taken
                )
                alias = self.name(label)
                label = alias.text
            taken.add(label.casefold())
            items.append(tree.SelectItem(value, alias))
            columns.append(Column(label, kind))
        return tuple(items), tuple(columns)

    # -- FROM

    def from_clause(
        self, depth: int, outer: tuple[Source, ...]
    ) -> tuple[tuple[tree.TableReference, ...], tuple[Source, ...], tuple[Column, ...]]:
        first, sources, visible = self.table(depth, bool(outer))
        if depth > 0 and self.choices.chance(30):
            first, sources, visible = self.join(first, sources, visible, depth, outer)
            if self.choices.chance(8):
                first, sources, visible = self.join(first, sources, visible, 0, outer)
        elif depth > 0 and self.choices.chance(10):
            second, more, others = self.table(depth - 1, True)
            return (first, second), sources + more, visible + others
        return (first,), sources, visible

    def table(self, depth: int, needs_alias: bool) -> tuple[tree.TableReference, tuple[Source, ...], tuple[Column, ...]]:
        if depth > 1 and self.choices.chance(15):
            made = self.query(depth - 2, (), ())
            alias = self.new_name("q")
            return tree.DerivedTable(made.query, alias), (Source(((alias,),), made.columns),), made.columns
        if self.common and self.choices.chance(50):
            name, columns = self.choices.of(self.common)
            alias = self.new_name("t")
            return tree.TableName((name,), alias), (Source(((alias,),), columns),), columns
        table = self.choices.of((TABLES[0], TABLES[0], TABLES[1], TABLES[0], TABLES[1], TABLES[0], TABLES[1], TABLES[2]))
        columns = tuple(Column(column.name, kind_of(column)) for column in table.columns)
        schema, name = tree.Name(SCHEMA), tree.Name(self.any_case(table.name))
        parts = (schema, name) if not self.choices.chance(20) else (tree.Name(SCHEMA, True), tree.Name(table.name, True))
        if needs_alias or self.choices.chance(50) or self.used(table):
            alias = self.new_name("t")
            return tree.TableName(parts, alias), (Source(((alias,),), columns),), columns
        return tree.TableName(parts), (Source(((name,), (schema, name)), columns),), columns

    def used(self, table: FixedTable) -> bool:
        """Whether the table stands without alias already, somewhere in the query."""
        seen = table.name in self._plain
        self._plain.add(table.name)
        return seen

    _plain: set[str] = field(default_factory=set)

    def join(
        self, left: tree.TableReference, sources: tuple[Source, ...], visible: tuple[Column, ...], depth: int, outer: tuple[Source, ...]
    ) -> tuple[tree.TableReference, tuple[Source, ...], tuple[Column, ...]]:
        right, more, others = self.table(depth - 1, True)
        kind = self.choices.of(("INNER", "LEFT", "INNER", "RIGHT", "FULL", "INNER", "CROSS"))
        both = visible + others
        if kind == "CROSS":
            return tree.Join(kind, left, right), sources + more, both
        labels = [column.label for column in others]
        shared = [
            column
            for column in visible
            if column.label in labels
            and sum(same.label.casefold() == column.label.casefold() for same in visible) == 1
            and sum(label.casefold() == column.label.casefold() for label in labels) == 1
            and next(same.kind for same in others if same.label == column.label) in comparable(column.kind)
        ]
        form = self.choices.below(100)
        in_common = {column.label for column in visible} & set(labels)
        if form >= 90 and in_common == {column.label for column in shared}:
            return tree.Join(kind, left, right, natural=True), sources + more, _merged([c.label for c in visible if c in shared], both)
        if form >= 75 and shared:
            using = [shared[self.choices.below(len(shared))]]
            if self.choices.chance(30):
                using += [column for column in shared if column not in using][:1]
            names = tuple(self.name(column.label) for column in using)
            return tree.Join(kind, left, right, using=names), sources + more, _merged([column.label for column in using], both)
        condition = self.join_condition(Place(sources, visible), Place(more, others))
        if kind != "FULL" and self.choices.chance(35):
            extra = self.condition(Place(sources + more, both, outer), 1)
            condition = extra if self.choices.chance(40) else tree.And((condition, extra))
        return tree.Join(kind, left, right, condition=condition), sources + more, both

    def join_condition(self, left: Place, right: Place) -> tree.Expression:
        """An equality between the two sides."""
        for kind in (self.choices.of(("whole", "text", "number", "boolean")), "whole", "number", "text", "timestamp", "boolean"):
            first, second = self.column(kind, left, True), self.column(kind, right, True)
            if first is not None and second is not None:
                return tree.Comparison("=", first, second)
        return tree.Comparison("=", tree.NumberLiteral("1"), tree.NumberLiteral("1"))


def kind_of(column: FixedColumn) -> str:
    """What a column of the fixed tables can be used for."""
    return {"wild": "wild", "huge": "big"}.get(column.name, _KINDS[column.type])


def _differ(columns: tuple[Column, ...]) -> bool:
    return len({column.label.casefold() for column in columns}) == len(columns)


def _merged(labels: list[str], columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns of a join with USING: the shared ones once and first."""
    folded = {label.casefold() for label in labels}
    first = [next(column for column in columns if column.label == label) for label in labels]
    return (*first, *(column for column in columns if column.label.casefold() not in folded))


def make_query(entropy: bytes) -> tree.Query:
    """The query that a byte string means."""
    return QueryMaker(Choices(entropy)).whole_query()
