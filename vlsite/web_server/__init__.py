"""Daphne with what it lacks: `send` waits for a slow reader, and slow or endless input is cut.

Its own `send` never waits and its queue of what came in has no end, so that one stalled or hostile
connection could cost any amount of memory.
"""
