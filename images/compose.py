"""What compose.yaml says about each service, with its variables filled in as compose does it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from images import ImagesError

_VARIABLE = re.compile(r"(\w+)(?::([-?]))?")


@dataclass(frozen=True, slots=True)
class Volume:
    """A place inside the container, and what is mounted there: a named volume or a host's path."""

    source: str
    inside: str
    read_only: bool

    @property
    def named(self) -> bool:
        """Whether compose keeps it under a name, rather than the host under a path."""
        return not self.source.startswith(("/", "."))


@dataclass(frozen=True, slots=True)
class Service:
    """One container as compose would start it."""

    name: str
    target: str
    environment: Mapping[str, str]
    volumes: tuple[Volume, ...]
    hostname: str
    hosts: tuple[tuple[str, str], ...]  # name and address
    tmpfs: tuple[str, ...]


def read_services(path: Path, variables: Mapping[str, str]) -> dict[str, Service]:
    """Return the services by name.

    ImagesError where a variable is missing, or where a service may do more than it must: all run
    on the host's network, with nothing writable but their volumes and no rights beyond a user's.
    """
    whole = _filled(yaml.safe_load(path.read_text(encoding="utf-8")), variables)
    services = {name: _service(name, said) for name, said in whole["services"].items()}
    kept = {v.source for service in services.values() for v in service.volumes if v.named}
    if kept != set(whole["volumes"]):
        raise ImagesError(f"{path.name}: volumes are {set(whole['volumes'])}, used are {kept}")
    return services


def _service(name: str, said: Mapping[str, Any]) -> Service:
    must = {
        "network_mode": "host",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "restart": "unless-stopped",
        "logging": {"driver": "local", "options": {"max-size": "20m", "max-file": "5"}},
    }
    for key, value in must.items():
        if said.get(key) != value:
            raise ImagesError(f"compose.yaml: {name} has {key}: {said.get(key)}, not {value}")
    return Service(
        name=name,
        target=said["build"]["target"],
        environment={key: str(value) for key, value in said["environment"].items()},
        volumes=tuple(_volume(text) for text in said["volumes"]),
        hostname=said.get("hostname", ""),
        hosts=tuple(_host(text) for text in said.get("extra_hosts", [])),
        tmpfs=tuple(said.get("tmpfs", [])),
    )


def _volume(text: str) -> Volume:
    source, inside, *options = text.split(":")
    return Volume(source, inside, read_only=options == ["ro"])


def _host(text: str) -> tuple[str, str]:
    name, _, address = text.partition(":")
    return name, address


def _filled(said: Any, variables: Mapping[str, str]) -> Any:
    match said:
        case dict():
            return {key: _filled(value, variables) for key, value in said.items()}
        case list():
            return [_filled(value, variables) for value in said]
        case str():
            return fill_in(said, variables)
    return said


def fill_in(text: str, variables: Mapping[str, str]) -> str:
    """Return text with ${NAME}, ${NAME:-default} and ${NAME:?reason} filled in, one in another.

    ImagesError where a variable with a reason is missing or empty.
    """
    start = text.find("${")
    if start < 0:
        return text
    end = _closing(text, start + 2)
    inner = text[start + 2 : end]
    named = _VARIABLE.match(inner)
    if named is None:
        raise ImagesError(f"compose.yaml: what is ${{{inner}}}?")
    name, kind, otherwise = named[1], named[2], inner[named.end() :]
    value = variables.get(name, "")
    if not value and kind == "?":
        raise ImagesError(f"compose.yaml: {name} is not set: {otherwise}")
    if not value and kind == "-":
        value = fill_in(otherwise, variables)
    return text[:start] + value + fill_in(text[end + 1 :], variables)


def _closing(text: str, start: int) -> int:
    depth = 1
    for position in range(start, len(text)):
        if text.startswith("${", position):
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
    raise ImagesError(f"compose.yaml: no end of the variable in {text}")
