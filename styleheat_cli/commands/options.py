"""From a description to options at the prompt: the one module that knows both pydantic and Typer.

A field's name, type, default, bounds and docstring are written once, on the model; here they become an option.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel, ValidationError, create_model
from pydantic.fields import FieldInfo

from ..ops import Description, Flag
from ..recipe import in_words

NOT_OPTIONS = ("op", "kind")
PLAIN = (bool, int, float, str, Path)
UNIONS = (Union, types.UnionType)


def part(described: type[BaseModel], *names: str) -> type[BaseModel]:
    """A description of some of another's fields."""
    fields: dict[str, Any] = {
        name: (field.annotation, field) for name in names if (field := described.model_fields[name])
    }
    return create_model(described.__name__, __base__=Description, **fields)


def command(
    *described: type[BaseModel], run: Callable[..., Any], arguments: Mapping[str, str] = types.MappingProxyType({})
) -> Callable[..., None]:
    """A function that Typer can register: takes the fields of all descriptions, builds them, calls `run` with them.

    A name that two descriptions share is one option and feeds both. `arguments` gives the fields that stand
    without a dash, with the word that the usage line has for them.
    """
    fields: dict[str, FieldInfo] = {}
    panels: dict[str, str] = {}
    for model in described:
        for name, field in model.model_fields.items():
            if name not in NOT_OPTIONS:
                fields.setdefault(name, field)
                panels.setdefault(name, _title(model))

    def call(**given: Any) -> None:
        run(*(_build(model, given, arguments) for model in described))

    parameters = [_parameter(name, field, panels[name], arguments.get(name)) for name, field in fields.items()]
    call.described = described  # type: ignore[attr-defined]  # for the reference
    call.arguments = arguments  # type: ignore[attr-defined]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return call


def _title(model: type[BaseModel]) -> str:
    return {"Recipe": "Result"}.get(model.__name__, model.__name__)


def _build(model: type[BaseModel], given: Mapping[str, Any], arguments: Mapping[str, str]) -> BaseModel:
    try:
        return model(**{name: given[name] for name in model.model_fields if name in given})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        spelled = arguments.get(name) or (spelling(name, model.model_fields[name])[0] if name else None)
        raise typer.BadParameter(in_words(first), param_hint=spelled) from None


def _parameter(name: str, field: FieldInfo, panel: str, argument: str | None) -> inspect.Parameter:
    """One keyword parameter as Typer reads it."""
    flag = flag_of(field)
    unit = flag.unit.upper() or None
    shared = {"help": _escaped(field.description or ""), **_bounds(field)}
    if argument:
        info = typer.Argument(metavar=argument, show_default=not field.is_required(), **shared)
    else:
        info = typer.Option(*_declared(name, field), metavar=unit, rich_help_panel=panel, **shared)
    default = inspect.Parameter.empty if field.is_required() else field.get_default(call_default_factory=True)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=_shown(default),
        annotation=Annotated[prompt_type(field.annotation), info],
    )


def _shown(default: Any) -> Any:
    """Defaults of settings that Typer takes as text."""
    return default if default in (None, inspect.Parameter.empty) or isinstance(default, PLAIN) else list(default)


def flag_of(field: FieldInfo) -> Flag:
    """How the field is spelled, where it says so."""
    return next((mark for mark in field.metadata if isinstance(mark, Flag)), Flag())


def spelling(name: str, field: FieldInfo) -> tuple[str, str, str]:
    """(long, short, opposite) as typed; "" where there is none."""
    flag = flag_of(field)
    opposite = flag.off or (
        f"--no-{name.replace('_', '-')}" if field.annotation is bool and field.default is True else ""
    )
    return flag.long or "--" + name.replace("_", "-"), flag.short, opposite


def _declared(name: str, field: FieldInfo) -> list[str]:
    long, short, opposite = spelling(name, field)
    return [f"{long}/{opposite}" if opposite else long, *([short] if short else [])]


def _bounds(field: FieldInfo) -> dict[str, float]:
    """Smallest and largest value, for the types that Typer can bound."""
    if prompt_type(field.annotation) not in (int, float, int | None, float | None):
        return {}
    return {
        key: getattr(mark, attribute)
        for mark in field.metadata
        for key, attribute in (("min", "ge"), ("max", "le"))
        if getattr(mark, attribute, None) is not None
    }


def prompt_type(annotation: Any) -> Any:
    """The type that Typer shall parse; what only the description can check arrives as text."""
    if get_origin(annotation) is Annotated:
        return prompt_type(get_args(annotation)[0])
    if get_origin(annotation) in UNIONS:
        members = [member for member in get_args(annotation) if member is not type(None)]
        inner = prompt_type(members[0]) if len(members) == 1 else str
        return inner | None if len(members) < len(get_args(annotation)) else inner
    if get_origin(annotation) in (tuple, list):
        return list[str]
    return annotation if annotation in PLAIN or get_origin(annotation) is Literal else str


def _escaped(text: str) -> str:
    """Help text in which square brackets are not taken for markup."""
    return text.replace("[", r"\[")
