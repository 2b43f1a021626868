"""The form of each steerable layer, chosen once: as the run has it, else as this machine has measured it, else measured now."""

from contextlib import suppress
from pathlib import Path

from equiradio.artefacts.form_choices import Choice, machine_file, read_choices, write_choices
from equiradio.compute.device import full_float32
from equiradio.compute.form_timing import SETTING, Layered, Progress, by_rule, choose_forms, steerable_layers, take
from equiradio.compute.machine import machine
from equiradio.errors import RunRefusal
from equiradio.layers.forms import Form, all_forms, find_form, form_of

AUTO = "auto"  # the setting that stands for no form in particular


def settle_forms(
    network: Layered,
    forms_file: Path,
    *,
    batch: int,
    precision: str,
    training: bool,
    device: str = "cpu",
    form: str = AUTO,
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Choice]:
    """Give every steerable layer its form, and keep what was measured for this run and for this machine.

    Parameters
    ----------
    forms_file : the run's; its choices stay, so that a resumed or repeated run computes as before.
    batch, precision, training, device : what the network will be asked: see `choose_forms`.
    form : auto to choose by measurement; the name of a form to measure nothing and take that one everywhere.

    Returns
    -------
    The choice of each layer, by its name.
    """
    asked = batch, precision, training, device
    if form != AUTO:
        return choose_forms(network, *asked, form)
    of_run = _of_run(forms_file)
    cache = machine_file(machine(device))
    of_machine: dict[str, Choice] = {}
    with suppress(RunRefusal):  # a damaged cache is measured anew
        of_machine = read_choices(cache)
    with full_float32():
        choices = choose_forms(network, *asked, before=of_run, cached=of_machine, progress=progress)
    measured = {choice.case: choice for choice in choices.values() if choice.milliseconds}
    if measured.keys() - of_run.keys():
        write_choices(forms_file, of_run | measured)
    _keep(cache, of_machine, measured, {case for case in measured.keys() - of_run.keys() if measured[case] != of_machine.get(case)})
    return choices


def _keep(cache: Path, before: dict[str, Choice], measured: dict[str, Choice], anew: set[str]) -> None:
    """Write the machine's choices where there are others than ``before``; of a case that both have, before's stays unless measured anew."""
    staying = {case: choice for case, choice in before.items() if case not in anew}
    if measured.keys() - staying.keys():
        with suppress(OSError):  # a cache that cannot be written is no reason to stop
            write_choices(cache, measured | staying)


def _of_run(file: Path) -> dict[str, Choice]:
    """The choices of a run; refused where a form is none of those that are here."""
    choices, forms = read_choices(file), all_forms()
    for choice in choices.values():
        if choice.form not in forms:
            found = f"form '{choice.form}' for {choice.case}"
            raise RunRefusal(file, found, f"one of {', '.join(forms)}", "Delete it to measure again.")
    return choices


def find_form_or_auto(name: str) -> Form | None:
    """The form that ``training.layer_form`` names, None for auto.

    Raises
    ------
    SettingRefusal : there is none of that name; says which is nearest.
    """
    return None if name == AUTO else find_form(name, SETTING)


def refuse_form(network: Layered, name: str, precision: str, device: str) -> None:
    """Refuse the name of a form that some layer of the network cannot take there."""
    if form := find_form_or_auto(name):
        for layer in steerable_layers(network).values():
            form_of(form, layer.shape, device, precision, SETTING)


def take_likely_forms(network: Layered, form: str = AUTO, precision: str = "float32", device: str = "cpu") -> None:
    """Forms without measuring: the one given, or by a rule that holds on every machine; by that too where the one is not possible."""
    pinned, layers = find_form_or_auto(form), steerable_layers(network)
    likely = by_rule(network, precision, device)
    if pinned is not None:
        likely |= {name: form for name, layer in layers.items() if pinned.possible(layer.shape, device, precision)}
    take(network, likely, precision, device)
