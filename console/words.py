"""What all commands share: exit codes, mistakes without a traceback, the options that name a cluster."""

from collections.abc import Callable
from typing import Any

import click

from console.target import CannotAsk, Target, target

GOOD, NOT_GOOD, USAGE, NOBODY = 0, 1, 2, 3
Command = Callable[..., Any]


class Wrong(click.ClickException):
    """A mistake of the user: its text, no traceback."""

    exit_code = USAGE

    def show(self, file: Any = None) -> None:
        """Write it the way all our commands do."""
        click.echo(f"shinken: {self.message}", err=True)


class NotGood(Wrong):
    """The configuration is not good."""

    exit_code = NOT_GOOD


def which_cluster(command: Command) -> Command:
    """Add the options that say which cluster is meant."""
    for option in (
        click.option("--workdir", default="", metavar="DIR", help="Work folder of a server of this machine (default: `workdir` of the main file)."),
        click.option("--server", default="", metavar="NAME", help="Which server this is, where its addresses do not tell."),
        click.option("-c", "--config", "files", multiple=True, metavar="FILE", type=click.Path(exists=True, dir_okay=False, readable=True), help="Configuration file; several are read one after the other."),
    ):  # fmt: skip
        command = option(command)
    return command


as_json_option = click.option("--json", "as_json", is_flag=True, help="For scripts.")


def cluster_target(files: tuple[str, ...], server: str, workdir: str) -> Target:
    """Return the cluster that is meant; a mistake in naming it is the user's. Raises Wrong."""
    try:
        return target(files, server, workdir)
    except CannotAsk as error:
        raise Wrong(str(error)) from error
