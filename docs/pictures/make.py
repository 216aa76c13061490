"""Makes the pictures of the documentation: `python -m docs.pictures.make [NAME…]`, from the checkout.

Terminals show what the commands really print, in a home with the sample music (the one in which the
tests run the documentation's examples). The chart shows the figures of docs/measurements/retrieval.md
and rerank.md; the diagrams show programs that cannot run here.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.doc_examples import Sandbox
from tests.jellyfin_contract import contract
from tests.jellyfin_host import PASSWORD, FakeJellyfin, item_id, serving

HERE = Path(__file__).parent
COLUMNS = 100

# rich's own form names fonts on the web; pictures of this project need nothing but themselves.
TERMINAL = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {terminal_width} {height}" role="img">
<title>TITLE</title>
<style>
.{unique_id}-matrix {{ font-family: 'DejaVu Sans Mono', Menlo, Consolas, monospace; \
font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>{lines}</defs>
<rect fill="#17202c" width="{terminal_width}" height="{height}" rx="8"/>
<g transform="translate(10, 12)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def typed(box: Sandbox, script: str) -> str:
    """What a terminal shows while the lines of a script are typed into a shell, one by one."""
    shown = ""
    for line in script.strip().splitlines():
        visible, _, hidden = line.partition(" # ")
        if hidden != "quietly":
            shown += f"\x1b[1;32m$\x1b[0m {visible}\n"
        output = _in_terminal(["bash", "-c", box.local(visible)], box)
        shown += "" if hidden == "quietly" else output
    return shown


def _in_terminal(command: list[str], box: Sandbox) -> str:
    """The output of a command that is read on a terminal."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    environment = box.environment | {"TERM": "xterm-256color"}
    with subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, cwd=box.home, env=environment,
        start_new_session=True,
    ) as process:  # fmt: skip
        os.close(side)
        output = b""
        while True:
            try:
                chunk = os.read(main, 4096)
            except OSError:  # Linux says so at the end of a terminal
                break
            if not chunk:
                break
            output += chunk
        process.wait()
    os.close(main)
    return _settled(output.decode().replace("\r\n", "\n"))


def _settled(output: str) -> str:
    """Without what a terminal overwrites or clears: bars of progress."""
    lines = [line.rpartition("\r")[2] for line in output.split("\n")]
    text = "\n".join(lines)
    return re.sub(r"\x1b\[[0-9;?]*[A-HJKSTfhl]", "", text)


def terminal(name: str, title: str, shown: str, rows: int = 40) -> None:
    """Draw a terminal's text as SVG."""
    lines = shown.rstrip("\n").split("\n")
    if len(lines) > rows:
        lines = [*lines[:rows], "…"]
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi("\n".join(lines)), no_wrap=True, crop=True)
    picture = console.export_svg(code_format=TERMINAL.replace("TITLE", title), unique_id=name)
    (HERE / f"{name}.svg").write_text(_fitted(picture, len(lines)), encoding="utf-8")


def _fitted(picture: str, n_lines: int) -> str:
    """The picture as high as its lines; clip paths, which it does not need, left out."""
    picture = re.sub(r' clip-path="url\([^)]*\)"', "", picture)
    picture = re.sub(r"<defs>.*?</defs>\n", "", picture, flags=re.DOTALL)
    height = round(n_lines * 24.4 + 28)
    picture = re.sub(r'(viewBox="0 0 \S+) \S+"', rf'\1 {height}"', picture)
    return re.sub(r'(<rect fill="#17202c" [^>]*height=)"\S+"', rf'\1"{height}"', picture)


def similar(box: Sandbox) -> None:
    """Similar songs, for README."""
    terminal("similar", "mess similar", typed(box, 'mess similar "lucky 13" --k 4'))


def section(box: Sandbox) -> None:
    """Similar sections, for producers."""
    script = "mess similar farewell --start 0:34 --end 0:50 --k 4\nmess sections farewell"
    terminal("section", "mess similar, with a section", typed(box, script), rows=36)


def clusters(box: Sandbox) -> None:
    """Kinds of music, for collectors."""
    terminal("clusters", "mess clusters", typed(box, "mess clusters --outliers 4"))


def beets(box: Sandbox) -> None:
    """The plugin of beets."""
    terminal("beets", "beet similar", typed(box, """
beet similar -k 3 title:nebula
beet similar -a -k 3 artist:'Stuart Marshall'
beet ls -f '$artist - $title $mess_score' similar:title:nebula mess_rank+ | head -3
"""))  # fmt: skip


def jellyfin(box: Sandbox) -> None:
    """Jellyfin: the tests' own one, which has the same music."""
    music = box.home / "Music"
    with serving(FakeJellyfin(contract("12.0.0"))) as fake:
        for number, path in enumerate(sorted(music.glob("*/*.*")), start=1):
            fake.add(number, path.stem, f"/media/{path.relative_to(music)}", 30.0)
        fake.make_playlist("MESS: like nebula · 5 tracks · 2 per artist", [])
        fake.make_playlist("MESS: like hypatia · calm", [item_id(3)])
        box.environment["MESS_JELLYFIN_PASSWORD"] = PASSWORD
        shown = typed(box, f"""
mess jellyfin link {fake.url} --user ann --path /media={music}
mess jellyfin sync
mess jellyfin playlists
""")  # fmt: skip
        shown = shown.replace(fake.url, "http://jellyfin:8096").replace(str(box.home), "/home/ann")
    terminal("jellyfin", "mess jellyfin", shown)


def osc(box: Sandbox) -> None:
    """A lookup by liblo's tools."""
    box.shell("mess osc > osc.log 2>&1 &\nsleep 4\noscdump -L 9010 > dump.txt 2>&1 &\nsleep 1")
    shown = typed(box, """
oscsend 127.0.0.1 7770 /mess/lookup/track ssffsisi a farewell 34 50 k 3 port 9010
sleep 3 # quietly
cat dump.txt # quietly
""")  # fmt: skip
    dumped = (box.home / "dump.txt").read_text(encoding="utf-8")
    dumped = re.sub(r"^[0-9a-f]+\.[0-9a-f]+ ", "", dumped, flags=re.MULTILINE)
    dumped = dumped.replace(str(box.home), "/home/ann")
    prompt = "\x1b[1;32m$\x1b[0m "
    terminal("osc", "oscsend and oscdump", f"{prompt}oscdump 9010 &\n{shown}{dumped}")


def library_map(box: Sandbox) -> None:
    """A map of the samples."""
    box.shell("mess map --out map.png")
    shutil.copy(box.home / "map.png", HERE / "map.png")


def form(box: Sandbox) -> None:
    """The self-similarity of a track."""
    box.shell("mess sections farewell -o form.png")
    shutil.copy(box.home / "form.png", HERE / "form.png")


SYSTEMS = (  # album MAP and its interval: docs/measurements/retrieval.md, rerank.md
    ("MESS, whole search", 0.341, 0.255, 0.437, True),
    ("mess-mini, song vectors", 0.317, 0.231, 0.412, True),
    ("MusiCNN (MSD)", 0.262, 0.186, 0.349, False),
    ("descriptors, whitened", 0.258, 0.196, 0.327, True),
    ("musly", 0.223, 0.146, 0.316, False),
    ("random", 0.04, None, None, False),
)


def quality(_box: Sandbox | None = None) -> None:
    """The bars of docs/quality.md."""
    left, wide, row = 210, 440, 34
    height = 70 + row * len(SYSTEMS)
    scale = wide / 0.5
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" role="img" '
        'font-family="system-ui, DejaVu Sans, sans-serif" font-size="14">',
        "<title>Other tracks of the album: mean average precision with 95 % intervals</title>",
        f'<rect width="720" height="{height}" rx="8" fill="#ffffff" stroke="#d5dae1"/>',
    ]
    for tick in (0, 0.1, 0.2, 0.3, 0.4, 0.5):
        x = left + tick * scale
        parts.append(f'<path d="M{x:.0f} 16V{height - 40}" stroke="#e3e7ed"/>')
        parts.append(
            f'<text x="{x:.0f}" y="{height - 22}" text-anchor="middle" fill="#5b6675">{tick:g}</text>'
        )
    for i, (name, value, low, high, ours) in enumerate(SYSTEMS):
        y = 20 + row * i
        colour = "#2f6fbd" if ours else "#9aa6b5"
        parts.append(
            f'<text x="{left - 10}" y="{y + 17}" text-anchor="end" fill="#17202c">{name}</text>'
        )
        parts.append(
            f'<rect x="{left}" y="{y}" width="{value * scale:.1f}" height="24" fill="{colour}"/>'
        )
        end = value
        if low is not None and high is not None:
            end = high
            a, b, middle = left + low * scale, left + high * scale, y + 12
            parts.append(
                f'<path d="M{a:.1f} {middle}H{b:.1f}M{a:.1f} {middle - 5}v10M{b:.1f} {middle - 5}v10" '
                'stroke="#17202c" stroke-width="1.5"/>'
            )
        parts.append(
            f'<text x="{left + end * scale + 8:.0f}" y="{y + 17}" fill="#17202c">{value:.3f}</text>'
        )
    parts.append(
        f'<text x="{left}" y="{height - 6}" fill="#5b6675" font-size="12">'
        "album MAP; lines: 95 % intervals over albums</text></svg>\n"
    )
    (HERE / "quality.svg").write_text("\n".join(parts), encoding="utf-8")


def diagram(
    name: str, title: str, boxes: tuple[tuple[str, str], ...], arrows: tuple[str, ...]
) -> None:
    """Boxes from left to right, with what goes to the right above and what comes back below."""
    wide, gap, height = 190, 130, 150
    total = len(boxes) * wide + (len(boxes) - 1) * gap + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {height}" role="img" '
        'font-family="system-ui, DejaVu Sans, sans-serif" font-size="14">',
        f"<title>{title}</title>",
        '<defs><marker id="end" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z" fill="#5b6675"/></marker></defs>',
        f'<rect width="{total}" height="{height}" rx="8" fill="#ffffff" stroke="#d5dae1"/>',
    ]
    for i, (head, note) in enumerate(boxes):
        x = 20 + i * (wide + gap)
        frame = f'x="{x}" y="40" width="{wide}" height="70" rx="6"'
        parts += [
            f'<rect {frame} fill="#e3eefc" stroke="#2f6fbd"/>',
            _centred(x + wide / 2, 71, head, 'font-weight="600" fill="#17202c"'),
            _centred(x + wide / 2, 93, note, _SMALL),
        ]
    for i, arrow in enumerate(arrows):
        there, back = arrow.split(" / ")
        x = 20 + wide + i * (wide + gap)
        line = 'stroke="#5b6675" stroke-width="1.6" marker-end="url(#end)"'
        parts += [
            f'<path d="M{x + 4} 62H{x + gap - 4}" {line}/>',
            f'<path d="M{x + gap - 4} 90H{x + 4}" {line}/>',
            _centred(x + gap / 2, 52, there, _SMALL),
            _centred(x + gap / 2, 108, back, _SMALL),
        ]
    parts.append("</svg>\n")
    (HERE / f"{name}.svg").write_text("\n".join(parts), encoding="utf-8")


_SMALL = 'font-size="12" fill="#4a5564"'


def _centred(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="middle" {style}>{text}</text>'


def daws(_box: Sandbox | None = None) -> None:
    """How a DAW asks."""
    diagram(
        "reaper",
        "REAPER asks mess osc",
        (
            ("REAPER", "mess_lookup.lua"),
            ("mess osc", "127.0.0.1:7770"),
            ("library", "Postgres, pgvector"),
        ),
        ("item&#8217;s stretch / matches, rows", "query / matches"),
    )
    diagram(
        "live",
        "A bridge asks Live and mess osc",
        (
            ("Ableton Live", "AbletonOSC"),
            ("mess_live.py", "in a terminal"),
            ("mess osc", "127.0.0.1:7770"),
        ),
        ("file, markers / which clip?", "clip&#8217;s stretch / matches"),
    )
    diagram(
        "supercollider",
        "sclang asks mess osc",
        (
            ("sclang", "~mess, mess.scd"),
            ("mess osc", "127.0.0.1:7770"),
            ("library", "Postgres, pgvector"),
        ),
        ("path, start, end / rows as Events", "query / matches"),
    )
    diagram(
        "puredata",
        "Pd asks mess osc",
        (
            ("Pure Data", "mess-lookup.pd"),
            ("mess osc", "127.0.0.1:7770"),
            ("library", "Postgres, pgvector"),
        ),
        ("file, start, end / mess-match", "query / matches"),
    )


PICTURES: dict[str, Callable[[Sandbox], None]] = {
    "similar": similar, "section": section, "clusters": clusters, "beets": beets,
    "jellyfin": jellyfin, "osc": osc, "map": library_map, "form": form,
}  # fmt: skip
DRAWN: dict[str, Callable[[], None]] = {"quality": quality, "daws": daws}


def main() -> None:
    """Make the pictures that are named, or all."""
    wanted = sys.argv[1:] or [*DRAWN, *PICTURES]
    for name in wanted:
        if name in DRAWN:
            DRAWN[name]()
    if not PICTURES.keys() & set(wanted):
        return
    with tempfile.TemporaryDirectory() as folder:
        box = Sandbox(Path(folder))
        box.prepare()
        try:
            for name in wanted:
                if name in PICTURES:
                    box.restore()
                    PICTURES[name](box)
        finally:
            box.stop()


if __name__ == "__main__":
    main()
