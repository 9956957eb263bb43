"""The database and its settings."""

from __future__ import annotations

from typing import Annotated

import typer

from orderstate.cli_commands import completion, options
from orderstate.cli_commands.call import Call, called
from orderstate.cli_commands.failing import UsageError

Setting = Annotated[
    str,
    typer.Argument(metavar="SETTING", help="a setting", autocompletion=completion.settings, show_default=False),
]


def init(ctx: typer.Context) -> int:
    """Whole, or not at all; refused where something is there already."""
    call = called(ctx)
    database = call.database()
    from orderstate.engine import Engine

    Engine.create(database).close()
    _told(call, {"command": "init", "database": database}, f"{database}: a new, empty database")
    call.next("facility", "add", "CODE", "--at", "LAT,LON", "--country", "CC")
    call.suggest()
    return 0


def doctor(ctx: typer.Context) -> int:
    """Repairs nothing. Exit status 1 where something is wrong."""
    call = called(ctx)
    engine = call.engine()
    from orderstate.cli_commands import installed
    from orderstate.model import Stock
    from orderstate.render.network import FINDINGS
    from orderstate.store.doctor import examine

    flow = engine.kept_flow()  # not the one that is compiled: a guard of it may not be installed here
    tied = [state.name for state in flow.states if state.stock is Stock.TIED]
    found = examine(engine.store, tied_states=tied, states=[state.name for state in flow.states], now=engine.clock())
    found += installed.examine(engine, flow)
    call.screen.each(
        found,
        lambda finding: finding.document(),
        FINDINGS,
        lambda findings: ((f.level, f.code, f.sentence) for f in findings),
    )
    wrong = sum(f.level == "wrong" for f in found)
    if wrong and not call.screen.json:
        call.screen.word(f"{wrong} of {len(found)} checks found something wrong; nothing was changed")
    return 1 if wrong else 0


def db_upgrade(ctx: typer.Context) -> int:
    """To the schema of this program; a newer database is refused."""
    call = called(ctx)
    database = call.database()
    from orderstate.store.schema import upgrade
    from orderstate.store.sqlite import location

    before, after = upgrade(*location(database))
    sentence = f"{database}: revision {before} -> {after}" if before != after else f"{database}: up to date, {after}"
    _told(call, {"command": "db upgrade", "database": database, "was": before, "revision": after}, sentence)
    call.next("doctor")
    call.suggest()
    return 0


def _told(call: Call, document: dict[str, str], sentence: str) -> None:
    """The answer to a command about the database as a whole."""
    from orderstate.render.tables import Column

    screen = call.screen
    if screen.json:
        screen.document(document)
        return
    if not screen.drawn:
        values = {name: value for name, value in document.items() if name != "command"}
        screen.rows([Column(name) for name in values], [list(values.values())])
    screen.say(sentence)


def config_get(ctx: typer.Context, setting: Setting) -> int:
    """With its default, its unit and what it means."""
    call = called(ctx)
    found = call.engine().settings()
    from orderstate.errors import NotFound
    from orderstate.render import documents, network

    if setting not in found:
        raise NotFound.named("setting", setting, list(found))
    screen = call.screen
    if screen.drawn:
        screen.facts([(k, str(v)) for k, v in documents.setting(setting, found[setting]).items()])
    else:
        screen.each([(setting, found[setting])], lambda one: documents.setting(*one), network.SETTING, network.settings)
    return 0


def config_set(
    ctx: typer.Context,
    setting: Setting,
    value: Annotated[str | None, typer.Argument(metavar="[VALUE]", help="the new value")] = None,
    default: Annotated[bool, typer.Option("--default", help="return it to its default")] = False,
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
) -> int:
    """In force from the next command on."""
    if (value is None) is not default:
        raise UsageError("name a value or --default", hint=f"orderstate config set {setting} VALUE")
    call = called(ctx)
    from orderstate.engine.commands import Configure

    command = Configure(setting=setting, value=None if default else value, key=key, role=role, by=by)
    status = call.done(call.engine().execute(command))
    call.next("config", "get", setting)
    call.suggest()
    return status


def config_list(ctx: typer.Context) -> int:
    """With the values in force, their defaults, units and meaning."""
    call = called(ctx)
    found = call.engine().settings()
    from orderstate.render import documents, network

    if call.screen.drawn:
        call.screen.rows(network.SETTING_DRAWN, network.settings_drawn(found.items()))
    else:
        call.screen.each(found.items(), lambda one: documents.setting(*one), network.SETTING, network.settings)
    return 0
