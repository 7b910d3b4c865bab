"""What the parser of the command line complains of, said as Motet says everything else that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

from motet.errors import InputError, nearest, unknown

if TYPE_CHECKING:
    from click import Command, Context


class Group(TyperGroup):
    """Commands, of which an unknown one is answered with the nearest."""

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Find the command that is meant."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:  # which completion is
            raise unknown("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


def is_complaint(error: Exception) -> bool:
    """Return whether an error is the parser's; typer may bring a parser of its own, so that there is no one class."""
    return error.__class__.__module__.startswith(("click", "typer")) and hasattr(error, "format_message")


def sentence(error: Any) -> InputError:
    """Turn a complaint into one sentence, with the nearest name or where the right ones stand."""
    if error.__class__.__name__ == "NoSuchOption":
        return _no_option(error)
    said = error.format_message().strip().rstrip(".")
    if not said or "\n" in said:  # the help, where nothing is asked for
        return InputError("no command is given: choose one from the list above")
    return InputError(f"{said[0].lower()}{said[1:]}{_help(error)}")


def _no_option(error: Any) -> InputError:
    options = [name for parameter in error.ctx.command.get_params(error.ctx) for name in parameter.opts]
    name, known = error.option_name, [option for option in options if option.startswith("--")]
    if nearest(name, known):
        return unknown("option", name, known)
    return InputError(f"unknown option {name!r}{_help(error)}")


def _help(error: Any) -> str:
    return f": see `{error.ctx.command_path} --help`" if getattr(error, "ctx", None) is not None else ""
