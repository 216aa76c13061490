"""The beets side of MESS, behind `beetsplug/mess.py`.

fields.py    the fields `mess_…` and the query `similar:`
options.py   options of `beet similar`; commands.py: `beet similar` and `beet mess`
events.py    listeners for beets' events; delivery.py: passing changes to MESS
client.py    questions and what they found; answers.py, heard.py, session.py, m3u.py: with it loaded

`fields`, `options`, `commands`, `events` and `client` are loaded by every `beet` command and import
beets alone; the others are loaded by a question or by changes to pass on.
"""
