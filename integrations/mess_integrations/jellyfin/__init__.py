"""Jellyfin: which of its items are which tracks, and playlists there that follow the music.

client.py     requests to the server: authorization, retries, errors as one line
host.py       the few calls that MESS needs, with ids and times in one form
link.py       the links to users' accounts, kept in MESS_HOME/jellyfin.json; door.py: logging in
matching.py   items → tracks, with a reason where there is none
sync.py       reading the server's list, page by page
rules.py      what a smart playlist is; naming.py and declared.py: how it is said
wishing.py    what can be wished for beside the seed
seeding.py    a rule's seed → tracks; filling.py: rule → items; keeping.py: items → the server
bursts.py     waiting for changes to end; following.py: the program that `mess up` runs

`Authorization: MediaBrowser` is the only form that Jellyfin 10.11 and 12 both accept.
"""
