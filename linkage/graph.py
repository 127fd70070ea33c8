"""Connected components with labels that do not depend on the order of anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def components(left: np.ndarray, right: np.ndarray, size: int) -> np.ndarray:
    """Components of the undirected edges left–right over nodes 0 … size-1.

    Returns:
        int64 of shape (size,): for each node the smallest node of its component.
    """
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int64)
