"""The only code that touches the world: sockets, processes, files, clocks."""
