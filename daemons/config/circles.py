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


def too_deep(edges: Mapping[str, Collection[str]], depth_max: int) -> list[str]:
    """Return the nodes from which a chain of more than `depth_max` nodes begins, each such chain's shortest
    only, sorted. Circles do not count; without recursion."""
    level: dict[str, int] = {}
    found = []
    for first in sorted(edges):
        stack: list[tuple[str, bool]] = [(first, False)]
        on_path: set[str] = set()
        while stack:
            node, leaving = stack.pop()
            if leaving:
                on_path.discard(node)
                level[node] = 1 + max((level.get(n, 0) for n in edges.get(node, ())), default=0)
                if level[node] == depth_max + 1:
                    found.append(node)
            elif node not in level and node not in on_path:
                on_path.add(node)
                stack.append((node, True))
                stack.extend((n, False) for n in edges.get(node, ()) if n not in level)
    return sorted(found)
