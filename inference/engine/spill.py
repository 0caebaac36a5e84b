"""Between memory and disk: which pages of the tree go to the spill folder, and which come back.

A page goes when it is about to be forgotten, together with the idle pages before it, so that a
conversation becomes few files; a page is written once, wherever it then is. Unfinished pages never
go: they are worth less than a page of computing. Letters: S tokens a page.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from inference.engine.cache_keys import extend_chain
from inference.engine.page_pool import PagePool
from inference.engine.prefix_tree import PageNode, PrefixTree
from inference.engine.spill_file import MOST_PAGES
from inference.engine.spill_folder import SpillFolder


@dataclass(frozen=True, slots=True)
class SpilledPage:
    """A page that the folder has: its chain and its S keys."""

    chain: bytes
    keys: Sequence[int]


class PageSpill:
    """Moves pages of one pool and tree to a folder, and finds them there."""

    def __init__(self, pool: PagePool, tree: PrefixTree, folder: SpillFolder) -> None:
        """Connect the three; the folder is closed by `keep_all`."""
        self.folder = folder
        self._pool = pool
        self._tree = tree

    def find(self, node: PageNode, keys: Sequence[int]) -> list[SpilledPage]:
        """Return the pages in the folder that follow `node` with these next keys."""
        size = self._pool.page_tokens
        chain, found = node.chain, []
        for start in range(0, len(keys) - size + 1, size):
            page_keys = keys[start : start + size]
            chain = extend_chain(chain, page_keys)
            if not self.folder.has(chain):
                break
            found.append(SpilledPage(chain, page_keys))
        return found

    def keep(self, leaf: PageNode) -> None:
        """Copy an idle page that is about to be forgotten, and those before it, 16 in all.

        Copying takes the step some milliseconds (17 MB for the 2B shape in int8), writing nothing.
        While the disk is behind, pages are forgotten for good.
        """
        if self.folder.has_room():
            run = self._tree.idle_run(leaf, most=MOST_PAGES, is_wanted=self._is_new)
            self._put(run, wait_s=0.0)

    def keep_all(self, within_s: float) -> None:
        """Copy all pages, the latest conversations first, and close the folder.

        What the time does not allow is forgotten; a run that is being written is finished.
        """
        deadline = time.monotonic() + within_s
        leaves = [node for node in self._tree.nodes() if not node.children]
        for leaf in sorted(leaves, key=lambda node: node.last_used, reverse=True):
            self._keep_path(leaf, deadline)
        self.folder.close()

    def _keep_path(self, leaf: PageNode, deadline: float) -> None:
        # From the root on: pages without those before them would never be found.
        path = [node for node in self._tree.path(leaf) if self._is_new(node)]
        for start in range(0, len(path), MOST_PAGES):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return
            self._put(path[start : start + MOST_PAGES], wait_s=left_s)

    def _is_new(self, node: PageNode) -> bool:
        is_full = len(node.keys) == self._pool.page_tokens
        return is_full and not self.folder.has(node.chain)

    def _put(self, run: Sequence[PageNode], *, wait_s: float) -> None:
        if not run:
            return
        contents = self._pool.copy_out([node.page for node in run])
        self.folder.put([node.chain for node in run], contents, wait_s=wait_s)
