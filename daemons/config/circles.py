"""Circles in what refers to what: parents, exclusions, templates; and chains that are too long.

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


def innermost_first(edges: Mapping[str, Collection[str]]) -> list[str]:
    """Return the nodes that have edges, each after those that it leads to; without recursion.

    In a circle there is no such order: then the one that comes first by name comes last.
    """
    found: dict[str, None] = {}
    seen: set[str] = set()
    for first in sorted(edges):
        stack: list[tuple[str, bool]] = [(first, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                found[node] = None
            elif node in edges and node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack.extend((n, False) for n in sorted(edges[node], reverse=True))
    return list(found)


def too_deep(edges: Mapping[str, Collection[str]], depth_max: int) -> list[str]:
    """Return the nodes from which the longest chain has just one node more than `depth_max`, sorted.

    Nodes above them are not named: their chains are too long for the same reason.
    """
    level: dict[str, int] = {}
    for node in innermost_first(edges):
        level[node] = 1 + max((level.get(n, 1) for n in edges[node]), default=0)
    return sorted(node for node, found in level.items() if found == depth_max + 1)
