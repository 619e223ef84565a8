"""Circles in what refers to what: parents, exclusions.

The one thing to know: chains of thousands of hosts are real, so there is no recursion.
"""

from collections.abc import Collection, Mapping


def circles(edges: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    """Return the circles in a graph, each once, beginning with its least name; without recursion."""
    state: dict[str, int] = {}  # 1 = on the path, 2 = done
    found: dict[tuple[str, ...], None] = {}
    for first in sorted(edges):
        path: list[str] = []
        stack: list[tuple[str, bool]] = [(first, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                state[node] = 2
                path.pop()
            elif node not in state:
                state[node] = 1
                path.append(node)
                stack.append((node, True))
                for other in sorted(edges.get(node, ()), reverse=True):
                    if state.get(other) == 1:
                        circle = path[path.index(other) :]
                        least = circle.index(min(circle))
                        found[tuple(circle[least:] + circle[:least])] = None
                    elif other not in state:
                        stack.append((other, False))
    return list(found)
