"""Options of parts, checked in one way: what a signature's annotations or an ``Options`` model say, in our words.

A part (a loss, weighting, fusion, encoder or reader of a corpus) says what options it has by annotating them::

    def __init__(self, num_classes: int, dim: int, reduction: Reduction = "mean", *,
                 gamma: Annotated[float, Field(ge=0)] = 2.0) -> None: ...

``options_of`` makes of that the pydantic model which a recipe's options are checked against, and ``Checked`` checks the
same annotations where the part is made in Python. A part whose options are needed before it exists, as an encoder's
are for its width, takes them as one object: a parameter ``options`` annotated with a model of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from affuse.errors import AffuseError
from affuse.names import listed, near, quote

Model = TypeVar("Model", bound="Options")

# What a value should have been, by the kind of pydantic's finding.
_WANTED = {
    "bool_parsing": "is neither true nor false",
    "bool_type": "is neither true nor false",
    "float_parsing": "is not a number",
    "float_type": "is not a number",
    "finite_number": "is not a finite number",
    "int_parsing": "is not a whole number",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "string_type": "is not a text; write it in quotes",
    "list_type": "is not a list",
    "sequence_str": "is not a list",
    "is_instance_of": "is no {class}",
    "dict_type": "is not a mapping (name: value)",
    "mapping_type": "is not a mapping (name: value)",
    "model_type": "is not a mapping (name: value)",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "is not one of {expected}",
    "none_required": "must be null",
}


class OptionsError(AffuseError):
    """Options that were refused; ``problem`` is the sentence without the place where they stand."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}{problem}.")
        self.problem = problem


class Options(BaseModel):
    """A base for the options of a part: unknown names and wrong values raise AffuseError.

    Numbers are finite, and ``true`` is no number.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
    )

    if not TYPE_CHECKING:  # pyright takes the constructor from the fields

        def __init__(self, **values: Any) -> None:
            model = type(self)
            for name in values:
                if name not in model.model_fields:
                    raise OptionsError(f"{model.__name__}: ", _stranger(name, list(model.model_fields)))
            for name, value in values.items():
                if isinstance(value, bool) and not _takes_bool(model.model_fields[name].annotation):
                    raise OptionsError(
                        f"{model.__name__}.", f"{name} is {str(value).lower()}, which is not a number"
                    )
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise OptionsError(f"{model.__name__}.", _problem(error)) from None


def check(model: type[Model], values: Mapping[str, Any], where: str, part: str) -> Model:
    """Options from a recipe or a command.

    Args:
        model: What they may be.
        values: Name -> value, as read.
        where: The field that holds them, for messages: "fusion.options".
        part: Whose options they are: "concat".

    Raises:
        AffuseError: An unknown name, a value of the wrong kind or out of its range.

    Examples:
        >>> from pydantic import Field
        >>> class FocalOptions(Options):
        ...     gamma: float = Field(default=2.0, ge=0)
        >>> check(FocalOptions, {"gamma": "1e-3"}, "options", "focal").gamma
        0.001
        >>> check(FocalOptions, {"gamma": "abc"}, "options", "focal")
        Traceback (most recent call last):
        affuse.errors.AffuseError: options.gamma is 'abc', which is not a number.
    """
    for name in values:
        if name not in model.model_fields:
            known = list(model.model_fields)
            hint = f"There is no {quote(name)} among the options of {part} ({near(str(name), known)})"
            raise AffuseError(f"{where}: {hint if known else f'{part} has no options, so no {quote(name)}'}.")
    try:
        return model(**values)
    except OptionsError as error:
        raise AffuseError(f"{where}.{error.problem}.") from None


@cache
def options_of(part: Callable[..., Any], given: tuple[str, ...]) -> type[Options]:
    """The options that a part's signature names.

    Args:
        part: A class, whose constructor is looked at, or a function.
        given: Parameters that affuse fills in itself and that are no options.

    Raises:
        AffuseError: A parameter has no annotation, or one that cannot be read.
    """
    return _as_object(part) or create_model(
        f"{part.__name__}Options", __base__=Options, **_fields(part, given)
    )


def arguments(part: Callable[..., Any], options: Options) -> dict[str, Any]:
    """Options as a part takes them: as one object, or as an argument each."""
    if _as_object(part) is not None:
        return {"options": options}
    return {name: getattr(options, name) for name in type(options).model_fields}


@cache
def _as_object(part: Callable[..., Any]) -> type[Options] | None:
    """The model of a part that takes its options as one object, by a parameter ``options``."""
    if "options" not in inspect.signature(part).parameters:
        return None
    hint = _hints(part).get("options")
    for kind in (getattr(part, "Options", None), hint, *get_args(hint)):  # options: FocalOptions | None
        if isinstance(kind, type) and issubclass(kind, Options):
            return kind
    return None


class Checked:
    """A class whose constructor's arguments are checked against its annotations.

    So is the constructor of every subclass. Raises AffuseError where ``inspect.signature`` would refuse the call
    (an argument is missing, unknown or given twice) and where a value does not fit its annotation.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = _checked(cls.__init__)


def _checked(init: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(init)
    known = [name for name in signature.parameters if name != "self"]
    by_name = [p.name for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    takes = listed(known) + (f" (by name: {listed(by_name)})" if by_name else "")

    @lru_cache(maxsize=1)
    def model() -> type[Options]:
        return create_model("Arguments", __base__=Options, **_fields(init, ("self",), strict=False))

    @wraps(init)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError as error:
            strange = next((key for key in kwargs if key not in known), None)
            fault = f"{error}; it takes {takes}" if strange is None else _stranger(strange, known)
            raise AffuseError(f"{name}: {fault}.") from None
        named = {key: value for key, value in bound.arguments.items() if key in model().model_fields}
        try:
            values = model()(**named)
        except OptionsError as error:
            positional = error.problem.split(" ")[0] in list(bound.arguments)[1 : len(args) + 1]
            hint = f"; {listed(by_name)} are given by name" if positional and by_name else ""
            raise AffuseError(f"{name}: {error.problem}{hint}.") from None
        bound.arguments.update({key: getattr(values, key) for key in named})
        init(*bound.args, **bound.kwargs)

    return checked


def _fields(part: Callable[..., Any], given: Sequence[str], *, strict: bool = True) -> dict[str, Any]:
    """Parameter -> (annotation, default), as ``create_model`` takes them."""
    hints = _hints(part, strict)
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(part).parameters.values():
        name = parameter.name
        if name in (*given, "self") or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if strict and name not in hints:
            raise AffuseError(
                f"{part.__qualname__}: its option {name!r} has no annotation; write for example {name}: float = 1.0, "
                "so that values can be checked."
            )
        fields[name] = (
            hints.get(name, Any),
            ... if parameter.default is parameter.empty else parameter.default,
        )
    return fields


def _hints(part: Callable[..., Any], strict: bool = True) -> dict[str, Any]:
    function: Any = part.__init__ if isinstance(part, type) else part
    try:
        return get_type_hints(inspect.unwrap(function), include_extras=True)
    except NameError as error:
        if not strict:  # of a class within a function, whose annotations name another one
            return {}
        raise AffuseError(
            f"{part.__qualname__} has an annotation that cannot be read ({error}); import that name where the "
            "module is loaded, not for type checkers alone."
        ) from None


def _takes_bool(annotation: Any) -> bool:
    if annotation in (bool, Any) or not isinstance(annotation, type):
        kinds = get_args(annotation)
        return annotation in (bool, Any) or any(kind is bool or kind is True for kind in kinds)
    return not issubclass(annotation, int | float)


def _stranger(name: str, known: Sequence[str]) -> str:
    if not known:
        return f"There is no option {quote(name)}, nor any other"
    return f"There is no option {quote(name)} ({near(name, known)})"


def _problem(error: ValidationError) -> str:
    """The first finding: 'gamma is 'abc', which is not a number'."""
    finding = error.errors()[0]
    kind, value = finding["type"], finding["input"]
    path = ".".join(str(part) for part in finding["loc"] if not _is_branch(part))
    if kind == "missing":
        return f"{path} is missing"
    if kind == "extra_forbidden":
        return f"{path} is not known"
    if kind not in _WANTED:
        message = finding["msg"].removeprefix("Value error, ")
        return f"{path}: {message}" if path else message
    bounds = finding.get("ctx", {})
    wanted = _WANTED[kind].format(**{k: f"{v:g}" if isinstance(v, float) else v for k, v in bounds.items()})
    shown = {True: "true", False: "false", None: "null"}.get(value, "") if _is_word(value) else ""
    joint = "; it " if wanted.startswith("must") else ", which "
    return f"{path} is {shown or quote(value)}{joint}{wanted}"


def _is_word(value: object) -> bool:
    return value is None or isinstance(value, bool)


def _is_branch(part: int | str) -> bool:
    """Whether a step of pydantic's path names a type of a union and no field: 'float', 'list[str]'."""
    return isinstance(part, str) and (part in ("int", "float", "str", "bool") or "[" in part)
