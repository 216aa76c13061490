"""The web page: its assets, its sessions, and the endpoints that it needs beside the others.

`routes.py` collects the endpoints. All of them are part of the documented API: the page has no
private door.
"""
