"""The commands and groups of the command line: their help, and the options that may be given once only."""

from __future__ import annotations

import inspect
import re
import typing
from collections import Counter, UserDict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

# what stands after an option in its help, by the type of its value
WORDS: dict[Any, str] = {Path: "PATH", str: "TEXT", int: "N", float: "NUMBER"}


_UsageError: type[Exception] = typer.BadParameter.__mro__[
    1
]  # of which typer makes its own known only in part


class Misuse(typer.BadParameter):
    """A command line that cannot be read, told as any other error."""

    def show(self, file: Any = None) -> None:
        """Write it, for typer to end with exit code 2."""
        typer.echo(f"affuse: {self.message}", file=file, err=file is None)


class Verb(TyperCommand):
    """A command whose help fits 80 columns, and whose options are not given twice in vain."""

    def __init__(self, name: str | None, **options: Any) -> None:
        super().__init__(name, **options)
        types = typing.get_type_hints(inspect.unwrap(self.callback)) if self.callback else {}
        for param in self.params:
            if param.metavar is None:
                named = param.param_type_name == "argument"
                param.metavar = (param.name or "").upper() if named else _word(types.get(param.name or ""))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments as the parent does.

        Raises:
            click.UsageError: An option with one value stands twice: the last would silently be the only one. Or there
                is no such option; a field of a recipe is then said to be changed with --set.
        """
        try:
            _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        except Exception as error:
            option = str(getattr(error, "option_name", ""))  # of typer's NoSuchOption, which is not public
            cure = "" if getattr(error, "possibilities", ()) and option != "--over" else self._cure(option)
            if cure:
                ctx.fail(f"No such option: {option}; {cure}.")
            raise
        given = Counter(one for one in order if one.param_type_name == "option")
        for option, times in given.items():
            if times > 1 and not getattr(option, "multiple", False) and not getattr(option, "is_flag", False):
                name = max(option.opts, key=len)
                lists = "comma" in (getattr(option, "help", None) or "")
                cure = "give its values once, with commas between" if lists else "give it once"
                ctx.fail(f"{name} is given {'twice' if times == 2 else f'{times} times'}; {cure}.")
        return super().parse_args(ctx, args)

    def _cure(self, option: str) -> str:
        """What to type for a field of a recipe that was given as an option, or for an option of 'affuse compare'."""
        flags = [flag for param in self.params for flag in param.opts]
        if "--set" not in flags or option in flags:  # it is there, and its value is missing
            return ""
        if option == "--over":
            return "to compare several values, use 'affuse compare'"
        from affuse.recipe import Recipe
        from affuse.recipe.explain import fields_called

        fields = fields_called(option.removeprefix("--").replace("-", "_"), Recipe)
        return f"a field of the recipe is changed with --set {fields[0]}=VALUE" if fields else ""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Name the arguments as a manual does: RECIPE, not {RECIPE}."""
        return [
            piece.translate({ord("{"): None, ord("}"): None}) for piece in super().collect_usage_pieces(ctx)
        ]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options."""
        rows: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            if param.param_type_name == "argument":
                name = f"{param.metavar}{'...' if param.nargs != 1 else ''}"
                rows["Arguments"].append((name, getattr(param, "help", None) or ""))
            elif (record := param.get_help_record(ctx)) is not None:
                rows["Options"].append(record)
        for title, listed in rows.items():
            if listed:
                with formatter.section(title):
                    formatter.write_dl(listed)


class Later(NamedTuple):
    """A command whose module is imported when it is asked for: ``module:function`` of this package, its short help."""

    place: str
    about: str

    def made(self, name: str) -> Any:
        """Import and build it, under this name. A group is there as its ``Verbs``."""
        module, _, attribute = self.place.partition(":")
        found = getattr(import_module(f"affuse.cli.{module}"), attribute)
        if isinstance(found, Verbs):
            command: Any = get_group(found)
        else:
            alone = Verbs()
            alone.command(name)(found)
            command = get_command(alone)
        command.name, command.short_help = name, self.about
        return command


class _Commands(UserDict[str, Any]):
    """Commands by name, those for later among them."""

    def __getitem__(self, name: str) -> Any:
        one = self.data[name]
        if isinstance(one, Later):
            one = self.data[name] = one.made(name)
        return one


class VerbGroup(TyperGroup):
    """A group of commands: listed under ``panels`` and in their order, each with a whole sentence.

    Without a command it prints its help, and the exit code is 0. Those of ``later`` are built when they are called: the
    list of all commands needs no module of any, and a command none of the others.
    """

    panels: ClassVar[Mapping[str, Sequence[str]]] = {}
    later: ClassVar[Mapping[str, Later]] = {}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = _Commands({**self.later, **self.commands})

    def get_help_option(self, ctx: Any) -> Any:
        """Make --help as the parent does, and false where it is not given.

        typer makes a truth value of nothing with pydantic, which is half of what the help of a command would cost.
        """
        option = super().get_help_option(ctx)
        if option is not None and option.default is None:
            option.default = False
        return option

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names in the order of the panels."""
        named = [name for names in self.panels.values() for name in names if name in self.commands]
        return [*named, *(name for name in self.commands if name not in named)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments as the parent does; none at all asks for help."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the command line as the parent does.

        Raises:
            Misuse: It cannot be read.
        """
        with _told():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Read the rest of the command line as the parent does, and run what it names.

        Raises:
            Misuse: It cannot be read.
        """
        with _told():
            return super().invoke(ctx)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each panel; what is in none stands under 'Commands'."""
        names = self.list_commands(ctx)
        panels = {title: [name for name in some if name in names] for title, some in self.panels.items()}
        panels["Commands"] = [name for name in names if not any(name in some for some in panels.values())]
        for title, some in panels.items():
            if some:
                width = max(map(len, names))
                with formatter.section(title):
                    formatter.write_dl([(f"{name:<{width}}", self._about(name)) for name in some])

    def _about(self, name: str) -> str:
        """What is said of a command in a list: its short help, else its help's first paragraph."""
        if name in self.later:
            return self.later[name].about
        command = self.commands[name]
        return command.short_help or " ".join(
            inspect.cleandoc(command.help or "").partition("\n\n")[0].split()
        )


class Verbs(typer.Typer):
    """A typer application whose commands are ``Verb`` and whose help is plain text."""

    def __init__(self, **options: Any) -> None:
        defaults: dict[str, Any] = {
            "cls": VerbGroup,
            "no_args_is_help": True,
            "add_completion": False,
            "pretty_exceptions_enable": False,
            "rich_markup_mode": None,  # boxes leave too little room for words at 80 columns, and cut them
            "context_settings": {"help_option_names": ["-h", "--help"]},
        }
        super().__init__(**{**defaults, **options})

    def command(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, name: str | None = None, **options: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register a command as the parent does."""
        chosen: dict[str, Any] = {"cls": Verb, **options}
        return super().command(name, **chosen)


@contextmanager
def _told() -> Generator[None]:
    """Usage errors of typer's as ``Misuse``."""
    try:
        yield
    except Misuse:
        raise
    except _UsageError as error:
        raise Misuse(_in_words(error)) from error


def _in_words(error: Any) -> str:
    """One sentence: what is wrong, and where to look."""
    param: Any = getattr(error, "param", None)
    kind = {WORDS[int]: "a whole number", WORDS[float]: "a number"}.get(getattr(param, "metavar", ""))
    found = getattr(error.__cause__, "errors", list[Any])()  # of pydantic, which reads the values
    if kind and found:
        low = "" if param.min is None else f" from {param.min}"
        return f"{max(param.opts, key=len)} takes {kind}{low}, not {found[0]['input']!r}."
    text = re.sub(r"\. Did you mean (.*)\?$", r" (did you mean \1?)", error.format_message()).rstrip(".")
    return f"{text}; see '{error.ctx.command_path} -h'." if error.ctx else f"{text}."


def _word(kind: Any) -> str:
    """The word for a value of an annotation: TEXT of ``list[str] | None``."""
    if kind in WORDS:
        return WORDS[kind]
    found = [_word(one) for one in typing.get_args(kind) if one is not type(None)]
    return found[0] if found else "TEXT"
