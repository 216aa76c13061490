"""The examples of the documentation: read from the pages, and run in a home with the sample music.

Every fenced block is an example. What is run depends on its language: `sh` as a script, of `console`
the lines after `$ `, `python` as a program; `toml` and `yaml` are parsed; `json` is compared with what
a command prints. A comment directly above a block changes that:

    <!-- test: skip: REASON -->        it cannot be run here, and why
    <!-- test: exit: CODE -->          its last command ends with CODE
    <!-- test: json: COMMAND -->       a `json` block shows the shape of what COMMAND prints

    <!-- test: run
    COMMANDS                           set-up that readers need not see, run where it stands
    -->
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mess_plugin import embedded

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
DOCS = ROOT / "docs"

RUN = frozenset({"sh", "console", "python"})
READ = frozenset({"json", "toml", "yaml"})
SHOWN = frozenset(
    {"text", "ini", "nginx", "caddy", "supercollider"}
)  # not for a program that is here

_COMMENT = re.compile(
    r"<!-- test: (?:(?P<kind>skip|exit|json): (?P<rest>[^\n]+?) -->|run\n(?P<run>.*)\n-->)",
    re.DOTALL,
)
_LIMIT_S = 300


def user_pages() -> list[Path]:
    """The pages whose examples people follow; measurements are records of what was run elsewhere."""
    docs = (page for page in DOCS.rglob("*.md") if "measurements" not in page.parts)
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(docs)]


@dataclass(frozen=True)
class Example:
    """A block of a page: where it stands, its language and text, and what its comment says."""

    page: Path
    line: int
    language: str
    code: str
    kind: str = ""
    rest: str = ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def script(self) -> str:
        """What a shell runs."""
        if self.language != "console":
            return self.code
        lines: list[str] = []
        for line in self.code.splitlines():
            if line.startswith("$ "):
                lines.append(line[2:])
            elif lines and lines[-1].endswith("\\"):
                lines.append(line)
        return "\n".join(lines)


def examples(page: Path) -> list[Example]:
    """The examples of a page in order. Raises ValueError where a comment or a fence is malformed."""
    return list(_examples(page, page.read_text(encoding="utf-8").splitlines()))


def _examples(page: Path, lines: list[str]) -> Iterator[Example]:
    kind = rest = ""
    i = 0
    while i < len(lines):
        start = i + 1
        if lines[i].startswith("<!-- test:"):
            comment = lines[i]
            while "-->" not in lines[i]:
                i += 1
                comment += "\n" + lines[i]
            found = _COMMENT.fullmatch(comment)
            if found is None:
                raise ValueError(f"{page}:{start}: {comment!r} is no comment for the tests")
            if found["run"]:
                yield Example(page, start, "sh", found["run"])
            else:
                kind, rest = found["kind"], found["rest"]
        elif lines[i].startswith("```"):
            language = lines[i][3:].strip()
            code = []
            i += 1
            while lines[i] != "```":
                code.append(lines[i])
                i += 1
            yield Example(page, start, language, "\n".join(code), kind, rest)
            kind = rest = ""
        elif kind:
            raise ValueError(f"{page}:{start}: a block must follow the comment for the tests")
        i += 1


class Sandbox:
    """A user's home with the sample music in ~/Music, indexed by MESS and imported into beets."""

    def __init__(self, place: Path) -> None:
        self.home = place / "home"
        self._pristine = place / "pristine"
        self._ports = {"8765": _free_port(), "7770": _free_port()}
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = kept | {
            "PATH": path,
            "HOME": str(self.home),
            "MESS_HOME": str(self.home / "mess"),
            "MESS_LISTEN": f"127.0.0.1:{self._ports['8765']}",
            "MESS_OSC_PORT": str(self._ports["7770"]),
            "BEETSDIR": str(self.home / "beets"),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "100",
            "PYTHONUNBUFFERED": "1",
        }
        self._started: list[int] = []

    def prepare(self) -> None:
        """Index the samples once."""
        (self.home / "beets").mkdir(parents=True)
        shutil.copytree(SAMPLES, self.home / "Music")
        (self.home / ".venv").symlink_to(sys.prefix)
        beets = {
            "directory": str(self.home / "Music"),
            "library": str(self.home / "beets" / "library.db"),
            "plugins": "mess",
            "import": {"copy": False, "autotag": False},
            "ui": {"color": False},
        }
        (self.home / "beets" / "config.yaml").write_text(json.dumps(beets), encoding="utf-8")
        self.shell(
            "ffmpeg -v error -i Music/angelic-asylum/obsidian-shell-farewell.opus"
            " -ss 3 -t 40 excerpt.wav\n"
            "mess index Music\n"
            "mess similar nebula --k 1  # the projection is fitted before the copy is made\n"
            "beet import -q Music"
        )
        self.stop()
        self.home.rename(self._pristine)

    def restore(self) -> None:
        """Begin again from the indexed samples."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self._pristine, self.home, symlinks=True)

    def stop(self) -> None:
        """End what the examples left running."""
        for group in self._started:
            try:
                os.killpg(group, signal.SIGTERM)
            except ProcessLookupError:
                continue
        self._started.clear()
        embedded.down(self.home / "mess")

    def shell(self, script: str, code: int = 0) -> str:
        """Run a script and return its standard output; fail with all that it said."""
        script = self.local(script)
        return self._run(["bash", "-euo", "pipefail", "-c", script], script, code)

    def local(self, script: str) -> str:
        """The script with this home's ports in place of the usual ones."""
        for known, port in self._ports.items():
            script = re.sub(rf"(?<=127\.0\.0\.1[: /]){known}\b", str(port), script)
        return script

    def run(self, example: Example) -> None:
        """Run, parse or compare an example. Raises AssertionError that names it."""
        if example.kind == "skip" or example.language in SHOWN:
            return
        try:
            if example.language == "python":
                self._run([sys.executable, "-c", example.code], example.code, 0)
            elif example.language in RUN:
                self.shell(example.script(), int(example.rest) if example.kind == "exit" else 0)
            elif example.language == "toml":
                tomllib.loads(example.code)
            elif example.language == "yaml":
                yaml.safe_load(example.code)
            else:
                assert example.kind == "json", "a json block needs a comment that names its command"
                wrong = differences(json.loads(example.code), json.loads(self.shell(example.rest)))
                assert not wrong, "\n".join(wrong)
        except (AssertionError, ValueError) as error:
            raise AssertionError(f"{example}: {error}") from error

    def _run(self, command: list[str], shown: str, code: int) -> str:
        # Files, not pipes: what a script leaves running holds them open.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env=self.environment, cwd=self.home, start_new_session=True,
            )  # fmt: skip
            self._started.append(process.pid)
            done = process.wait(_LIMIT_S)
            said = [stream.read() for stream in (out, err) if stream.seek(0) == 0]
        assert done == code, "\n".join([f"exit code {done}", shown, *said])
        assert "Traceback" not in said[1], f"{shown}\n{said[1]}"
        return said[0]


def differences(shown: Any, real: Any, place: str = "$") -> list[str]:
    """Where a documented JSON value has another shape than a real one: keys and kinds, not values.

    A documented null stands for anything, a real null for anything; each documented item of a list
    has the shape of the first real one.
    """
    if shown is None or real is None:
        return []
    if isinstance(shown, dict) and isinstance(real, dict):
        wrong = [f"{place}.{key} is not documented" for key in real.keys() - shown.keys()]
        wrong += [f"{place}.{key} does not exist" for key in shown.keys() - real.keys()]
        for key in shown.keys() & real.keys():
            wrong += differences(shown[key], real[key], f"{place}.{key}")
        return wrong
    if isinstance(shown, list) and isinstance(real, list):
        return [
            wrong for item in shown if real for wrong in differences(item, real[0], f"{place}[]")
        ]
    if _kind(shown) != _kind(real):
        return [f"{place} is documented as {_kind(shown)} and is {_kind(real)}"]
    return []


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a number" if isinstance(value, int | float) else type(value).__name__


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
