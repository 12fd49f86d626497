"""``affuse.serve``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from affuse.arguments import checked
from affuse.errors import AffuseError, argument


@checked
def serve(
    models: str | Path | Iterable[str | Path] = "starter",
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    token: str | None = None,
    no_token: bool = False,
    allow_host: Iterable[str] = (),
    root_path: str = "",
    proxy: bool = False,
    workers: int = 1,
    asr: str | None = None,
    corpus: Iterable[str | Path] = (),
    limit: Mapping[str, float] | None = None,
    device: str = "auto",
    tell: Callable[[str], None] = print,
) -> None:
    """Open a web page and a REST service on models, until Ctrl-C or SIGTERM; running clips end first.

    Nothing of a clip is kept or logged but the answers of jobs, for a while. ``affuse.Client`` talks to it.

    Args:
        models: Model folders, run folders, starters or Hub ids; each is called by the last part of its name.
        host: The address to listen on; another than this machine's own needs a token.
        port: 0 takes a free one.
        token: What clients must send (``Authorization: Bearer TOKEN``): 16 letters, digits or any of . _ ~ - at least.
        no_token: Open to everybody who reaches the address.
        allow_host: Names that the service is reached by (the Host header), beside ``host`` and the loopback's.
        root_path: Path below which a proxy shows the service, such as "/affuse".
        proxy: A proxy on this machine says who its clients are (X-Forwarded-For).
        workers: Processes with the models' weights; each has all of them.
        asr: Recogniser of models that read words, Hub id or folder; "none": no words are recognised; None: each
            model's own.
        corpus: Corpus folders whose utterances the embedding map of their run plays.
        limit: Name of a limit -> another value (docs/serving.md lists them).
        device: "auto", "cpu" or "cuda".
        tell: Told the address, and what to know about it, in sentences.

    Raises:
        AffuseError: A package of the extra ``serve`` is missing, a model or corpus cannot be loaded, or the address
            cannot be listened on, or may not without a token.

    Examples:
        >>> import affuse
        >>> affuse.serve(["runs/one", "starter"], port=0)  # doctest: +SKIP
        Serving one, starter on http://127.0.0.1:43127/
    """
    from affuse.serving.server import check_address, check_installed, checked_root_path, chosen_limits

    check_installed()
    for name, value in (("port", port), ("workers", workers)):
        least, most = (0, 65_535) if name == "port" else (1, 64)
        if not least <= value <= most:
            raise AffuseError(f"{argument(name)} takes a whole number from {least} to {most}, not {value}.")
    root_path = checked_root_path(root_path)
    if warning := check_address(host, token, no_token):
        tell(f"WARNING: {warning}")
    limits = chosen_limits(limit or {})
    from affuse.serving.server import serve_models

    named = [models] if isinstance(models, str | Path) else list(models)
    if not named:
        raise AffuseError(f"{argument('models')} names no model; leave it out for the starter.")
    serve_models(
        [str(one) for one in named], host=host, port=port, token=token, hosts=list(allow_host),
        root_path=root_path, workers=workers, device=device, asr=asr,
        corpora=[str(one) for one in corpus], proxy=proxy, limits=limits, tell=tell,
    )  # fmt: skip
