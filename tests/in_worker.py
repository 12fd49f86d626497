"""What tests ask of a worker process: it imports this module by name, which a test's own module has not."""

from __future__ import annotations

import signal

from affuse.parts import registry


def module_of_loss(name: str) -> str:
    """The module of a registered loss."""
    return registry.get("losses", name).__module__


def holds_back() -> bool:
    """Whether this process gets no Ctrl-C, from its first instruction on."""
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
