"""What the page of an explanation says of images that are not made as MiraBest's."""

from equiradio.explain.page import recipe_in_words
from equiradio.sky.recipe import MIRABEST, Recipe


def test_images_of_another_recipe_are_described_and_what_has_no_meaning_is_named():
    own = Recipe(76, 4.0, 152, clip_sigma=2.5, stretch="asinh")
    clipped = recipe_in_words(own, own)
    assert (
        clipped == "Images of 76 x 76 pixels of 4 arcsec, stretch asinh. Pixels up to 2.5 sigma are zero; all above them count as source."
    )
    drawn = Recipe(64, 0.0, 128, beam_arcsec=0.0, stretch="linear")
    picture = recipe_in_words(drawn, drawn)
    assert picture.startswith("Images of 64 x 64 pixels of unknown scale, stretch linear. They are not clipped")
    assert "pointing, energy and deletion have no meaning" in picture


def test_images_made_otherwise_than_those_learned_from_are_said_to_be():
    words = recipe_in_words(Recipe(scale_arcsec=1.5, beam_arcsec=6.0), MIRABEST)
    assert "The network learned from images made otherwise; its own and these: scale_arcsec 1.8 and 1.5." in words
