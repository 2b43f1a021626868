"""How a convolution between regular fields is computed: one file a form, the same numbers from each."""

from collections.abc import Iterable
from functools import lru_cache

from equiradio import plugins
from equiradio.errors import SettingRefusal, nearest
from equiradio.layers.forms.form import EmptySky, Form, Layer, Norm, Shape

__all__ = ["EmptySky", "Form", "Layer", "Norm", "Shape", "all_forms", "find_form", "form_of", "possible_forms"]


def all_forms() -> dict[str, Form]:
    """Every form that is here, by name, in alphabetical order; imports their modules when first asked."""
    return dict(_all_forms(tuple(__path__)))


@lru_cache
def _all_forms(folders: tuple[str, ...]) -> dict[str, Form]:
    """Kept for as long as the package's folders are the same: to look for entry points takes milliseconds."""
    forms: Iterable[Form] = (module.FORM for module in plugins.modules(__name__, "FORM").values())
    return {form.name: form for form in sorted(forms, key=lambda form: form.name)}


def find_form(name: str, where: str = "form") -> Form:
    """The form of that name.

    Raises
    ------
    SettingRefusal : there is none; says which is nearest.
    """
    forms = all_forms()
    if name not in forms:
        raise SettingRefusal(where, f"'{name}' is not a form", ", ".join(["auto", *forms]), nearest(name, list(forms)))
    return forms[name]


def possible_forms(shape: Shape, device: str, precision: str) -> list[Form]:
    """The forms that such a layer can take."""
    return [form for form in all_forms().values() if form.possible(shape, device, precision)]


def form_of(form: Form | str, shape: Shape, device: str, precision: str, where: str = "form") -> Form:
    """The form, given itself or by its name, for such a layer.

    Raises
    ------
    SettingRefusal : there is no such form, or the layer cannot take it.
    """
    form = find_form(form, where) if isinstance(form, str) else form
    if not form.possible(shape, device, precision):
        others = ", ".join(other.name for other in possible_forms(shape, device, precision))
        raise SettingRefusal(where, f"{form.name} for {shape} in {precision} on {device}", form.limits, f"Take auto, or one of {others}.")
    return form
