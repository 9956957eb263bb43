"""The root of the command line: the table of all commands, global options, and the one handler of every error.

Commands are built when they are asked for: building all of them would cost every start more than typer itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Annotated, Any, NamedTuple, TextIO

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.exceptions import TyperException

from orderstate.cli_commands.call import Call
from orderstate.cli_commands.failing import UsageError, interrupted, no_such_command, report, unexpected, usage
from orderstate.cli_commands.screen import Screen
from orderstate.errors import OrderstateError

NAME = "orderstate"


class Member(NamedTuple):
    """One command: the function in `orderstate.cli_commands` that it calls, or the commands that it has below it."""

    section: str
    help: str
    function: str = ""
    members: Mapping[str, Member] | None = None


def _family(section: str, help: str, **members: tuple[str, str]) -> Member:
    return Member(section, help, members={n: Member("Commands", h, f) for n, (f, h) in members.items()})


_NEW, _CHANGE, _ASK, _NETWORK, _EVENTS, _CARE = "Start", "Orders", "Questions", "Network", "Events", "Care"

MEMBERS: Mapping[str, Member] = {
    "demo": Member(_NEW, "a guided run in a temporary database", "demo:demo"),
    "init": Member(_NEW, "make a new database", "care:init"),
    "place": Member(_CHANGE, "record an order; nothing is reserved yet", "changing:place"),
    "tie": Member(_CHANGE, "tie the best stock to orders", "tying:tie"),
    "untie": Member(_CHANGE, "give the stock of orders back", "changing:untie"),
    "ship": Member(_CHANGE, "send orders off; from then on they cannot be cancelled", "changing:ship"),
    "deliver": Member(_CHANGE, "the goods arrived", "changing:deliver"),
    "advance": Member(_CHANGE, "take the next main step, all up to a state, or what timers say", "changing:advance"),
    "fire": Member(_CHANGE, "fire any trigger of the flow", "changing:fire"),
    "cancel": Member(_CHANGE, "cancel orders, or some units of one", "changing:cancel"),
    "redirect": Member(_CHANGE, "send an order elsewhere; a tied one is planned again", "changing:redirect"),
    "split": Member(_CHANGE, "let one facility's part of a tied order move by itself", "changing:split"),
    "show": Member(_ASK, "one order, as it is or was: ORDER or ORDER@VERSION", "asking:show"),
    "list": Member(_ASK, "many orders, newest first", "asking:list_orders"),
    "history": Member(_ASK, "what happened to an order", "asking:history"),
    "why": Member(_ASK, "what is possible, what is not, and what would make it so", "asking:why"),
    "plan": Member(_ASK, "from where an order would be, or was, tied, and why", "asking:plan"),
    "strategies": Member(_ASK, "the strategies that can plan an order", "asking:strategies"),
    "diagram": Member(_ASK, "draw the flow, or the path that one order took", "drawing:diagram"),
    "flow": _family(
        _ASK,
        "flows that people write",
        check=("flows:check", "everything that is wrong with a flow file, and how to mend it"),
        show=("flows:show", "a table of state x trigger"),
        diff=("flows:diff", "what a flow file changes"),
        use=("flows:use", "put a flow in force for this database"),
    ),
    "facility": _family(
        _NETWORK,
        "the places that store and ship",
        add=("network:facility_add", "add a facility"),
        set=("network:facility_set", "change a facility"),
        list=("network:facility_list", "every facility"),
        **{"import": ("network:facility_import", "add or change facilities from a CSV file")},
    ),
    "stock": _family(
        _NETWORK,
        "what is in them",
        receive=("network:stock_receive", "goods came in; says who waits for them"),
        adjust=("network:stock_adjust", "correct what is on hand, or the safety stock"),
        list=("network:stock_list", "what there is, what is tied, what is available"),
        **{"import": ("network:stock_import", "a stock count from a CSV file; safe to repeat")},
    ),
    "work": Member(_EVENTS, "bring events to their subscribers, fire timers that are due", "working:work"),
    "events": _family(
        _EVENTS,
        "what happened, and who heard of it",
        list=("eventing:events_list", "many events, newest first"),
        tail=("eventing:events_tail", "the newest events, and with --follow each as it happens"),
        show=("eventing:events_show", "one event, and its way to each subscriber"),
        parked=("eventing:events_parked", "what could not be delivered, and why"),
        replay=("eventing:events_replay", "deliver events again, with the same ids"),
        skip=("eventing:events_skip", "count an event as delivered to a subscriber"),
    ),
    "subscribers": _family(
        _EVENTS,
        "who hears of events",
        list=("subscribing:subscribers_list", "every subscriber, and how far it is behind"),
        on=("subscribing:subscribers_on", "switch a subscriber on"),
        off=("subscribing:subscribers_off", "switch a subscriber off"),
        add=("subscribing:subscribers_add", "add a subscriber of your own"),
        set=("subscribing:subscribers_set", "change what a subscriber hears of"),
        remove=("subscribing:subscribers_remove", "forget a subscriber"),
    ),
    "notify": _family(
        _EVENTS,
        "what customers are told",
        check=("notifying:notify_check", "try every template, and say what is wrong with it"),
    ),
    "relay": Member(_EVENTS, "publish every event to a broker, a file, or stdout", "relaying:relay"),
    "consume": Member(_EVENTS, "apply commands and events of other systems, each once", "relaying:consume"),
    "run": Member(_CARE, "run scenarios (YAML), or commands (NDJSON), from files or -", "feeding:run"),
    "scenario": _family(
        _CARE, "scenarios", generate=("scripting:generate", "scenarios that take every transition of a flow")
    ),
    "simulate": Member(_CARE, "what if: order history against strategies and networks", "simulating:simulate"),
    "import": _family(_CARE, "order history", orders=("importing:import_orders", "import past orders from a CSV file")),
    "config": _family(
        _CARE,
        "settings",
        get=("care:config_get", "one setting"),
        set=("care:config_set", "change a setting, or return it to its default"),
        list=("care:config_list", "every setting"),
    ),
    "doctor": Member(_CARE, "recompute what can be recomputed, say what differs", "care:doctor"),
    "schema": Member(_CARE, "JSON Schema of what people write", "flows:schema"),
    "db": _family(_CARE, "the database file", upgrade=("care:db_upgrade", "bring an older database up to date")),
}


class Family(TyperGroup):
    """A command with commands below it, each built when it is asked for."""

    members: Mapping[str, Member] = MEMBERS

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the table."""
        return list(self.members)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, or None."""
        member = self.members.get(cmd_name)
        return None if member is None else built(cmd_name, member)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the words begin with. Raises UsageError with close matches."""
        if args[0] not in self.members and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise no_such_command(args[0], ctx.command_path, list(self.members))
        call = ctx.find_object(Call)
        if call is not None:
            call.path = f"{ctx.command_path} {args[0]}"
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The help of every command, by section, without building one."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, member in self.members.items():
            sections.setdefault(member.section, []).append((name, member.help))
        wide = max(map(len, self.members))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(wide), help) for name, help in rows])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Names only: with help beside them, typer would load rich at each Tab."""
        from typer._click.shell_completion import CompletionItem

        options = [o for p in self.get_params(ctx) for o in p.opts if incomplete and o.startswith(incomplete)]
        return [CompletionItem(n) for n in (*self.members, *options) if n.startswith(incomplete)]


class Single(TyperCommand):
    """A command with nothing below it."""

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Without help beside the options: typer would load rich for it at each Tab."""
        found = super().shell_complete(ctx, incomplete)
        for item in found:
            item.help = None
        return found


def built(name: str, member: Member) -> Any:
    """A member as typer's own command."""
    if member.members is not None:
        family = Family(name=name, help=member.help, rich_markup_mode=None, no_args_is_help=True)
        family.members = member.members
        family.params.append(_option("--json", "answer in JSON", _take_json))
        return family
    module, _, function = member.function.partition(":")
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, cls=Single, help=member.help)(
        getattr(import_module(f"orderstate.cli_commands.{module}"), function)
    )
    command = typer.main.get_command(app)
    command.params.append(_option("--json", "answer in JSON", _take_json))
    return command


def _option(name: str, help: str, take: Callable[..., None]) -> TyperOption:
    return TyperOption(
        param_decls=[name], is_flag=True, expose_value=False, is_eager=True, help=help, callback=take, default=False
    )


def _take_json(context: typer.Context, param: object, value: bool) -> None:
    call = context.find_object(Call)
    if value and call is not None:
        call.screen.json = True


def _say_version(context: typer.Context, param: object, value: bool) -> None:
    call = context.find_object(Call)
    if not value or call is None:
        return
    from orderstate import __version__

    if call.screen.json:
        call.screen.document({"version": __version__})
    else:
        call.screen.line(f"{NAME} {__version__}")
    raise typer.Exit


def _root(
    context: typer.Context,
    db: Annotated[
        str | None,
        typer.Option(
            "--db",
            metavar="URL",
            help="the database: a file or a URL; default: $ORDERSTATE_DB, orderstate.toml, ./orderstate.db",
            show_default=False,
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="show where an error happened")] = False,
) -> None:
    call = context.find_object(Call)
    if call is not None:
        call.db, call.debug = db, debug


def root() -> Family:
    """The whole command line as one group."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(
        cls=Family,
        no_args_is_help=True,
        help="An order engine: orders, stock, and why each unit comes from where it comes.",
    )(_root)
    found = typer.main.get_command(app)
    assert isinstance(found, Family)
    found.params.insert(1, _option("--json", "answer in JSON; also accepted after the command", _take_json))
    found.params.append(_option("--version", "say the version, and nothing else", _say_version))
    return found


def commands(family: Family | None = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its path, the root first. For the documentation's test."""
    here = root() if family is None else family
    yield path, here
    for name, member in here.members.items():
        command = built(name, member)
        if isinstance(command, Family):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def run(arguments: Sequence[str], screen: Screen | None = None, home: str | None = None) -> int:
    """Run one command line and give its exit status. Raises nothing.

    `home` is the database where the command line names none; without it the environment decides.
    """
    call = Call(screen or Screen.standard(), home=home)
    try:
        with call:
            status = _invoke(list(arguments), call)
            call.screen.out.flush()
            return status
    except BrokenPipeError:
        # Whoever read our output has seen enough. What was done is done, and stays done.
        _give_up(call.screen.out, call.screen.err)
        return 0
    except OrderstateError as error:
        # A command line that was not understood was not read to its end: `--json` may stand behind the mistake.
        call.screen.json = call.screen.json or (isinstance(error, UsageError) and "--json" in arguments)
        return _failed(error, call)
    except KeyboardInterrupt:
        return _failed(interrupted(call.path), call)
    except SystemExit as done:  # typer's own commands for completion end so
        return done.code if isinstance(done.code, int) else 0
    except Exception as error:  # noqa: BLE001 - the one handler: nobody sees a traceback who did not ask for it
        return _failed(unexpected(error), call, error)


def _invoke(arguments: list[str], call: Call) -> int:
    for place, argument in enumerate(arguments, 1):
        if not argument.isascii() and any("\ud800" <= c <= "\udfff" for c in argument):
            raise UsageError(f"argument {place} is not valid UTF-8: {argument!r}")
    group = root()
    if f"_{NAME.upper()}_COMPLETE" in os.environ:
        group.main(arguments, prog_name=NAME, standalone_mode=False)
    try:
        with group.make_context(NAME, arguments, obj=call) as context:
            return int(group.invoke(context) or 0)
    except typer.Exit as done:
        return done.exit_code
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            call.screen.word(error.format_message())
            return UsageError.exit_status
        raise usage(error, arguments) from error


def _failed(error: OrderstateError, call: Call, cause: BaseException | None = None) -> int:
    if cause is not None:
        error.__cause__ = cause
    try:
        call.screen.out.flush()
    except OSError:
        _give_up(call.screen.out)  # it may be what failed: the words must get through all the same
    try:
        report(error, call)
    except OSError:
        _give_up(call.screen.err)  # nobody can be told, but for the exit status
    return error.exit_status


def _give_up(*streams: TextIO) -> None:
    """Send what a stream still holds nowhere: the interpreter flushes it once more at its end, and would complain."""
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        try:
            os.dup2(silence, stream.fileno())
        except (OSError, ValueError):
            continue  # a stream in memory has no descriptor
    os.close(silence)
