"""Builds both images, runs them as compose.yaml says, and places a call through them."""

import asyncio
import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from images import ImagesError
from images.buildah import Buildah
from images.compose import Service, read_services
from images.container import Container
from lab import LabError
from lab.listen import save, tone
from lab.ports import Place, own_place
from lab.scenario import Caller, Handset
from lab.sipp import calling, handset

TOP = Path(__file__).resolve().parent.parent
LOG_LIMIT = 10  # seconds from the end of a call to its record


def main() -> int:
    """Run the check below the directory given; return 0, or 1 with what is wrong."""
    if os.geteuid() != 0:
        print("images: only root can build images without an engine", file=sys.stderr)
        return 2
    try:
        with own_place() as place:
            asyncio.run(_interruptible(Path(sys.argv[1]), place))
    except (ImagesError, LabError) as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    return 0


async def _interruptible(directory: Path, place: Place) -> None:
    """Check until SIGTERM, which ends it as Ctrl-C does: with nothing left running."""
    checking = asyncio.ensure_future(check(directory, place))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, checking.cancel)
    await checking


async def check(directory: Path, place: Place) -> None:
    """Build, run and call; ImagesError or LabError with what is wrong."""
    services = read_services(TOP / "compose.yaml", _variables(place))
    buildah = Buildah(directory)
    begun = time.monotonic()

    def say(what: str) -> None:
        print(f"images: {what} ({time.monotonic() - begun:.0f} s)", flush=True)

    in_time = await buildah.make_base()
    say("the base image is made" + ("" if in_time else "; the mirror lags, and was taken as it is"))
    settings: dict[str, dict[str, Any]] = {}
    for service in services.values():
        await buildah.build(TOP, service.target, service.name)
        settings[service.name] = await buildah.settings(service.name)
        say(f"{service.name} is built")
    for service in services.values():
        agree(service, settings[service.name])
    volumes = directory / "volumes"
    volumes.mkdir()
    asterisk, screener = [
        Container(services[name], settings[name], await buildah.mount(name), volumes, TOP)
        for name in ("asterisk", "screener")
    ]
    async with asterisk:
        say("Asterisk is healthy")
        async with screener:
            say("the screener is healthy")
            await call(place, screener, volumes)
            say("a stranger was warned, recorded and put through")
    say("both ended in order")


def agree(service: Service, settings: dict[str, Any]) -> None:
    """See that an image and compose.yaml mean the same; ImagesError where they do not."""
    if settings["User"] != "10001:10001":
        raise ImagesError(f"{service.name} runs as {settings['User']}, not as 10001:10001")
    if not settings.get("Healthcheck"):
        raise ImagesError(f"{service.name} has no health check")
    kept = {volume.inside for volume in service.volumes if volume.named}
    if kept != set(settings["Volumes"]):
        raise ImagesError(
            f"{service.name}: the image has volumes {set(settings['Volumes'])}, compose.yaml {kept}"
        )
    known = (TOP / "config" / "asterisk" / "start").read_text()
    for name in service.environment:
        # The screener refuses unknown settings itself.
        if service.target == "asterisk" and name != "TZ" and f"${{{name}:=" not in known:
            raise ImagesError(f"compose.yaml: Asterisk's start script does not know {name}")


async def call(place: Place, screener: Container, volumes: Path) -> None:
    """Let a stranger call, the household answer and hang up; see the call log and the recording."""
    password = (volumes / "secrets" / "handset-password").read_text().strip()
    voice = save(volumes / "caller.ulaw", tone(440, 2))
    stranger = Caller(number="0312345678", name="A stranger", speaks=voice)
    household = Handset(hangs_up_after=2000, speaks=save(volumes / "household.ulaw", tone(880, 2)))
    async with handset(place, household, password), calling(place, stranger) as caller:
        (leg,) = await caller.finished(60)
    if leg.outcome != 200:
        raise ImagesError(f"the call was not answered:\n{leg}")
    record = await _ended_call(screener)
    seen = {key: record[key] for key in ("verdict", "warned", "disposition")}
    if seen != {"verdict": "screen", "warned": True, "disposition": "answered"}:
        raise ImagesError(f"the call log says {json.dumps(record, indent=1)}")
    recording = record["recording"]
    if not recording or recording["seconds"] < 1:
        raise ImagesError(f"the recording is {recording}")
    file = volumes / "recordings" / Path(recording["path"]).name
    if not file.is_file():
        (file,) = (volumes / "recordings").rglob(file.name)
    if hashlib.sha256(file.read_bytes()).hexdigest() != recording["sha256"]:
        raise ImagesError(f"the recording {file.name} is not what the call log says")


async def _ended_call(screener: Container) -> dict[str, Any]:
    said = ""
    try:
        async with asyncio.timeout(LOG_LIMIT):
            while True:
                code, said = await screener.run("screener", "calls", "--json")
                calls = json.loads(said) if code == 0 else []
                if len(calls) == 1 and calls[0]["ended_at"] and calls[0]["recording"]:
                    ended: dict[str, Any] = calls[0]
                    return ended
                await asyncio.sleep(0.2)  # the log is read by asking again
    except TimeoutError:
        raise ImagesError(f"{LOG_LIMIT} s after the call the call log says:\n{said}") from None


def _variables(place: Place) -> dict[str, str]:
    """Return what a household would write into .env, for a network that is nobody else's."""
    first, last = place.rtp
    return {
        "TRUNK": place.trunk,
        "TRUNK_CONTACT": str(place.trunk_contact),
        "SIP_BIND": str(place.sip),
        "ARI_PORT": str(place.ari.port),
        "RTP": f"{first}-{last}",
    }


if __name__ == "__main__":
    sys.exit(main())
