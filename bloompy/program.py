"""`Bloom`: a class body becomes a program, an instance of it runs."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import attrs

from bloompy.analysis.dependencies import references
from bloompy.analysis.strata import strata
from bloompy.declarations import Collection, LatticeCollection, ModuleDeclaration, Param, Table
from bloompy.engine.machine import Machine
from bloompy.engine.tick import Environment, Evaluator, Scope, Tick
from bloompy.errors import DeclarationError, InheritanceConflict, ParameterError, ReservedName, RuleError, UsageError
from bloompy.ir import nodes
from bloompy.ir.rewrite import of_cluster, prefixed
from bloompy.lang.compile import check_helper, compile_method
from bloompy.lang.methods import RuleMethod
from bloompy.lang.scope import ClassScope
from bloompy.lattices import Lattice, is_lattice
from bloompy.schema import parse_schema
from bloompy.span import UNKNOWN, Span

if TYPE_CHECKING:
    from bloompy.engine.explanation import Explanation
    from bloompy.engine.provenance.answers import Why, WhyNot
    from bloompy.pictures.dataflow import Dataflow

SHARED = frozenset({"dead_letter"})
"""Collections of the runtime, one for a program and all its inner modules."""

_Declaration: TypeAlias = "Collection[Any, Any] | Param | ModuleDeclaration | RuleMethod"
_DECLARATIONS = (Collection, Param, ModuleDeclaration, RuleMethod)


class Bloom:
    """A distributed program: collections as class attributes, rules as methods. Subclass it.

    Args:
        me: the node's own address, readable in rules as `self.me`.
        seed: of the draws `self.rand`.
        clock: seconds; `time.time` by default. Timers fire by it.
        evaluator: "codegen", or "naive", the slow one that is the meaning of the language as code.
        debug: check every derived row against its schema.
        profile: count and time every rule, for `explain`.
        provenance: keep the input of every tick, for `why` and `why_not`.
        **parameters: values for the class's params.

    Raises:
        ParameterError: for a parameter that the class does not declare, or a value that is not of the type of its default: a number
            for a number; where the default is None, any value fits.

    Subclassing raises a `RuleError` for everything wrong in the class body (see `bloompy.errors`).
    """

    program_ir: ClassVar[nodes.Program] = nodes.Program("Bloom", (), ())
    cluster_ir: ClassVar[nodes.Program] = nodes.Program("Bloom", (), ())
    """The invariants of the whole cluster, over the rows of all its nodes."""
    _declared: ClassVar[dict[str, _Declaration]] = {}
    _owners: ClassVar[dict[str, type[Bloom]]] = {}
    _own_rules: ClassVar[dict[str, tuple[list[nodes.Rule], list[nodes.Collection]]]] = {}
    _helper_names: ClassVar[tuple[str, ...]]

    dead_letter = Table[Any, int, str, Any, str, float](
        "table",
        parse_schema("no: int -> channel: str, row, error: str, time: float", {"int": int, "str": str, "float": float}.__getitem__),
        UNKNOWN,
    )
    """Messages set aside because their tick failed, with the error; the last 1,000. Read only."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        try:
            cls._compile()
        except RuleError as error:
            raise error.with_traceback(None) from None

    @classmethod
    def _compile(cls) -> None:
        """Read the class body; everything wrong in it is a RuleError."""
        for name, value in list(cls.__dict__.items()):
            if is_lattice(value) and not value.__qualname__.startswith(f"{cls.__qualname__}."):
                hint = f"declare a collection: {name} = lattice.{value.__name__}(), or name it as the type of a value column"
                raise DeclarationError(f"{cls.__qualname__}.{name} is the lattice {value.__qualname__} itself", hint=hint)
            if isinstance(value, Lattice):
                declared = LatticeCollection(value)
                declared.__set_name__(cls, name)
                setattr(cls, name, declared)
        own = {name: value for name, value in cls.__dict__.items() if isinstance(value, _DECLARATIONS)}
        for name, declaration in own.items():
            if name in RESERVED:
                raise ReservedName(f"{name!r} is a name of every instance", _span(declaration), hint="choose another name")
            if isinstance(declaration, Param) and name in _KEYWORDS:
                raise ReservedName(f"every program takes {name!r} for itself", _span(declaration), hint="choose another name")
        _check_mixins(cls)
        cls._declared, cls._owners = _inherited(cls, own)
        cls._own_rules = {}
        collections = _collections(cls)
        scope = _scope(cls, collections)
        for name, method in own.items():
            if isinstance(method, RuleMethod):
                cls._own_rules[name] = compile_method(method, _cluster_scope(scope) if method.scope == "cluster" else scope)
        for name, value in cls.__dict__.items():
            if isinstance(value, FunctionType) and _is_helper(cls, name, value):
                check_helper(value)
        cls.program_ir = cls._rewritten(_program(cls, collections))
        cls.cluster_ir = _cluster_program(cls, collections)
        strata(cls.program_ir)

    @classmethod
    def _rewritten(cls, program: nodes.Program) -> nodes.Program:
        """What the class makes of its own program when it is created; the program itself, unless a library overrides it.

        For libraries of programs: a base class can so add rules to those of its subclasses, or change collections, according to
        what they declare. Rules that are added have the scope "", in which only builtins have names. A rewritten program that has no
        strata is refused like one that was written so.

        Args:
            program: all that the class says, inherited and inner collections and rules included.
        """
        return program

    def __init__(
        self,
        me: str = "local",
        *,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        evaluator: str = "codegen",
        debug: bool = False,
        profile: bool = False,
        provenance: bool = False,
        **parameters: Any,
    ) -> None:
        cls = type(self)
        values = _parameters(cls, parameters)
        scopes = _scopes(cls)
        methods = _methods(cls, values, "")

        def environment(address: str) -> Environment:
            return Environment(address, scopes, values, methods, debug, profile)

        make = _recording(_evaluator(evaluator)) if provenance else _evaluator(evaluator)
        machine = Machine(cls.program_ir, environment, make, me, seed, clock)
        self.__dict__["_machine"] = machine
        for name, handle in _handles(cls, machine, values, "").items():
            self.__dict__[name] = handle

    @property
    def me(self) -> str:
        """The node's own address."""
        return self._machine.me

    @property
    def now(self) -> float:
        """Time of the last tick, in seconds of the clock; in rules, of this tick."""
        return self._machine.now

    @property
    def step(self) -> int:
        """Number of ticks so far; in rules, the number of this one."""
        return self._machine.step

    @property
    def rand(self) -> float:
        """In rules: one draw in [0, 1) for each tick."""
        raise UsageError("self.rand is a constant of the tick, for rules", hint="outside rules use the random module")

    def tick(self, now: float | None = None) -> Tick:
        """Run one tick with all that is staged, and keep messages to this node itself for its next tick.

        Args:
            now: seconds of the clock, by which timers fire; the clock itself by default.

        Returns:
            the tick: what it sent, what began and ceased to hold.

        Raises:
            KeyConflict, InvariantViolation, or what a rule's expression raised: then nothing has happened, and the
            input of the tick is in `error.batch`.
        """
        machine: Machine = self._machine
        if machine.on_stage is not None:
            raise UsageError("a program that a node runs ticks by itself", hint="insert, and read or await what follows")
        tick = machine.run(machine.take(machine.clock() if now is None else now))
        for channel, rows in tick.sent.items():
            _deliver(machine, machine.program.by_name[channel], rows)
        machine.notify(tick)
        return tick

    def explain(self, part: str | None = None) -> Explanation:
        """How the program is evaluated: strata, indexes, and the plan of every rule for every change that can drive it.

        With `profile=True` also how often each ran, for how many rows, and how long it took.

        Args:
            part: a collection, for the rules that fill it, or the label of a rule ("Class.method", or just "method").

        Returns:
            what prints itself as text, and in a notebook as folded HTML.

        Raises:
            UsageError: for a part that there is not.
        """
        from bloompy.engine.explain import explain  # asked for by few, at import by none

        with self._machine.lock:
            return explain(self._machine.evaluator.workings(), part)

    def why(self, what: Any, row: Any = None, *, tick: int | None = None, limit: int | None = None) -> Why:
        """Why a row holds, or held: its derivation across ticks, with rules and lines. Needs `provenance=True`.

        `p.why("best", ("a", "c"))` asks for the row of a key, `p.why("best", ("a", "c", 3))` for a row, and `p.why(row)` for one that
        was read from a collection.

        Args:
            what: full name of a collection, or a row that was read from one.
            row: the row, or its key.
            tick: at the end of which it held; by default the last in which it did.
            limit: follow at most so many rows; 1,000 by default.

        Returns:
            what prints itself as a tree, and in a notebook as a folded one.

        Raises:
            UsageError: if it did not hold, or no record was kept.
        """
        from bloompy.engine.provenance import asking  # asked for by few, at import by none

        machine: Machine = self._machine
        with machine.lock:
            prover = asking.prover_of(machine)
            name, given = asking.asked(machine, what, row)
            return asking.why(prover, name, given, tick, asking.FOLLOWED if limit is None else limit)

    def why_not(self, what: Any, row: Any = None, *, tick: int | None = None) -> WhyNot:
        """Why a row does not hold: how far each rule came that could derive it, and what it lacked. Needs `provenance=True`.

        Args:
            what: full name of a collection, or a row that was read from one.
            row: the row, or its key; `...` in place of a value that does not matter.
            tick: at the end of which it does not hold; by default the last.

        Returns:
            what prints itself as text, the nearest rule first.

        Raises:
            UsageError: if it does hold, or no record was kept.
        """
        from bloompy.engine.provenance import asking, lacking

        machine: Machine = self._machine
        with machine.lock:
            prover = asking.prover_of(machine)
            return lacking.why_not(prover, *asking.asked(machine, what, row), tick)

    @classmethod
    def dataflow(cls) -> Dataflow:
        """The program as a graph of collections and rules, with its points of order: it draws itself in notebooks.

        `str(…)`, `.svg()`, `.mermaid()`, `.dot()` and `.html()` give it as text; `.around("collection")` a part of it.
        """
        from bloompy.pictures.dataflow import Dataflow  # asked for by few, at import by none

        return Dataflow.of(cls.program_ir)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._declared:
            raise UsageError(f"{name!r} belongs to the program and cannot be set", hint="use .insert(…), .upsert(…), or a parameter")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.me}, {self.step} tick{'' if self.step == 1 else 's'}>"

    def _repr_html_(self) -> str:
        """The collections that hold something, as tables, for notebooks."""
        return "".join(each._repr_html_() for each in vars(self).values() if isinstance(each, Collection) and len(each))

    _machine: Machine


RESERVED = frozenset(name for name in vars(Bloom) if not name.startswith("__"))


_KEYWORDS = frozenset(Bloom.__init__.__kwdefaults__ or ())
"""What instances take besides params."""


def machine_of(program: Bloom) -> Machine:
    """The machine behind an instance, for whatever runs it."""
    return program._machine


def _deliver(machine: Machine, channel: nodes.Collection, rows: list[tuple[Any, ...]]) -> None:
    if channel.kind == "stdio":
        for row in rows:
            print(row[0])
    else:
        address = channel.schema.address
        for row in rows:
            if address is None or row[address] == machine.me:
                machine.deliver(channel.name, row)


def _recording(make: Callable[[nodes.Program, Environment], Evaluator]) -> Callable[[nodes.Program, Environment], Evaluator]:
    from bloompy.engine.provenance.replay import Recording

    return Recording.of(make)


def _evaluator(name: str) -> type[Evaluator]:
    if name == "codegen":
        from bloompy.engine.codegen import Codegen

        return Codegen
    if name == "naive":
        from bloompy.engine.naive import Naive

        return Naive
    raise UsageError(f"there is no evaluator {name!r}", hint="'codegen' or 'naive'")


# --- class bodies -----------------------------------------------------------------------------------------------


def _span(declaration: _Declaration) -> Span:
    return Span.of_code(declaration.function.__code__) if isinstance(declaration, RuleMethod) else declaration.span


def _inherited(cls: type[Bloom], own: Mapping[str, _Declaration]) -> tuple[dict[str, _Declaration], dict[str, type[Bloom]]]:
    """All declarations of a class by name with the class that each is from, bases first."""
    declared: dict[str, _Declaration] = {}
    owners: dict[str, type[Bloom]] = {}
    for base in reversed(cls.__mro__[1:]):
        if base is Bloom or not issubclass(base, Bloom):
            continue
        for name, declaration in base.__dict__.items():
            if isinstance(declaration, _DECLARATIONS):
                known = declared.get(name)
                if known is not None and not _overrides(base, owners[name], declaration) and name not in own:
                    _check_equal(name, (base, declaration), (owners[name], known))
                if known is None or not _same(known, declaration):
                    declared[name], owners[name] = declaration, base
    for name, declaration in own.items():
        known = declared.get(name)
        if known is not None and type(known) is not type(declaration):
            raise _conflict(name, owners[name], cls, declaration)
        if isinstance(declaration, Collection | ModuleDeclaration) and known is not None:
            _check_equal(name, (owners[name], known), (cls, declaration))
        declared[name] = declaration
        owners[name] = owners[name] if isinstance(declaration, Collection) and known is not None else cls
    return declared, owners


def _check_mixins(cls: type[Bloom]) -> None:
    """Nothing that a class declares may be passed over in silence: by a mixin that is no Bloom, by a plain value over a declaration."""
    for base in cls.__mro__[1:]:
        for name, declaration in vars(base).items():
            if isinstance(declaration, _DECLARATIONS) and base is not Bloom:
                if not issubclass(base, Bloom):
                    raise DeclarationError(
                        f"{base.__qualname__}.{name} is not read: {base.__qualname__} is no Bloom class",
                        _span(declaration),
                        hint=f"write `class {base.__name__}(Bloom):`",
                    )
                if name in vars(cls) and not isinstance(vars(cls)[name], _DECLARATIONS):
                    raise _replaced(name, declaration, (base, cls))


def _replaced(name: str, declaration: _Declaration, classes: tuple[type, type]) -> InheritanceConflict:
    what, hint = f"the {declaration.kind if isinstance(declaration, Collection) else 'module'}", "choose another name"
    if isinstance(declaration, RuleMethod):
        what, hint = "the rule method", f"write @{declaration.kind} above `def {name}(self):`, with only a docstring to have no rules"
    elif isinstance(declaration, Param):
        what, hint = "the param", f"write `{name} = param(…)`"
    value = vars(classes[1])[name]
    span = Span.of_code(value.__code__) if isinstance(value, FunctionType) else _span(declaration)
    return InheritanceConflict(f"{classes[1].__qualname__}.{name} would hide {what} {classes[0].__qualname__}.{name}", span, hint=hint)


def _overrides(later: type[Bloom], earlier: type[Bloom], declaration: _Declaration) -> bool:
    return issubclass(later, earlier) and isinstance(declaration, RuleMethod | Param)


def _check_equal(
    name: str, first: tuple[type[Bloom], _Declaration], second: tuple[type[Bloom], _Declaration]
) -> None:
    if not _same(first[1], second[1]):
        raise _conflict(name, first[0], second[0], second[1])


def _same(first: _Declaration, second: _Declaration) -> bool:
    match first, second:
        case Collection(), Collection():
            return first.equals(second)
        case Param(), Param():
            return bool(first.default == second.default)
        case ModuleDeclaration(), ModuleDeclaration():
            return first.program is second.program and first.parameters == second.parameters
    return first is second


def _conflict(name: str, first: type[Bloom], second: type[Bloom], declaration: _Declaration) -> InheritanceConflict:
    what = "rule methods" if isinstance(declaration, RuleMethod) else "declarations"
    return InheritanceConflict(
        f"{first.__qualname__} and {second.__qualname__} have different {what} named {name!r}",
        _span(declaration),
        hint="rename one, or override the method in a common subclass" if what == "rule methods" else "rename one of them",
    )


def _collections(cls: type[Bloom]) -> dict[str, nodes.Collection]:
    """Every collection that a class reaches, by full name, inner modules' included."""
    found = {"dead_letter": nodes.Collection("dead_letter", "table", Bloom.dead_letter.schema, owner="Bloom")}
    for name, declaration in cls._declared.items():
        if isinstance(declaration, Collection):
            period = declaration.period
            if isinstance(period, Param):
                period = nodes.Parameter(_parameter_name(cls, period, declaration))
            found[name] = nodes.Collection(
                name,
                declaration.kind,
                declaration.schema,
                declaration.durable,
                period,
                cls._owners[name].__qualname__,
                declaration.span,
                declaration.lattice is not None,
                declaration.delayed,
            )
        elif isinstance(declaration, ModuleDeclaration):
            inner = _inner(declaration)
            found |= prefixed(inner.program_ir, name, SHARED).by_name
    return found


def _parameter_name(cls: type[Bloom], wanted: Param, declaration: Collection[Any, Any]) -> str:
    if not any(wanted is value for base in cls.__mro__ for value in vars(base).values()):
        raise DeclarationError(
            f"the period of {declaration.name!r} is no param of this class", declaration.span, hint="name it in the class"
        )
    return wanted.name


def _inner(declaration: ModuleDeclaration) -> type[Bloom]:
    program = declaration.program
    if not (isinstance(program, type) and issubclass(program, Bloom)):
        raise DeclarationError(f"module({program!r}) names no Bloom class", declaration.span, hint="give a subclass of Bloom")
    known = [name for name, inner in program._declared.items() if isinstance(inner, Param)]
    for name in declaration.parameters:
        if name not in known:
            raise DeclarationError(_no_parameter(program, name, known), declaration.span, hint=f"it has {', '.join(known) or 'none'}")
    return program


def _scope(cls: type[Bloom], collections: Mapping[str, nodes.Collection]) -> ClassScope:
    return ClassScope(
        name=cls.__qualname__,
        collections=collections,
        parameters=_defaults(cls, ""),
        modules=frozenset(name for name, declared in cls._declared.items() if isinstance(declared, ModuleDeclaration)),
        methods={name: value for base in reversed(cls.__mro__) for name, value in vars(base).items() if _is_helper(base, name, value)},
    )


def _is_helper(owner: type, name: str, value: object) -> bool:
    outside = owner is object or owner is Bloom or name.startswith("__") or name == "_rewritten"
    return not outside and isinstance(value, FunctionType | staticmethod | classmethod)


def _program(cls: type[Bloom], collections: Mapping[str, nodes.Collection]) -> nodes.Program:
    rules = [_bottom_rule(cls, one) for one in cls._declared.values() if isinstance(one, LatticeCollection)]
    temporaries: list[nodes.Collection] = []
    for name, declaration in cls._declared.items():
        if isinstance(declaration, RuleMethod) and declaration.scope == "node":
            own_rules, own_temporaries = _own(cls, name, declaration)
            rules += own_rules
            temporaries += own_temporaries
        elif isinstance(declaration, ModuleDeclaration):
            rules += prefixed(_inner(declaration).program_ir, name, SHARED).rules
    return nodes.Program(cls.__qualname__, (*collections.values(), *temporaries), tuple(rules), tuple(_defaults(cls, "")))


def _own(cls: type[Bloom], name: str, method: RuleMethod) -> tuple[list[nodes.Rule], list[nodes.Collection]]:
    """The rules and temporaries of a rule method."""
    rules, temporaries = cls._owners[name]._own_rules[name]
    return [attrs.evolve(each, scope=_scope_name(name, method)) for each in rules], temporaries


def _cluster_scope(scope: ClassScope) -> ClassScope:
    """What invariants of the cluster can name: the rows of all nodes, each with the node that holds it."""
    return attrs.evolve(scope, collections={name: of_cluster(one) for name, one in scope.collections.items()})


def _cluster_program(cls: type[Bloom], collections: Mapping[str, nodes.Collection]) -> nodes.Program:
    """The invariants of the cluster, own, inherited and of inner modules."""
    rules: list[nodes.Rule] = []
    found: list[nodes.Collection] = []
    for name, declaration in cls._declared.items():
        if isinstance(declaration, RuleMethod) and declaration.scope == "cluster":
            own_rules, temporaries = _own(cls, name, declaration)
            rules += own_rules
            found += temporaries
        elif isinstance(declaration, ModuleDeclaration):
            inner = prefixed(_inner(declaration).cluster_ir, name, SHARED)
            rules += inner.rules
            found += [one for one in inner.collections if one.kind == "temporary"]
    if rules:
        read = {reference.collection for rule in rules for reference in references(rule, {})}
        found += [of_cluster(one) for name, one in collections.items() if name in read]
    return nodes.Program(f"{cls.__qualname__} cluster", tuple(found), tuple(rules), tuple(_defaults(cls, "")))


_BOTTOM = "\u00b7bottom"
"""In `Rule.scope`, marks the rule that gives a lattice its bottom."""


def _bottom_rule(cls: type[Bloom], declared: LatticeCollection) -> nodes.Rule:
    """A lattice holds its bottom from the first tick on."""
    query = nodes.Select((nodes.Global("bottom", declared.span),), (), declared.span)
    label, scope = f"{cls._owners[declared.name].__name__}.{declared.name}", f"{declared.name}{_BOTTOM}"
    return nodes.Rule(label, -1, "rule", declared.name, "<=", query, scope=scope, span=declared.span)


# --- instances --------------------------------------------------------------------------------------------------


def _defaults(cls: type[Bloom], prefix: str) -> dict[str, Any]:
    """The class's params and those of its modules, by dotted name; one that a module gets from the outer class is a Parameter."""
    found: dict[str, Any] = {}
    for name, declaration in cls._declared.items():
        if isinstance(declaration, Param):
            found[prefix + name] = declaration.default
        elif isinstance(declaration, ModuleDeclaration):
            inner = f"{prefix}{name}."
            found |= _defaults(_inner(declaration), inner)
            for parameter, value in declaration.parameters.items():
                found[inner + parameter] = nodes.Parameter(prefix + value.name) if isinstance(value, Param) else value
    return found


def _parameters(cls: type[Bloom], given: Mapping[str, Any]) -> dict[str, Any]:
    values = _defaults(cls, "")
    known = [name for name in values if "." not in name]
    for name, value in given.items():
        if name not in known:
            raise ParameterError(_no_parameter(cls, name, known), hint=f"it has {', '.join(known) or 'no parameters'}")
        _check_parameter(cls, name, values[name], value)
        values[name] = value
    for name, value in values.items():
        while isinstance(value, nodes.Parameter):
            value = values[value.name]
        values[name] = value
    return values


_WANTED: dict[type, tuple[str, tuple[type, ...]]] = {
    bool: ("True or False", (bool,)),
    int: ("a number", (int, float)),
    float: ("a number", (int, float)),
    str: ("a string", (str,)),
    bytes: ("bytes", (bytes,)),
    tuple: ("a tuple", (tuple,)),
    frozenset: ("a frozenset", (frozenset,)),
}
"""What a parameter may be given, by the type of its default; one with another default takes anything."""


def _check_parameter(cls: type[Bloom], name: str, default: Any, value: Any) -> None:
    wanted, types = _WANTED.get(type(default), ("", (object,)))
    if not isinstance(value, types) or (wanted == "a number" and isinstance(value, bool)):
        message = f"{cls.__qualname__}({name}={value!r:.200}): the default is {default!r:.200}"
        raise ParameterError(message, hint=f"give {wanted}")


def _no_parameter(cls: type[Bloom], name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"{cls.__qualname__} has no parameter {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")


def _scope_name(name: str, method: RuleMethod) -> str:
    """`Rule.scope`: by method, since classes of one name, or made twice by a function, may meet in one program."""
    return f"{name}@{method.function.__module__}:{method.function.__qualname__.rpartition('.')[0]}"


_NO_NAMES = Scope({}, {})
"""Of rules that a rewrite added."""


def _scopes(cls: type[Bloom]) -> dict[str, Scope]:
    """Globals and captured closure for every `Rule.scope` of a class and its modules."""
    found: dict[str, Scope] = {"": _NO_NAMES}
    for name, declaration in cls._declared.items():
        if isinstance(declaration, RuleMethod):
            function = declaration.function
            found[_scope_name(name, declaration)] = Scope(function.__globals__, _closure(function))
        elif isinstance(declaration, ModuleDeclaration):
            found |= {f"{name}.{scope}": inner for scope, inner in _scopes(_inner(declaration)).items()}
        elif isinstance(declaration, LatticeCollection):
            found[f"{name}{_BOTTOM}"] = Scope({"bottom": declaration.lattice.bottom}, {})
    return found


def _closure(function: FunctionType) -> dict[str, Any]:
    captured = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            captured[name] = cell.cell_contents
        except ValueError:
            continue
    return captured


def _methods(cls: type[Bloom], values: Mapping[str, Any], prefix: str) -> dict[str, Callable[..., Any]]:
    """Helper methods bound to an object that has the parameters and nothing else of an instance."""
    view = object.__new__(cls)
    start = len(prefix)
    view.__dict__.update({name[start:]: value for name, value in values.items() if name.startswith(prefix) and "." not in name[start:]})
    found: dict[str, Callable[..., Any]] = {}
    for name in _helpers(cls):
        found[prefix + name] = getattr(view, name)
    for name, declaration in cls._declared.items():
        if isinstance(declaration, ModuleDeclaration):
            found |= _methods(_inner(declaration), values, f"{prefix}{name}.")
    return found


def _helpers(cls: type[Bloom]) -> Sequence[str]:
    """The names of a class's helper methods, looked up once: simulations make very many instances."""
    known = cls.__dict__.get("_helper_names")
    if known is None:
        names = (name for base in cls.__mro__ for name, value in vars(base).items() if _is_helper(base, name, value))
        known = cls._helper_names = tuple(dict.fromkeys(names))
    return known


class ModuleHandle:
    """An inner module of an instance: its collections and parameters as attributes."""

    def __init__(self, name: str, attributes: Mapping[str, Any]) -> None:
        self.__dict__.update(attributes, _name=name)

    def __repr__(self) -> str:
        return f"<module {self._name}: {', '.join(name for name in vars(self) if not name.startswith('_'))}>"

    _name: str


def _handles(cls: type[Bloom], machine: Machine, values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {"dead_letter": Bloom.dead_letter.bind("dead_letter", machine)}
    for name, declaration in cls._declared.items():
        full = prefix + name
        if isinstance(declaration, Collection):
            found[name] = declaration.bind(full, machine)
        elif isinstance(declaration, Param):
            found[name] = values[full]
        elif isinstance(declaration, ModuleDeclaration):
            found[name] = ModuleHandle(full, _handles(_inner(declaration), machine, values, f"{full}."))
    return found
