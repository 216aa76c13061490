"""The documentation holds together: links, pages, commands, settings, addresses and examples."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from mess_integrations.http.app import ENDPOINTS
from mess_integrations.http.openapi import describe
from mess_plugin.cli.main import cli
from mess_plugin.config import Settings
from tests.doc_examples import (
    DOCS,
    READ,
    ROOT,
    RUN,
    SHOWN,
    Example,
    differences,
    examples,
    user_pages,
)

_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"(?<![\w./=\"-])(?<!beet )(?:\.venv/bin/)?mess (?P<words>[a-z][^|;&`#]*)")
_VARIABLE = re.compile(r"\bMESS_([A-Z_]+)\b")

# Variables that are no settings: where they are read stands beside each.
OTHER_VARIABLES = {
    "HOME",  # config.load_settings
    "LOG",  # mess_workers.logs
    "JELLYFIN_PASSWORD",  # jellyfin.cli
    "MUSIC", "PUBLISH",  # docker/compose.yaml
    "CHAOS_SEEDS", "CHAOS_FILES", "CHAOS_FAKETIME",  # tests/acceptance/test_chaos.py
}  # fmt: skip


def every_page() -> list[Path]:
    """All Markdown of the project."""
    loose = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CREDITS.md", "samples/README.md")
    card = "mess_plugin/encoders/mini/CARD.md"
    return [*(ROOT / name for name in (*loose, card)), *sorted(DOCS.rglob("*.md"))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """The text outside of fenced blocks."""
    return re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE):
        text = _LINK.sub(lambda link: link[0][1 : link[0].index("]")], heading)
        anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.add(anchor if anchor not in found else f"{anchor}-1")
    return frozenset(found)


def targets(page: Path) -> list[tuple[Path, str]]:
    """The files and anchors that a page links to, other than web addresses."""
    found = []
    for link in _LINK.finditer(prose(page)):
        if re.match(r"[a-z]+:", link["target"]):
            continue
        path, _, anchor = link["target"].partition("#")
        found.append(((page.parent / unquote(path)).resolve() if path else page, anchor))
    return found


@pytest.mark.parametrize("page", every_page(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    lost = [
        f"{target}#{anchor}"
        for target, anchor in targets(page)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert not lost


def test_every_page_is_reached_from_the_index() -> None:
    reached: set[Path] = set()
    ahead = [DOCS / "index.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        ahead += [target for target, _ in targets(page)]
    assert set(DOCS.rglob("*.md")) <= reached
    assert DOCS / "index.md" in {target for target, _ in targets(ROOT / "README.md")}


@pytest.mark.parametrize("page", user_pages(), ids=name_of)
def test_blocks_say_what_they_are(page: Path) -> None:
    for example in examples(page):
        assert example.language in RUN | READ | SHOWN, f"{example}: {example.language!r}"
        assert example.kind != "skip" or len(example.rest.split()) > 2, f"{example}: why?"


def commands(page: Path) -> list[str]:
    """What follows `mess ` wherever the page shows it as code."""
    blocks = "\n".join(example.script() for example in examples(page) if example.language in RUN)
    places = blocks.splitlines() + _SPAN.findall(prose(page))
    return [found["words"] for place in places for found in _COMMAND.finditer(place)]


def unknown_in(words: str) -> str | None:
    """What a command line names that there is not: a command, or an option of it."""
    command: click.Command = cli
    rest = words.split()
    while isinstance(command, click.Group) and rest and re.fullmatch("[a-z]+", rest[0]):
        found = command.get_command(click.Context(command), rest[0])
        if found is None:
            return f"no command {rest[0]} of {command.name}"
        command = found
        rest = rest[1:]
    options = {text for parameter in command.params for text in parameter.opts}
    options |= {text for parameter in command.params for text in parameter.secondary_opts}
    for word in rest:
        option = re.match(r"--[a-z][a-z0-9-]*", word)
        if option and option[0] not in options | {"--help", "--version"}:
            return f"no option {option[0]} of mess {command.name}"
    return None


@pytest.mark.parametrize("page", user_pages(), ids=name_of)
def test_commands_and_options_exist(page: Path) -> None:
    known = [
        words
        for words in commands(page)
        if find_spec("torch")
        or not words.startswith("pretrain")  # it loads torch to say its options
    ]
    wrong = [f"mess {words}: {why}" for words in known if (why := unknown_in(words))]
    assert not wrong


def test_unknown_commands_and_options_are_noticed() -> None:
    assert unknown_in("similar nebula --k 5") is None
    assert unknown_in("playlist journey a b --n 5") is None
    assert unknown_in("simlar nebula") is not None
    assert unknown_in("playlist trip a b") is not None
    assert unknown_in("similar nebula --loud") is not None


def test_every_command_is_listed() -> None:
    listed = {words.split()[0].rstrip(",") for words in commands(DOCS / "commands.md")}
    assert set(cli.list_commands(click.Context(cli))) <= listed


def test_every_setting_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| (`[^|]*`) \|", (DOCS / "settings.md").read_text(), flags=re.MULTILINE)
    documented = {name for row in rows for name in _SPAN.findall(row)}
    assert documented == set(Settings.__struct_fields__) - {"home"}


@pytest.mark.parametrize("page", every_page(), ids=name_of)
def test_variables_exist(page: Path) -> None:
    known = {name.upper() for name in Settings.__struct_fields__} | OTHER_VARIABLES
    text = page.read_text(encoding="utf-8")
    assert {name.rstrip("_") for name in _VARIABLE.findall(text)} <= known


def test_every_address_is_documented_and_no_other() -> None:
    text = (DOCS / "http.md").read_text(encoding="utf-8")
    named = {
        re.sub(r"\{\w+\}", "{}", path) for path in re.findall(r"(/(?:v1|webhooks)/[\w/{}-]+)", text)
    }
    real = {re.sub(r"\{\w+\}", "{}", path) for path in describe(ENDPOINTS)["paths"]}
    assert named <= real
    assert {path for path in real if path.startswith(("/v1/", "/webhooks/"))} <= named


def test_examples_are_read_with_what_their_comments_say(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n\n<!-- test: skip: needs a network card -->\n```sh\ncurl x\n```\n\n"
        "<!-- test: run\nsleep 1\n-->\n```console\n$ mess a \\\n    b\nanswer\n$ mess c\n```\n"
        "<!-- test: exit: 2 -->\n```sh\nmess\n```\n"
    )
    read = [(found.language, found.script(), found.kind, found.rest) for found in examples(page)]
    assert read == [
        ("sh", "curl x", "skip", "needs a network card"),
        ("sh", "sleep 1", "", ""),
        ("console", "mess a \\\n    b\nmess c", "", ""),
        ("sh", "mess", "exit", "2"),
    ]
    assert str(Example(ROOT / "README.md", 3, "sh", "")) == "README.md:3"


@pytest.mark.parametrize(
    "text",
    [
        "<!-- test: skip -->\n```sh\nx\n```\n",
        "<!-- test: sometimes: why -->\n```sh\nx\n```\n",
        "<!-- test: exit: 2 -->\nno block\n",
    ],
)
def test_malformed_comments_are_refused(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ValueError, match=r"page\.md:"):
        examples(page)


def test_another_shape_of_json_is_noticed() -> None:
    assert differences({"a": 0.5, "rows": []}, {"a": 2, "rows": [{"b": "y"}]}) == []
    shown = {"a": 1, "rows": [{"b": "x", "c": None}], "gone": 1}
    assert sorted(differences(shown, {"a": "1", "rows": [{"b": "y", "c": 3, "d": 1}]})) == [
        "$.a is documented as a number and is str",
        "$.gone does not exist",
        "$.rows[].d is not documented",
    ]
