"""`dataclass`, `field` and `replace` for classes that a function loads. They mean what the standard library's mean, and
a type checker is shown those.

The standard library's write a program for each class and compile it, and load `inspect` to do so: that was a third of
the webhook's cold start. Here a class keeps names and defaults, and the same few lines serve all. Classes of fields do
not inherit from each other, and nothing here knows `slots`.
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
        cls.__init__ = constructor(cls, fields, () if kw_only else names)
        if repr and "__repr__" not in vars(cls):
            cls.__repr__ = shower([name for name in names if fields[name].shown])
        if eq:
            compared(cls, attrgetter(*names), frozen)
        if frozen:
            cls.__setattr__ = cls.__delattr__ = refuse
        return cls

    def give_default(cls, name, default):
        if default is NOT_GIVEN:
            delattr(cls, name)
        else:
            setattr(cls, name, default)

    def constructor(cls, fields, places):
        base = {name: each.default for name, each in fields.items()}
        factories = [(name, each.factory) for name, each in fields.items() if each.factory]
        needed = [name for name, each in fields.items() if each.default is NOT_GIVEN]
        check, size, most = getattr(cls, "__post_init__", None), len(base), len(places)

        def __init__(self, *values, **named):
            held = self.__dict__
            held.update(base)
            if values:
                held.update(zip(places, values))  # noqa: B905, told apart below
            if named:
                held.update(named)
            for name, make in factories:
                if held[name] is NOT_GIVEN:
                    held[name] = make()
            wrong = len(held) > size or len(values) > most
            if named and values:
                wrong = wrong or not named.keys().isdisjoint(places[: len(values)])
            for name in needed:  # and no `any`: objects are made by the thousand
                wrong = wrong or held[name] is NOT_GIVEN
            if wrong:
                raise TypeError(f"{cls.__qualname__} is given what it has no field for, or not given what it needs")
            if check:
                check(self)

        return __init__

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

    def refuse(self, name, value=None):
        raise AttributeError(f"{type(self).__qualname__} is frozen: cannot change {name!r}")

    def replace(value, /, **changes):
        return type(value)(**{name: getattr(value, name) for name in type(value).__annotations__} | changes)


__all__ = ["dataclass", "field", "replace"]
