"""Our engine against its peers, in one run on one machine: `make bench`.

Every contestant is a process of its own that answers conversations by the same small protocol
(`wire`); `worker` is the benchmark's side of it, `peers` the contestants' side. `schedule` says who
is measured beside whom, `table` what is judged: only ratios of figures taken side by side, because
the machine's speed changes within minutes. `probes` and `work` give the two floors.
"""
