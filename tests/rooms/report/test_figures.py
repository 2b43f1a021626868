"""Figures: the arrays handed to matplotlib, and what a reader is told of them."""

from dataclasses import replace

import numpy as np
import pytest
from shapes import write_shapes

from equiradio.datasets.registry import open_data
from equiradio.labels import UNKNOWN
from equiradio.paper.figures import figure1
from equiradio.report.figures import COLOURS, attention_grid, loss_curves, running_mean, save, sources_montage


@pytest.fixture(scope="module")
def sources(sky):
    return open_data(str(sky)).of_split("test")


def test_the_running_mean_of_known_numbers():
    mean, spread = running_mean(np.array([2.0, 4.0, 6.0, 8.0]), window=2)
    assert mean.tolist() == [2.0, 3.0, 5.0, 7.0]
    assert spread.tolist() == [0.0, 1.0, 1.0, 1.0]
    assert running_mean(np.arange(9.0))[0].tolist() == [0, 0.5, 1, 1.5, 2, 3, 4, 5, 6]


HISTORY = [{"epoch": k, "train_loss": 0.7 - 0.1 * k, "validation_loss": loss} for k, loss in enumerate([0.6, 0.3, 0.5])]


def test_loss_curves_draw_the_history_and_point_at_the_lowest_loss():
    axes = loss_curves({"lenet": HISTORY}).axes[0]
    curves = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert curves.keys() == {"lenet, training", "lenet, validation"}
    assert curves["lenet, validation"].get_xdata().tolist() == [1, 2, 3]
    assert curves["lenet, validation"].get_ydata().tolist() == [0.6, 0.3, 0.5]
    np.testing.assert_allclose(curves["lenet, training"].get_ydata(), [0.7, 0.6, 0.5])
    assert [note.xy for note in axes.texts if note.get_text() == "kept"] == [(2, 0.3)]
    assert axes.get_xlabel() == "Epoch"
    assert "nats" in axes.get_ylabel()


def test_more_than_three_models_have_a_panel_each_on_the_same_axes():
    models = [f"c{order}-attention" for order in (1, 2, 4, 8)]
    figure = figure1({model: [HISTORY, HISTORY] for model in models}, "note")
    assert [axes.get_title(loc="left") for axes in figure.axes] == models
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert [axes.texts[0].xy for axes in figure.axes] == [(2, 0.3)] * 4  # an arrow at the lowest loss of each
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "Epoch", "Epoch", "Epoch"]  # the lowest of each column
    together = figure1({model: [HISTORY] for model in models[:3]}, "note").axes
    assert len(together) == 1
    assert [text.get_text() for text in together[0].get_legend().get_texts()] == [*models[:3], "validation", "training"]


def test_the_axis_of_figure_1_holds_both_curves_and_says_where_it_is_cut_off():
    deep = [row | {"train_loss": loss} for row, loss in zip(HISTORY, [0.5, 0.1, 0.02], strict=True)]
    figure = figure1({"attention": [HISTORY], "d8-attention": [deep]}, "A note.")
    low, high = figure.axes[0].get_ylim()
    drawn = np.concatenate([line.get_ydata() for line in figure.axes[0].lines if len(line.get_ydata()) == 3])
    assert 0 <= low < drawn.min() < drawn.max() < high
    assert "cut off" not in figure.get_supxlabel()
    steep = [row | {"validation_loss": loss} for row, loss in zip(HISTORY, [5.1, 0.5, 0.4], strict=True)]
    figure = figure1({"attention": [HISTORY], "c8-attention": [HISTORY, steep]}, "A note.")
    assert figure.axes[0].get_ylim()[1] == 1.2
    assert " ".join(figure.get_supxlabel().split()).endswith(
        "A note. The axis is cut off at 1.2; curves go on above it: c8-attention to 5.1."
    )


def contrast(colour):
    """With white, 1 to 21. Source: WCAG 2.1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 1.05 / (0.05 + float(np.dot([0.2126, 0.7152, 0.0722], linear)))


def test_every_colour_can_be_seen_on_white():
    assert min(map(contrast, COLOURS)) > 2
    assert contrast("#F0E442") < 1.5


def test_smooth_curves_shade_the_spread():
    axes = loss_curves({"lenet": HISTORY}, smooth=True).axes[0]
    assert len(axes.collections) == 2
    line = next(line for line in axes.lines if line.get_label() == "lenet, validation")
    np.testing.assert_allclose(line.get_ydata(), running_mean(np.array([0.6, 0.3, 0.5]))[0])


def a_grid(sources, p_frii):
    maps = np.random.default_rng(0).random((len(sources), 150, 150))
    p_frii = np.asarray(p_frii, float)
    figure = attention_grid(sources, maps, np.stack([1 - p_frii, p_frii], 1), "c4-attention")
    panels = [axes for axes in figure.axes if axes.images]
    return maps, list(zip(panels[::2], panels[1::2], strict=True))


def dashed(axes):
    return axes.collections[0].get_linestyles()[0][1] is not None


def test_a_wrong_class_is_outlined_in_dashes(sources):
    p_frii = np.where(sources.labels == 1, 0.9, 0.2)
    p_frii[[1, 2]] = 1 - p_frii[[1, 2]]
    maps, pairs = a_grid(sources, p_frii)
    assert [dashed(right) for _, right in pairs] == [False, True, True, False, False, False]
    for k, (left, right) in enumerate(pairs):
        np.testing.assert_allclose(left.images[0].get_array(), np.sqrt(sources.images[k] / 255))
        np.testing.assert_array_equal(right.images[0].get_array(), maps[k])
        assert right.images[0].get_clim() == (0, 1)
        said = "FRII" if p_frii[k] >= 0.5 else "FRI"
        assert right.get_title(loc="left") == f"says {said}, p = {max(p_frii[k], 1 - p_frii[k]):.2f}"
        assert right.title.get_color() in ("black", COLOURS[1])
        assert left.get_title(loc="left") == f"{('FRI', 'FRII')[sources.labels[k]]} (confident)"
        assert left.texts[0].get_text() == sources.source_ids[k]


def test_nothing_is_wrong_about_a_hybrid(sources):
    _, pairs = a_grid(replace(sources, labels=np.full(6, UNKNOWN)), np.linspace(0, 1, 6))
    assert not any(dashed(right) for _, right in pairs)
    assert pairs[0][0].get_title(loc="left").startswith("hybrid")


def test_the_outline_is_that_of_the_lit_pixels(sources):
    _, pairs = a_grid(sources, np.zeros(6))
    lit = np.argwhere(sources.images[0] > 0)
    outline = np.concatenate([path.vertices for path in pairs[0][1].collections[0].get_paths()])
    np.testing.assert_allclose(outline.min(0)[::-1], lit.min(0) - 0.5, atol=0.5)
    np.testing.assert_allclose(outline.max(0)[::-1], lit.max(0) + 0.5, atol=0.5)


def test_the_montage_shows_fri_above_frii(sky):
    sources = open_data(str(sky)).of_split("train")
    shown = [axes.images[0].get_array() for axes in sources_montage(sources, columns=3).axes]
    known = {np.sqrt(image / 255).tobytes(): label for image, label in zip(sources.images, sources.labels, strict=True)}
    assert [known[np.asarray(image).tobytes()] for image in shown] == [0] * 6 + [1] * 6


def of_shapes(tmp_path):
    return open_data(str(write_shapes(tmp_path / "shapes"))).of_split("test")


def test_the_grid_names_the_most_probable_of_many_classes(tmp_path):
    sources = of_shapes(tmp_path)
    p = np.full((8, 4), 0.1)
    p[np.arange(8), [0, 1, 2, 3, 1, 1, 2, 3]] = 0.7  # the fifth is a ring called a bar
    figure = attention_grid(sources, np.random.default_rng(0).random((8, 150, 150)), p, "c4-attention")
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.images]
    assert titles[6:10] == [
        f"Two dots ({sources.confidence[3]})",
        "says Two dots, p = 0.70",
        f"Ring ({sources.confidence[4]})",
        "says Bar, p = 0.70",
    ]
    assert [dashed(axes) for axes in [axes for axes in figure.axes if axes.images][1::2]] == [False] * 4 + [True] + [False] * 3


def test_few_sources_leave_panels_empty(tmp_path):
    sources = of_shapes(tmp_path)
    assert not [axes for axes in attention_grid(sources.choose([]), np.empty((0, 150, 150)), np.empty((0, 4)), "m").axes if axes.images]
    axes = sources_montage(sources.choose(sources.labels != 1), columns=3).axes
    assert [len(each.images) for each in axes] == [1, 1, 0, 0, 0, 0, *[0] * 6, *[1, 1, 0, 0, 0, 0] * 2]
    assert [each.get_ylabel() for each in axes[::6]] == ["Ring", "Bar", "Cross", "Two dots"]


def test_chance_is_that_of_so_many_classes():
    for classes in (2, 4):
        axes = loss_curves({"lenet": HISTORY}, classes=classes).axes[0]
        assert [note.xy[1] for note in axes.texts if note.get_text() == "chance"] == [np.log(classes)]
        assert axes.get_ylim()[1] > np.log(classes)


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_figures_are_written_whole(tmp_path, suffix, magic):
    path = save(loss_curves({"lenet": HISTORY}), tmp_path / f"figures/loss.{suffix}", dpi=50)
    assert path.read_bytes().startswith(magic)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
