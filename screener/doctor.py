"""What the doctor found: each part of the installation, and what to do where it is ill."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.table import Table
from rich.text import Text

from screener.domain.inert import inert


@dataclass(frozen=True)
class Finding:
    """One part that was looked at.

    ``subject`` is the part in a word or two, ``detail`` what was found, ``advice`` what to do
    about it, empty where nothing is to be done.
    """

    subject: str
    ok: bool
    detail: str
    advice: str


def findings_table(findings: Sequence[Finding]) -> Table:
    """Return the findings for people, each with its advice below it."""
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        mark = Text("ok", style="green") if finding.ok else Text("wrong", style="bold red")
        table.add_row(mark, Text(inert(finding.subject)), Text(inert(finding.detail)))
        if finding.advice:
            table.add_row("", "", Text(inert(finding.advice), style="bold"))
    return table


def findings_json(findings: Sequence[Finding]) -> list[dict[str, object]]:
    """Return the findings for machines: subject, ok, detail and advice of each."""
    return [asdict(finding) for finding in findings]
