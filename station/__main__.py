"""The command line: `station COMMAND`.

What only one command needs is imported by it, so that `decode` and `check-config` answer at once.
"""

import argparse
import asyncio
import getpass
import logging
import sys
from pathlib import Path

from station import __version__, audit_command, config, decode
from station.errors import ConfigError, StationError
from station.prepaid.readers import agent_command
from station.simulator import command as simulate

EXIT_CONFIG = 78  # EX_CONFIG of sysexits(3): the service manager does not try again.

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; what goes wrong is said in words."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIG
    except StationError as error:
        print(f"station: {error}", file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="station", description="Electricity-use collection.")
    parser.add_argument("--version", action="version", version=f"station {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser("run", help="run the station")
    command.add_argument("--config", type=Path, required=True, metavar="FILE")
    command.set_defaults(run=_run)

    command = commands.add_parser("demo", help="run a station with a simulated site")
    command.add_argument("--data", type=Path, default=Path("demo-data"), metavar="DIR",
                         help="where its database lives (default: demo-data)")  # fmt: skip
    command.add_argument("--port", type=int, help="of the web pages (default: 8080 or a free one)")
    command.add_argument("--language", choices=("en", "zh"), default="en")
    command.set_defaults(run=_demo)

    command = commands.add_parser("check-config", help="check a configuration file")
    command.add_argument("file", type=Path, metavar="FILE")
    command.set_defaults(run=_check_config)

    command = commands.add_parser("decode", help="say what the bytes of frames mean")
    decode.add_arguments(command)
    command.set_defaults(run=decode.main)

    command = commands.add_parser("simulate", help="dial in as a simulated site")
    simulate.add_arguments(command)
    command.set_defaults(run=simulate.main)

    command = commands.add_parser("user", help="manage the people who may log in")
    users = command.add_subparsers(metavar="ACTION", required=True)
    command = users.add_parser("add", help="add a person; the password is asked for")
    command.add_argument("name", metavar="NAME")
    command.add_argument("--role", required=True, metavar="ROLE",
                         help="administrator, technician, clerk or another")  # fmt: skip
    command.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="FILE")
    command.set_defaults(run=_add_user)
    command = users.add_parser("reset", help="make a password for one login, whatever was lost")
    command.add_argument("name", metavar="NAME")
    command.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="FILE")
    command.set_defaults(run=_reset_user)

    command = commands.add_parser("token", help="make a token for a program")
    command.add_argument("name", metavar="NAME", help="as whom the program works")
    command.add_argument("--label", default="", help="what it is for")
    command.add_argument("--permissions", metavar="LIST",
                         help="such as view,collect (default: what the person may)")  # fmt: skip
    command.add_argument("--days", type=int, default=90, help="how long it is good (default: 90)")
    command.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="FILE")
    command.set_defaults(run=_make_token)

    command = commands.add_parser("audit", help="prove the audit log")
    audit_command.add_arguments(command)

    command = commands.add_parser("reader-agent", help="lend this computer's card readers")
    agent_command.add_arguments(command)
    command.set_defaults(run=agent_command.main)
    return parser


def _run(options: argparse.Namespace) -> int:
    from station.app import Station, run_until_stopped

    settings = config.load(options.config)
    _start_log(settings)
    station = Station(settings)

    async def ready() -> None:
        administrator = await station.first_administrator()
        if administrator is not None:
            print(
                f"first start: user {administrator.name}   password {administrator.password}"
                "   (shown only now: log in and change it)",
                flush=True,
            )
        log.info(
            "ready: pages on port %d, terminals on port %d", station.web_port, station.front.port
        )

    asyncio.run(run_until_stopped(station, ready))
    return 0


def _demo(options: argparse.Namespace) -> int:
    from station import demo

    settings = demo.demo_config(options.data, options.port, options.language)
    _start_log(settings)
    asyncio.run(demo.run(settings))
    return 0


def _check_config(options: argparse.Namespace) -> int:
    config.load(options.file)
    print(f"{options.file}: valid")
    return 0


def _add_user(options: argparse.Namespace) -> int:
    from station.administration import add_user

    settings = config.load(options.config)
    password = _ask_password()
    asyncio.run(add_user(settings, options.name, options.role, password))
    print(f"user {options.name} added as {options.role}")
    return 0


def _reset_user(options: argparse.Namespace) -> int:
    from station.administration import reset_password

    made = asyncio.run(reset_password(config.load(options.config), options.name))
    print(
        f"user {made.name}   password {made.password}"
        f"   (good for one login until {made.good_until:%Y-%m-%d %H:%M} UTC)"
    )
    return 0


def _make_token(options: argparse.Namespace) -> int:
    from station.administration import make_token

    wanted = options.permissions
    permissions = None if wanted is None else tuple(wanted.replace(" ", "").split(","))
    settings = config.load(options.config)
    token = make_token(
        settings, options.name, label=options.label, permissions=permissions, days=options.days
    )
    print(asyncio.run(token))
    return 0


def _ask_password() -> str:
    """Read a password twice from the terminal, or once from a pipe."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise StationError("the two passwords are not the same")
    return password


def _start_log(settings: config.Config) -> None:
    logging.basicConfig(
        level=settings.log.level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


if __name__ == "__main__":
    sys.exit(main())
