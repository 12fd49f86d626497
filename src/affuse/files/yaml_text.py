"""YAML as its writer sees it: names stay as they are written, numbers are decimal, and no key is lost.

PyYAML follows YAML 1.1, where a label ``no`` is false and ``01`` is 1, ``010`` is 8, ``12:30`` is 750, ``1e-4`` is a
text, and the second of two equal keys wins in silence. Here every key is a text, and so is every value where a field of
names is read; elsewhere numbers are those of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), decimal all of
them, and dates, times and the like are texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from affuse.errors import AffuseError
from affuse.names import quote, tidy

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_WHOLE = re.compile(r"[-+]?[0-9]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ODD = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TAGS = {"str", "int", "float", "bool", "null", "map", "seq"}
_MOST = 200_000  # values; aliases of aliases can stand for billions
_DEPTH = 100


def read_yaml(text: str, where: str, texts: Sequence[str] = ()) -> Any:
    r"""Read the one document of a text.

    Args:
        text: YAML.
        where: How the message of an error begins.
        texts: Dotted paths (``tasks.*.classes``; ``*`` is any key) at and below which every scalar but null is text as
            it is written: labels and names.

    Raises:
        AffuseError: It is no YAML, holds several documents, a key twice, or tags.

    Examples:
        >>> read_yaml("a: 010\nb: no\nc: 1e-4", "text", ["b"])
        {'a': 10, 'b': 'no', 'c': 0.0001}
    """
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError) as error:
        raise AffuseError(f"{where} cannot be read as YAML ({_problem(error, text)}).") from None
    if len(nodes) > 1:
        raise AffuseError(f"{where} holds {len(nodes)} YAML documents (parted by ---); keep one.")
    patterns = [tuple(path.split(".")) for path in texts]
    return _Reading(where, patterns).value(nodes[0], ()) if nodes else None


def read_yaml_file(path: str | Path, texts: Sequence[str] = ()) -> Any:
    """Read a file in UTF-8 as ``read_yaml`` does; AffuseError where there is none, or in another encoding."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise AffuseError(f"{path} cannot be read ({(error.strerror or str(error)).lower()}).") from None
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return read_yaml(data.decode(encoding), str(path), texts)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise AffuseError(f"{path}, line {line} is not UTF-8; save the file as UTF-8.") from None


def read_value(text: str, path: str, texts: Sequence[str] = ()) -> Any:
    """Read the value of ``path=text`` on a command line; what is no YAML is a text."""
    patterns = [tuple(one.split(".")) for one in texts]
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError):
        return text
    if len(nodes) != 1:
        return text if nodes else None
    return _Reading(path, patterns).value(nodes[0], tuple(path.split(".")))


def write_yaml(value: Any) -> str:
    """Write YAML in block style, keys in their order; ``read_yaml`` and any reader of YAML 1.1 give the value back."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def flow_text(value: Any) -> str:
    """One line that ``read_value`` reads as this value. Raises TypeError for what YAML has no form for.

    Examples:
        >>> flow_text([{"name": "center", "weight": 0.5}]), flow_text("no"), flow_text(1e-5), flow_text(None)
        ('[{name: center, weight: 0.5}]', "'no'", '1.0e-05', 'null')
    """
    if isinstance(value, str) and isinstance(resolve(value), str) and _is_bare(value):
        return value
    try:
        text = yaml.dump(
            value, Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9
        )
    except yaml.representer.RepresenterError as error:
        raise TypeError(str(error)) from None
    return text.removesuffix("\n").removesuffix("\n...").removesuffix("...").strip()


def _is_bare(text: str) -> bool:
    """Whether the text, as it stands, is read as itself."""
    try:
        return read_value(text, "value") == text
    except AffuseError:  # a tag
        return False


class _Reading:
    """One document, from its nodes to values."""

    def __init__(self, where: str, texts: Sequence[tuple[str, ...]]) -> None:
        self.where, self.texts = where, texts
        self._count = 0

    def value(self, node: yaml.Node, path: tuple[str, ...], depth: int = 0) -> Any:
        self._count += 1
        if self._count > _MOST or depth > _DEPTH:
            raise AffuseError(
                f"{self.where} stands for too many values (aliases of aliases?); write them out."
            )
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if kind not in _TAGS and not isinstance(node, yaml.ScalarNode):
            raise self._error(node, f"the tag {quote(node.tag)} is not read; leave it out")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth + 1)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one, path, depth + 1) for one in node.value]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: tuple[str, ...], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a key is a list or a mapping, and keys are names")
            if key.style is None and key.value == "<<":
                for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if not isinstance(part, yaml.MappingNode):
                        raise self._error(part, "'<<' takes a mapping")
                    merged = self._mapping(part, path, depth + 1) | merged
                continue
            name = tidy(key.value)
            if name in found:
                raise self._error(key, f"the key {quote(name)} stands twice; keep one")
            found[name] = self.value(value, (*path, name), depth)
        return merged | found

    def _scalar(self, node: yaml.ScalarNode, path: tuple[str, ...]) -> Any:
        text: str = node.value
        if node.tag.startswith(("!", "tag:yaml.org,2002:python/")):
            raise self._error(node, f"the tag {quote(node.tag)} is not read; leave it out")
        if node.style is not None:  # in quotes or a block
            return text
        if _NULL.fullmatch(text):
            return None
        if any(_fits(pattern, path) for pattern in self.texts):
            return text
        return resolve(text)

    def _error(self, node: yaml.Node, problem: str) -> AffuseError:
        return AffuseError(f"{self.where}, line {node.start_mark.line + 1}: {problem}.")


def resolve(text: str) -> Any:
    """What a bare scalar is: null, a truth value, a number, or a text."""
    if _NULL.fullmatch(text):
        return None
    if text in (text.lower(), text.title(), text.upper()) and text.lower() in _BOOL:
        return _BOOL[text.lower()]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _ODD.fullmatch(text):
        return float(text.replace(".", ""))
    return float(text) if _FLOAT.fullmatch(text) else text


def needs_quotes(finding: Mapping[str, Any]) -> str:
    """Say what to do where pydantic wanted a text and YAML has read something else; "": it is something else."""
    value = finding["input"]
    if finding["type"] != "string_type" or not (value is None or isinstance(value, bool | int | float)):
        return ""
    word = "null" if value is None else str(value).lower()
    return f"{word} is not a text; write it in quotes if it is a name"


def _fits(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return len(path) >= len(pattern) and all(
        one in ("*", part) for one, part in zip(pattern, path, strict=False)
    )


def _problem(error: Exception, text: str) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        line = error.problem_mark.line + 1
        what = " ".join(str(error.problem or error.context).split())
        if "\t" in (text.splitlines() or [""])[min(line, len(text.splitlines())) - 1]:
            what += "; indent with blanks, not tabs"
        return f"line {line}: {what}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())


class _Dumper(yaml.SafeDumper):
    """Puts texts in quotes that either reader would take for something else."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    bare = isinstance(resolve(text), str)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, None if bare else "'")


_Dumper.add_representer(str, _represent_text)
