"""``affuse serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from affuse.cli.train import DEVICE_HELP


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...", help="Model folders, run folders or Hub ids. Default: the starter."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; another than this machine's own needs --token.")
    ] = ("127.0.0.1"),
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 takes a free one.", show_default=True)
    ] = 8765,
    token: Annotated[
        str | None,
        typer.Option(envvar="AFFUSE_TOKEN", help="What clients must send: Authorization: Bearer TOKEN."),
    ] = None,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Open to everybody who reaches the address.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Name that the service is reached by (Host header); may be repeated."),
    ] = None,
    root_path: Annotated[
        str, typer.Option(help="Path below which a proxy shows the service, such as /affuse.")
    ] = "",
    proxy: Annotated[
        bool,
        typer.Option("--proxy", help="A proxy on this machine says who its clients are (X-Forwarded-For)."),
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes with the models' weights.", show_default=True)] = 1,
    asr: Annotated[
        str | None,
        typer.Option(
            help="Recogniser of models that read words, Hub id or folder; none: no words. Default: their own."
        ),
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option(
            help="Corpus folder whose utterances the embedding map of its run plays; may be repeated."
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER", help="Change a limit, such as seconds=600; docs/serving.md lists them."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help=DEVICE_HELP)] = "auto",
) -> None:
    """Open a web page and a REST service on models: drop a clip, see its timeline.

    Nothing of a clip is kept or logged. Ctrl-C or SIGTERM lets running clips end first.
    """
    import affuse
    from affuse.cli.console import messages

    def say(sentence: str) -> None:
        messages.print(sentence, soft_wrap=True, markup=False, highlight=False)

    affuse.serve(
        models or "starter", host=host, port=port, token=token, no_token=no_token, allow_host=allow_host or (),
        root_path=root_path, proxy=proxy, workers=workers, asr=asr, corpus=corpus or (), limit=_limits(limit or []),
        device=device, tell=say,
    )  # fmt: skip


def _limits(changes: list[str]) -> dict[str, float]:
    from affuse.errors import AffuseError

    found: dict[str, float] = {}
    for change in changes:
        name, equals, value = (part.strip() for part in change.partition("="))
        try:
            if not equals:
                raise ValueError
            found[name] = float(value)
        except ValueError:
            raise AffuseError(f"--limit takes NAME=NUMBER, as in seconds=600, not {change!r}.") from None
    return found
