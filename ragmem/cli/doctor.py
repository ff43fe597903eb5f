"""`ragmem doctor`: is everything there, is it ours, and what would be used."""

from __future__ import annotations

import typer

from ragmem.cli.options import DEFAULT_STORE, JsonOption, SettingsOption, StoreOption
from ragmem.cli.output import print_json, print_text


def doctor(
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    settings: SettingsOption = None,
) -> None:
    """Check the installation, the models and the store; exit with 1 when something is wrong."""
    from ragmem.checkup import examine
    from ragmem.settings import load_settings

    findings = examine(store, settings=load_settings(settings))
    healthy = all(finding.healthy for finding in findings)
    if as_json:
        print_json({"healthy": healthy, "findings": findings})
    else:
        for finding in findings:
            print_text(f"{'ok     ' if finding.healthy else 'PROBLEM'} {finding.text}")
    if not healthy:
        raise typer.Exit(1)
