"""MESS: expressive music similarity search. The core: music, vectors and Postgres."""
