"""The synchronous inference service: pictures and text in, a stream of events out.

Knows nothing of Django, sockets or databases. Start at `inference.service.InferenceService`; the
values that cross the border are in `inference.requests`, `inference.config` and
`inference.errors`. Importing any of these costs milliseconds: torch and transformers are imported
by a backend, in the process that generates, when it loads.
"""
