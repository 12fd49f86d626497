"""The group of verbs; an option that takes one value is refused when it is given twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand


class Verb(TyperCommand):
    """A verb whose options say nothing in vain: the last of several values would silently be the only one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the parent does. Raises a usage error, exit code 2, naming the option that stands twice."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        given = Counter(one for one in order if one.param_type_name == "option")
        for option, times in given.items():
            if times > 1 and not getattr(option, "multiple", False) and not getattr(option, "is_flag", False):
                name = max(option.opts, key=len)
                lists = "comma" in (getattr(option, "help", None) or "")
                cure = "give its values once, with commas between" if lists else "give it once"
                ctx.fail(f"{name} is given {'twice' if times == 2 else f'{times} times'}; {cure}.")
        return super().parse_args(ctx, args)


class Verbs(typer.Typer):
    """A typer application all of whose commands are of ``Verb``."""

    def command(self, name: str | None = None, **options: Any) -> Callable:  # type: ignore[override]
        """As the parent does."""
        return super().command(name, **{"cls": Verb, **options})
