"""Our own CPU engine for Qwen3-VL: packed weights, paged key-value cache, continuous batching.

A stage a module. `shape` reads the dimensions, `checkpoint` and `weights` fill packed matrices,
`kernels` computes (native where it can, stock torch operators everywhere), `rope` gives positions,
`vision` and `text` are the two networks, `kv_cache` remembers, `scheduler` decides what runs next.
Nothing here knows of people, conversations or the network.

Dimension letters in this package: M rows of a matrix product, K its inputs, N its outputs;
T tokens, P patches, H hidden width, A query heads, C key-value heads, D head width, L layers,
G pages, S tokens a page, W width of a row of the cache: a token's keys or values of one head.
"""
