"""The beets side of MESS, behind `beetsplug/mess.py`.

`fields`, `query` and `collecting` are loaded with every `beet` command and import beets alone; all
else is loaded when a question is asked or changes are passed on.
"""
