"""The heads of rules as Python statements: what is done with a binding in the end."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from bloompy.agg import AGGREGATES
from bloompy.engine.bag import Bag
from bloompy.engine.expression import place, to_ast
from bloompy.engine.loops import Loops
from bloompy.engine.plan import Step
from bloompy.engine.support import ranked_bindings, user_aggregate
from bloompy.engine.syntax import assign, at, load_name, parse, parse_target, statements, user_name
from bloompy.engine.template import Instance
from bloompy.engine.tick import PlainRow
from bloompy.engine.variant import Form
from bloompy.engine.writing import lazy_lookup
from bloompy.errors import UnorderableValues
from bloompy.ir.nodes import Aggregate, Const, Expression, Field, RowVariable, Scan, Variable
from bloompy.ir.walk import walk
from bloompy.lattices import lmax, lmin
from bloompy.schema import Schema


class Heads(Loops):
    """Writes how rows are made of bindings, put into the head or listed; with aggregates, group by group."""

    @property
    def aggregating(self) -> bool:
        """Whether the head aggregates."""
        return self.derivation.aggregates

    @property
    def windows(self) -> list[Aggregate]:
        """The ranks of the head."""
        return [node for node in self._aggregate_nodes() if node.function == "rank" and not node.user]

    def _aggregate_nodes(self) -> list[Aggregate]:
        return [node for expression in self.query.head for node in walk(expression) if isinstance(node, Aggregate)]

    # -- heads

    def _put_row(self, use: Callable[[ast.expr], list[ast.stmt]]) -> list[ast.stmt]:
        """Make the head's row and use it, unless a row that it looks up is missing."""
        row = self._head_row()
        if any(lazy_lookup(expression) for expression in self.query.head):
            return self._try("_value", row, use(load_name("_value")))
        return use(row)

    def _append(self, row: ast.expr) -> list[ast.stmt]:
        """Append a row to what is listed."""
        refuse_nan = self._refuse_nan("")
        if not refuse_nan and not self.checked and not self.lifted:
            return [ast.Expr(ast.Call(load_name("_add"), [row], []))]
        checked = ast.Call(load_name("_check" if self.checked else "_lift"), [row], []) if self.checked or self.lifted else row
        first = assign("_row", checked)
        return [first, *statements(f"{refuse_nan}_add(_row)")]

    def _head_row(self) -> ast.expr:
        same = self._row_itself()
        if same is not None:
            return user_name(same)
        return place(ast.Tuple([self._expression(one) for one in self.query.head], ast.Load()), self.query.span)

    def _row_itself(self) -> str | None:
        """The row variable that the head repeats column by column."""
        names = set()
        for i, expression in enumerate(self.query.head):
            match expression:
                case Field(RowVariable(name, collection), _, index) if index == i and self._whole(collection):
                    names.add(name)
                case _:
                    return None
        return names.pop() if len(names) == 1 else None

    def _whole(self, collection: str) -> bool:
        return self.schemas[collection].width == len(self.query.head)

    def _insert(self, row: ast.expr) -> list[ast.stmt]:
        """Put a row into the head unless it is there; two rows of one key are a conflict."""
        schema = self.schemas[self.derivation.head]
        first = assign("_row", ast.Call(load_name("_check"), [row], []) if self.checked else row)
        span = self.query.head[0].span if self.query.head else self.query.span
        varies = any(isinstance(node, ast.Name) for node in ast.walk(row))  # else Python makes the tuple once and for all
        insertion = self._insertion(schema, made=isinstance(row, ast.Tuple) and varies and not self.checked)
        return [at(statement, span) for statement in (first, *statements(insertion))]

    def _insertion(self, schema: Schema, made: bool) -> str:
        """Statements that put `_row` in; `made`: it was made just now, so that no relation can hold the very same tuple."""
        if schema.all_key and schema.width > 1:
            refuse_nan = self._refuse_nan("    ")
            if made and not refuse_nan:  # one hash instead of two
                return f"if _rows.setdefault(_row, _row) is _row:\n    _add(_row)\n{self._count_again()}"
            return f"if _row not in _rows:\n{refuse_nan}    _rows[_row] = _row\n    _add(_row)\n{self._count_again()}"
        key = ", ".join(f"_row[{i}]" for i in schema.key_indexes)
        key = key if len(schema.key_indexes) == 1 else f"({key})"
        if schema.lattices:
            return self._candidate(schema, key)
        return (
            f"_key = {key}\n_old = _rows.get(_key)\n"
            f"if _old is None:\n{self._refuse_nan('    ')}    _rows[_key] = _row\n    _add(_row)\n"
            f"elif _old is not _row and _old != _row:\n    raise _conflict(_old, _row)\n{self._count_again()}"
        )

    def _candidate(self, schema: Schema, key: str) -> str:
        """Statements that add `_row` to what is to be merged, unless it is seen at once that it adds nothing."""
        add = f"{self._refuse_nan('')}_add(_row)\n"
        if not all(found in (lmax, lmin) for _, found in schema.lattices):
            return add
        less = " and ".join(f"_old[{i}] {'<=' if found is lmin else '>='} _row[{i}]" for i, found in schema.lattices)
        added = "".join(f"    {line}\n" for line in add.splitlines())
        return (
            f"_old = _rows.get({key})\n"
            f"try:\n    _adds = _old is None or not ({less})\n"
            f"except TypeError:\n    _adds = True\n"  # merging will say what cannot be compared
            f"if _adds:\n{added}"
        )

    def _count_again(self) -> str:
        """What becomes of a row that is there: where derivations are counted, it has one more."""
        return "else:\n    _again(_row)" if self.derivation.counted else ""

    def _refuse_nan(self, indent: str) -> str:
        """Statements that refuse a NaN in a key of the collection that the rule is for."""
        if self.checked or self.rule.by_key or self.rule.kind == "invariant":
            return ""
        schema, name = self.schemas[self.rule.head], self.rule.head
        self.outer["_refuse"] = lambda _: lambda row: schema.check(name, row)
        doubtful = [i for i in schema.nan_keys if not self._is_key(self.query.head[i])]
        return "".join(f"{indent}if _row[{i}] != _row[{i}]:\n{indent}    _refuse(_row)\n" for i in doubtful)

    def _is_key(self, expression: Expression) -> bool:
        """Whether an expression is surely no NaN, being a column of some row's key."""
        match expression:
            case Field(RowVariable(_, collection), _, index):
                return index in self.schemas[collection].key_indexes
            case Variable(name):
                scans = [clause for clause in self.query.body if isinstance(clause, Scan) and isinstance(clause.target, tuple)]
                found = [(scan, scan.target.index(name)) for scan in scans if name in scan.target]
                return any(index in self.schemas[scan.collection].key_indexes for scan, index in found)
            case Const(value):
                return not isinstance(value, float)
        return False

    # -- aggregates

    def _grouped(self, steps: list[Step]) -> list[ast.stmt]:
        """Collect each group's arguments in lists, then aggregate them group by group."""
        lists = self._argument_lists()
        loop = ast.For(parse_target("_group, _lists"), parse("_out.items()"), self._insert(self._group_row(lists)), [])
        return [*statements("_out = {}"), *self._collecting(steps, self._collect_group(lists)), loop]

    def _argument_lists(self) -> dict[tuple[Expression, ...], int]:
        """The arguments of the head's aggregates, each with the number of the list that collects them."""
        lists: dict[tuple[Expression, ...], int] = {}
        for node in self._aggregate_nodes():
            lists.setdefault(node.arguments, len(lists))
        return lists

    def _collect_group(self, lists: Mapping[tuple[Expression, ...], int]) -> list[ast.stmt]:
        """For a binding, append its arguments to the lists of its group."""
        group = ast.Tuple([self._expression(one) for one in self.query.head if not _aggregates(one)], ast.Load())
        arguments_of = {arguments: self._argument(arguments) for arguments in lists}
        early: list[ast.stmt] = []
        if any(lazy_lookup(expression) for expression in self.query.head):  # a binding that lacks a row counts nowhere
            early = [assign(f"_argument{i}", arguments_of[arguments]) for arguments, i in lists.items()]
            arguments_of = {arguments: load_name(f"_argument{i}") for arguments, i in lists.items()}
        collect: list[ast.stmt] = [
            assign("_group", group),
            *early,
            *statements("_lists = _out.get(_group)"),
            *statements(f"if _lists is None:\n    _out[_group] = _lists = ({'[], ' * len(lists)})"),
        ]
        for arguments, i in lists.items():
            collect.append(ast.Expr(ast.Call(parse(f"_lists[{i}].append"), [arguments_of[arguments]], [])))
        return collect

    def _group_row(self, lists: Mapping[tuple[Expression, ...], int]) -> ast.expr:
        """The head's row of `_group` with its `_lists`."""
        keys = [one for one in self.query.head if not _aggregates(one)]
        columns: list[ast.expr] = []
        for expression in self.query.head:
            position = keys.index(expression) if not _aggregates(expression) else None
            columns.append(parse(f"_group[{position}]") if position is not None else self._aggregated(expression, lists))
        return ast.Tuple(columns, ast.Load())

    def _collecting(self, steps: list[Step], collect: list[ast.stmt]) -> list[ast.stmt]:
        if not any(lazy_lookup(expression) for expression in self.query.head):
            return self._nest(steps, collect)
        handler = ast.ExceptHandler(load_name("_Missing"), None, [ast.Pass()])
        return self._nest(steps, [ast.Try(collect, [handler], [], [])])

    def _argument(self, arguments: tuple[Expression, ...]) -> ast.expr:
        if not arguments:
            return ast.Constant(None)
        values = [self._expression(one) for one in arguments]
        return values[0] if len(values) == 1 else ast.Tuple(values, ast.Load())

    def _aggregated(self, expression: Expression, lists: Mapping[tuple[Expression, ...], int]) -> ast.expr:
        def special(node: Expression) -> ast.expr:
            if not isinstance(node, Aggregate):
                return self._special(node)
            function = f"_agg{len(self.outer)}"
            self.outer[function] = self._aggregate(node)
            return parse(f"{function}(_lists[{lists[node.arguments]}], _group)")

        return to_ast(expression, special)

    def _aggregate(self, node: Aggregate) -> Callable[[Instance], Any]:
        place, name = self.rule.place, node.function
        built_in = None if node.user else AGGREGATES[name]

        def bind(instance: Instance) -> Callable[[list[Any] | Bag, PlainRow], Any]:
            def aggregate(values: list[Any] | Bag, group: PlainRow) -> Any:
                try:
                    if built_in is None:
                        return user_aggregate(name, instance.scope)(list(values))
                    return values.aggregate(name) if isinstance(values, Bag) else built_in(values)
                except UnorderableValues as error:
                    raise UnorderableValues(f"{place}, group {group!r}: {error.message}", hint=error.hint) from None

            return aggregate

        return bind

    def _ranked(self, steps: list[Step]) -> list[ast.stmt]:
        """Collect all bindings by partition, then give each its rank."""
        loop = ast.For(parse_target("_lists"), parse("_out.values()"), [self._rank_loop("_lists[0]")], [])
        return [*statements("_out = {}"), *self._collecting(steps, self._collect_window()), loop]

    def _collect_window(self) -> list[ast.stmt]:
        """For a binding, append its plain columns and orders to the list of its partition."""
        windows = self.windows
        orders: list[ast.expr] = [
            ast.Tuple([self._expression(rank.arguments[1]), self._expression(rank.arguments[0])], ast.Load()) for rank in windows
        ]
        plain = [self._expression(one) for one in self.query.head if not _aggregates(one)]
        binding = ast.Tuple([ast.Tuple(plain, ast.Load()), ast.Tuple(orders, ast.Load())], ast.Load())
        alike = all(rank.arguments[1] == windows[0].arguments[1] for rank in windows)  # else all are one partition
        return [
            assign("_binding", binding),
            *statements(f"_lists = _out.get(_group := {'_binding[1][0][0]' if alike else '()'})"),
            *statements("if _lists is None:\n    _out[_group] = _lists = ([],)"),
            *statements("_lists[0].append(_binding)"),
        ]

    def _rank_loop(self, bindings: str) -> ast.stmt:
        """Rank the bindings of a partition, and put or list their rows."""
        windows = self.windows
        plain = [one for one in self.query.head if not _aggregates(one)]
        count, where = len(windows), self.rule.place
        self.outer["_ranks"] = lambda _: lambda bindings: ranked_bindings(bindings, count, where)
        columns = [
            parse(f"_plain[{plain.index(one)}]") if not _aggregates(one) else self._rank_column(one, windows) for one in self.query.head
        ]
        row = ast.Tuple(columns, ast.Load())
        use = self._insert(row) if self.variant.form is Form.PUT else self._append(row)
        return ast.For(parse_target("_plain, _positions"), parse(f"_ranks({bindings})"), use, [])

    def _rank_column(self, expression: Expression, windows: list[Aggregate]) -> ast.expr:
        def special(node: Expression) -> ast.expr:
            if isinstance(node, Aggregate):
                return parse(f"_positions[{next(i for i, rank in enumerate(windows) if rank is node)}]")
            return self._special(node)

        return to_ast(expression, special)


def _aggregates(expression: Expression) -> bool:
    return any(isinstance(node, Aggregate) for node in walk(expression))
