"""Adapters to other programs. Each parses, calls one use case of the core, and formats."""
