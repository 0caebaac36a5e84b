"""All processes of an installation with many instances, on this machine without containers.

`manage.py run_multi` runs them; tests start, stop and kill them one by one.
"""
