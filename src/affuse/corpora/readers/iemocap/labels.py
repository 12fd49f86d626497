"""A turn's emotion by a label protocol, from its consensus and its annotators' votes."""

from __future__ import annotations

from collections import Counter

from affuse.corpora.label_protocol import LabelProtocol
from affuse.corpora.readers.iemocap.evaluation import Vote
from affuse.corpora.readers.iemocap.names import TurnName
from affuse.files import digest


def takes(protocol: LabelProtocol, turn: TurnName) -> bool:
    """Whether the turn's scenario is wanted."""
    return protocol.scenario in ("both", turn.scenario)


def label_turn(
    protocol: LabelProtocol, turn: TurnName, consensus: str, votes: list[Vote]
) -> tuple[str, str] | tuple[None, None]:
    """Find the turn's class and the rule that gives it, or two Nones.

    Rules: consensus, majority, tie (a seeded draw), self_report, external (first vote inside the set).
    """
    if consensus in protocol.codes:
        return protocol.codes[consensus], "consensus"
    if protocol.ties == "majority" and consensus == "xxx":
        return _count_again(protocol, turn, votes)
    if protocol.ties == "self_report":
        return _first_vote(protocol, turn, votes)
    return None, None


def _count_again(
    protocol: LabelProtocol, turn: TurnName, votes: list[Vote]
) -> tuple[str, str] | tuple[None, None]:
    """The class with most external votes. Votes are counted as classes, so "4+exc" adds excited to happiness."""
    tally = Counter(
        name
        for vote in votes
        if not vote.is_self
        for name in {protocol.codes.get(label, label) for label in vote.labels}
    )
    if not tally:
        return None, None
    most = max(tally.values())
    top = sorted(name for name, number in tally.items() if number == most)
    inside = [name for name in top if name in protocol.label_space]
    if not inside:
        return None, None
    if len(top) == 1:
        return top[0], "majority"
    # keyed by the turn, so that the order of files and the presence of others change nothing
    return inside[int(digest(str(protocol.seed), turn.id), 16) % len(inside)], "tie"


def _first_vote(
    protocol: LabelProtocol, turn: TurnName, votes: list[Vote]
) -> tuple[str, str] | tuple[None, None]:
    own = turn.scenario == "improvised"
    for vote in votes:
        if vote.annotator.startswith(turn.letter) if own else not vote.is_self:
            for label in vote.labels:
                if label in protocol.codes:
                    return protocol.codes[label], "self_report" if own else "external"
    return None, None
