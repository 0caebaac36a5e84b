"""What can answer a request: one module for each kind of model runtime.

One protocol (`base`) for all.
"""
