"""The doors that Python users call: one source or many, a team that answers for all, tables to other libraries."""

import shutil
import sys

import numpy as np
import pytest

import equiradio
from equiradio.artefacts.team import TeamFolder
from equiradio.datasets.registry import open_data
from equiradio.errors import ImageRefusal, RunRefusal, SettingRefusal
from equiradio.inference import team as room
from equiradio.inference.calibration import Calibration
from equiradio.inference.cascade import Cascade
from equiradio.inference.team import Team, load, member_of, team_of


@pytest.fixture(scope="module")
def images(sky):
    return open_data(str(sky)).of_split("test").images


@pytest.fixture(scope="module")
def pair(untrained):
    """Two networks of the same kind as one team."""
    teams = [load(untrained("c4-attention", seed, kernel_size=3), "cpu") for seed in (0, 1)]
    card = teams[0].card.with_changes(members=[team.card.members[0] for team in teams])
    return Team([team.members[0] for team in teams], Calibration(poses=1), card)


def test_one_path_one_image_and_one_array_are_one_source(trained, images, tmp_path):
    team = load(trained("lenet"))
    file = tmp_path / "a source.npy"
    np.save(file, images[0])
    rows = [*team.classify(file), *team.classify(str(file)), *team.classify(images[0])]
    assert len(rows) == 3
    assert len({row["p_frii"] for row in rows}) == 1
    assert [row["source_id"] for row in rows] == ["a source", "a source", "array 0"]
    assert len(team.classify([file, images[1]])) == 2
    assert len(team.classify(images)) == len(images)
    for door in (team.attention, team.features):
        assert len(door(images[0])) == len(door([str(file)])) == 1


def test_a_team_answers_for_all_and_never_for_its_first(pair, images):
    both, alone = pair.answer(images), [team_of(member).members[0].look(images) for member in pair.members]
    single = [load_like(pair, member).answer(images) for member in pair.members]
    np.testing.assert_allclose(both.p, np.mean([one.p for one in single], 0), atol=1e-12)
    np.testing.assert_allclose(both.attention, np.mean([one.attention for one in single], 0), atol=1e-6)
    assert not np.allclose(both.p, single[0].p, atol=1e-4)
    looked = pair.look(images)
    assert len(looked) == 2
    for output, right in zip(looked, alone, strict=True):
        assert np.array_equal(output.logits, right.logits)
    assert np.allclose(pair.attention(images), both.attention, atol=1e-6)


def load_like(pair, member):
    return Team([member], pair.calibration, pair.card)


def test_the_law_catches_a_team_that_is_its_first_member(pair, images, monkeypatch):
    right = room.answer
    monkeypatch.setattr(room, "answer", lambda members, *rest, **options: right(members[:1], *rest, **options))
    with pytest.raises(AssertionError):
        test_a_team_answers_for_all_and_never_for_its_first(pair, images)


def test_features_do_not_change_when_the_sky_turns(pair, images):
    found = pair.features([*images[:3], np.zeros((150, 150), np.uint8)])
    turned = pair.features([*np.rot90(images[:3], 1, (1, 2))])
    assert found.shape == (4, 2 * (6 + 16 + 32))
    np.testing.assert_allclose(turned, found[:3], rtol=1e-3, atol=1e-4 * abs(found[:3]).max())
    assert np.isnan(found[3]).all()
    assert not np.allclose(found[0], found[1], rtol=1e-2)


def test_it_says_what_it_is(pair, trained):
    text = repr(pair)
    assert "c4-attention" in text
    assert "2 members (seed 0, seed 1)" in text
    assert "classes FRI, FRII" in text
    assert "not calibrated" in text
    assert repr(load(trained("lenet")).members[0]) == "Member(lenet, seed 0, classes FRI, FRII, cpu, float32)"


def test_a_catalogue_goes_to_other_libraries(trained, images, monkeypatch):
    table = load(trained("lenet")).classify([*images[:2], np.zeros((150, 150), np.uint8)])
    sky_table = table.to_astropy()
    assert list(sky_table["source_id"]) == ["array 0", "array 1", "array 2"]
    assert str(sky_table["ra_deg"].unit) == "deg"
    assert "<td>array 0</td>" in table._repr_html_()
    assert repr(table).startswith("Catalogue(3 sources: ")
    assert table.columns[:2] == ["source_id", "file"]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(SettingRefusal, match=r"to_pandas: no package pandas; .*pip install 'equiradio\[pandas\]'"):
        table.to_pandas()


def test_a_frame_holds_the_same_rows(trained, images):
    pytest.importorskip("pandas", reason="the extra pandas is not installed")
    table = load(trained("lenet")).classify(images[:2])
    assert table.to_pandas()["p_frii"].tolist() == table["p_frii"]


def test_what_has_no_answer_is_missing_in_a_frame_and_masked_in_astropy(trained, images):
    pytest.importorskip("pandas", reason="the extra pandas is not installed")
    table = load(trained("lenet")).classify([images[0], np.zeros((150, 150), np.uint8)])
    frame, sky = table.to_pandas(), table.to_astropy()
    for name in ("hdu", "label", "p_frii", "ra_deg"):
        assert frame[name].isna()[1]
        assert sky[name].mask[1]
        assert table[name][1] is None
    assert frame["hdu"][0] == 0
    assert str(frame["hdu"].dtype) == "Int32", "not a float because one is missing"
    assert "1 without an answer; array 1: all pixels are 0" in repr(table)


def test_members_are_named_by_their_seeds(pair):
    assert member_of(pair, 1) is pair.members[1]
    with pytest.raises(SettingRefusal, match=r"^--seed: 7; expected one of 0, 1\. Choose a member of this team\.$"):
        member_of(pair, 7)


def test_what_is_neither_run_nor_team_is_refused(tmp_path, trained):
    with pytest.raises(RunRefusal, match="no such folder; expected the folder of a training or a team"):
        load(tmp_path / "none")
    assert not TeamFolder(trained("lenet")).is_team
    folder = TeamFolder(tmp_path / "team")
    folder.path.mkdir()
    folder.card_file.write_text('{"members": []}')
    with pytest.raises(RunRefusal, match=r"cannot be read \(ValueError: no members\)"):
        load(folder.path)
    folder.card_file.write_text('{"members": [{"model": 1}]}')
    with pytest.raises(RunRefusal, match="expected a model card in JSON"):
        load(folder.path)


def test_a_run_of_old_opens_as_a_team_of_one(trained, tmp_path):
    """Its card names no classes' word for others, and its settings lack what came later."""
    run = shutil.copytree(trained("lenet"), tmp_path / "run")
    card = (run / "card.json").read_text().replace(',\n  "unknown": "hybrid"', "")
    assert '"unknown"' not in card
    (run / "card.json").write_text(card)
    team = equiradio.load(run)
    assert team.labels.unknown == "hybrid"
    assert team.card.seeds == [0]


def test_options_are_taken_as_on_the_command_line_and_refused_in_one_line(trained, images):
    team = load(trained("lenet"))
    assert team.classify(images[0], beam=15)["flag_names"] == team.classify(images[0], beam="15")["flag_names"] != [None]
    assert team.classify(images[0], prior="FRI=0.7").table.equals(team.classify(images[0], prior={"FRI": 0.7}).table)
    for options, words in (
        ({"beam": 0.0015}, "--beam: 0.0015 arcsec; .*If these are degrees: --beam 5.4."),
        ({"beam": "wide"}, "--beam: 'wide'"),
        ({"prior": 0.7}, "--prior: 0.7; expected a share of each class. For example --prior FRI=0.7,FRII=0.3."),
        ({"prior": {"FRI": "0.7"}}, "--prior: FRI='0.7'; expected a share above 0 and below 1"),
        ({"max_nonfinite": 5}, "--max-nonfinite: 5"),
        ({"ra_deg": 10.0}, "--ra --dec: one of the two"),
    ):
        with pytest.raises(SettingRefusal, match=words):
            team.classify(images[0], **options)
    for poses in ("3", 2.5, True, None):
        with pytest.raises(SettingRefusal, match=f"--poses: {poses}; expected 1 to 64"):
            team.in_poses(poses)
    assert team.in_poses(np.int64(3)).calibration.poses == 3
    with pytest.raises(SettingRefusal, match="--precision: 'float16'; expected float32 or bf16"):
        load(trained("lenet"), precision="float16")


def test_a_lone_source_that_cannot_be_used_is_refused(trained, images, tmp_path):
    team = load(trained("attention"))
    wrong = images[0].astype(float)
    for ask in (team.classify, team.attention, team.evidence, team.features):
        with pytest.raises(ImageRefusal, match="array 0: float64 150 x 150; expected uint8 150 x 150") as refused:
            ask(wrong)
        assert refused.value.flag == "wrong_shape"
        with pytest.raises(ImageRefusal, match=r"gone.fits: no such file"):
            ask(tmp_path / "gone.fits")
        with pytest.raises(ImageRefusal, match="all pixels are 0"):
            ask(np.zeros((150, 150), np.uint8))
    cascade = Cascade(team, team, 0.9)
    with pytest.raises(ImageRefusal, match="array 0: float64"):
        cascade.classify(wrong)


def test_of_several_sources_the_catalogue_says_why_some_have_no_answer(trained, images, tmp_path):
    team = load(trained("attention"))
    catalogue = team.classify([images[0], images[0].astype(float), tmp_path / "gone.fits"])
    assert catalogue["answered"] == [True, False, False]
    assert {place: refusal.flag for place, refusal in catalogue.refusals.items()} == {1: "wrong_shape", 2: "missing"}
    assert str(catalogue.refusals[1]).startswith("array 1: float64 150 x 150; expected uint8 150 x 150")
    assert repr(catalogue).endswith(f"2 without an answer; {catalogue.refusals[1]})")
    assert "array 1: float64 150 x 150" in catalogue._repr_html_()
    assert "gone.fits: no such file" in catalogue._repr_html_()
    assert team.classify(images[:2]).refusals == {}
    assert np.isnan(team.attention([images[0], images[0].astype(float)])).all((1, 2)).tolist() == [False, True]
    assert len(team.classify([images[0].astype(float)]).refusals) == 1, "a list is no lone source"


def test_a_network_without_an_answer_is_a_reason_too(trained, images):
    team = load(trained("lenet"))
    for parameter in team.members[0].network.parameters():
        parameter.data.fill_(np.nan)
    assert team.classify([images[0]]).refusals[0].flag == "not_finite_answer"
    with pytest.raises(ImageRefusal, match="numbers that are not finite"):
        team.classify(images[0])


@pytest.mark.parametrize("change", [lambda images: images / 255, lambda images: images[None], lambda images: images[0, 0]])
def test_arrays_that_are_no_raw_images_are_refused_in_a_line(trained, images, change):
    with pytest.raises(ImageRefusal, match=r"expected uint8 \(count, height, width\), raw pixels"):
        load(trained("lenet"), "cpu").answer(change(np.asarray(images)))


def test_masked_pixels_are_refused_where_no_pixel_can_be_empty(trained, images):
    team, mask = load(trained("lenet"), "cpu"), np.zeros(images[0].shape, bool)
    mask[70:75, 70:80] = True
    masked = np.ma.array(images[0], mask=mask)
    for door in (team.classify, team.answer, team.features):
        with pytest.raises(ImageRefusal, match=r"50 of 22,500 pixels are masked; expected a number in every pixel\. Fill"):
            door(masked)
    assert team.classify([masked, images[1]]).refusals[0].flag == "too_many_nonfinite"
    assert list(team.classify(np.ma.array(images[0]))) == list(team.classify(images[0]))
