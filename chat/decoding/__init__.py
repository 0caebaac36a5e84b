"""Pictures of strangers, decoded where a broken decoder can do no harm.

`decoder.decode` is called in the server. It hands a connection to the process of `fork_server`,
which forks a child for each picture; the child gives up every power by `confinement`, reads the
bytes, runs the pure function of `picture` and answers in the form of `exchange`.
"""
