"""What to do about an image that is refused where nothing can be chosen of it: not by the options of ``equiradio classify``."""

import re

from equiradio.errors import ImageRefusal

OPTION = re.compile(r"--(hdu|plane|beam) ")
DO = {
    "several_images": "Save the image as a file of its own.",
    "wrong_shape": "Save one plane as a file of its own.",
    "too_many_nonfinite": "The cutout may cross the mosaic's edge; recentre it.",
}


def without_options(refusal: ImageRefusal) -> ImageRefusal:
    """The same refusal with other advice where its own names an option."""
    do = DO.get(refusal.flag, refusal.do) if "--" in refusal.do else refusal.do
    return ImageRefusal(refusal.flag, refusal.where, refusal.found, refusal.expected, do)


def in_fields(advice: str) -> str:
    """The same advice by the fields of a form: ``hdu=1`` in place of ``--hdu 1``."""
    return OPTION.sub(r"\1=", advice)
