"""`dataclass`, `field` and `replace` for classes that a function loads. They mean what the standard library's mean, and
a type checker is shown those.

The standard library's write programs for each class and compile them, and load `inspect` to do so: that was a third of
the webhook's cold start. Here a class keeps names and defaults, and its constructor is compiled when the first of it is
made: a function makes none of most. `frozen` gives a hash; that nobody assigns to it the type checker holds, since to
refuse it as well would cost half of making one. Classes of fields do not inherit from each other, and nothing here
knows `slots`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    from operator import attrgetter

    NOT_GIVEN = object()

    class Field:
        def __init__(self, default=NOT_GIVEN, default_factory=None, repr=True):
            self.default, self.factory, self.shown = default, default_factory, repr

    field = Field

    def dataclass(cls=None, /, **how):
        return made(cls, **how) if cls else lambda cls: made(cls, **how)

    def made(cls, frozen=False, kw_only=False, eq=True, repr=True):
        names = tuple(cls.__annotations__)
        told = {name: vars(cls).get(name, NOT_GIVEN) for name in names}
        fields = {name: each if isinstance(each, Field) else Field(each) for name, each in told.items()}
        for name, each in fields.items():
            if isinstance(told[name], Field):
                give_default(cls, name, each.default)
        cls.__init__ = constructor(cls, fields, kw_only)
        if repr and "__repr__" not in vars(cls):
            cls.__repr__ = shower([name for name in names if fields[name].shown])
        if eq:
            compared(cls, attrgetter(*names), frozen)
        return cls

    def give_default(cls, name, default):
        if default is NOT_GIVEN:
            delattr(cls, name)
        else:
            setattr(cls, name, default)

    def constructor(cls, fields, alone):
        def __init__(self, *values, **named):
            cls.__init__ = compiled(cls, fields, alone)
            cls.__init__(self, *values, **named)

        return __init__

    def compiled(cls, fields, alone):
        """Assignments, one after the other: nothing is faster, and objects are made by the thousand."""
        within, heads, lines = {}, ["self", "*"] if alone else ["self"], []
        for name, each in fields.items():
            within[f"default_{name}"], within[f"make_{name}"] = each.default, each.factory
            optional = each.factory or each.default is not NOT_GIVEN
            heads.append(f"{name}=default_{name}" if optional else name)
            made = f"make_{name}() if {name} is default_{name} else {name}" if each.factory else name
            lines.append(f"self.{name} = {made}")
        if hasattr(cls, "__post_init__"):
            lines.append("self.__post_init__()")
        exec(f"def __init__({', '.join(heads)}):\n " + "\n ".join(lines), within)  # noqa: S102, of names in our source
        within["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
        return within["__init__"]

    def shower(names):
        def __repr__(self):
            return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

        return __repr__

    def compared(cls, content, frozen):
        def __eq__(self, other):
            return content(self) == content(other) if type(other) is type(self) else NotImplemented

        def __hash__(self):
            return hash(content(self))

        cls.__eq__, cls.__hash__ = __eq__, __hash__ if frozen else None

    def replace(value, /, **changes):
        return type(value)(**(vars(value) | changes))


__all__ = ["dataclass", "field", "replace"]
