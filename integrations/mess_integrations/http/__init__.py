"""The HTTP service: webhooks for media servers, questions for programs, and how MESS is.

Each module with routes has a tuple `ENDPOINTS`; `app.py` collects them, `auth.py` stands before
them all, and `openapi.py` describes them.
"""
