"""Jellyfin: a map from its items to tracks, and playlists there that MESS keeps up to date.

client.py      requests to the server: authorization, retries, errors as one line
api.py         the calls that MESS needs, with ids and times in one form
accounts.py    linked accounts, kept in MESS_HOME/jellyfin.json; auth.py: logging in
file_index.py  items → tracks, with a reason where there is none
sync.py        reading the server's list, page by page
rules.py       what a smart playlist is; naming.py: as a playlist's name; specs.py: as TOML or JSON
resolve.py     a rule's seed → tracks; tracks → items; manual_edits.py: the listener's own changes
reconciler.py  bringing one user's playlists up to date
debounce.py    waiting for changes to end; follower.py: the program that `mess up` runs

`Authorization: MediaBrowser` is the only form that Jellyfin 10.11 and 12 both accept.
"""
