"""Root paths: one form of each, and none that the viewer's own addresses begin with."""

import re

import pytest

from equiradio.errors import SettingRefusal
from equiradio.serve.prefix import root_path_of

PLAIN = {
    "": "",
    "/": "",
    "/viewer": "/viewer",
    "/user/ada/proxy/8765/": "/user/ada/proxy/8765",
    "/user/a%40b": "/user/a@b",
    "/apis": "/apis",
}
REFUSED = ("viewer", "http://hub/viewer", "/a//b", "/a?b", "/a#b", "/a b", "/a\n", "/a/../b", "/api", "/api/", "/api/v1", "/%61pi")


@pytest.mark.parametrize(("text", "path"), PLAIN.items())
def test_a_path_loses_its_last_slash(text, path):
    assert root_path_of(text) == path


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_path_is_refused(text):
    with pytest.raises(SettingRefusal, match=re.escape(f"--root-path: {text!r}; expected a path such as")):
        root_path_of(text)
