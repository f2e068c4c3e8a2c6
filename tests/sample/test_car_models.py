import pytest

from car_retrieval.sample.models import make_catalogue


@pytest.mark.parametrize("models", [3, 30, 1716])
def test_ids_are_global_distinct_and_need_two_integer_types(models):
    ids = [car.model_id for car in make_catalogue(models, seed=1)]
    assert len(set(ids)) == models
    assert min(ids) == ids[0] <= 255
    assert max(ids) == ids[-1] > 255
    assert max(ids) > models


def test_real_size_has_about_the_real_number_of_makes():
    assert len({car.make_id for car in make_catalogue(1716, seed=1)}) == pytest.approx(163, abs=10)


def test_make_names_are_distinct():
    cars = make_catalogue(1716, seed=1)
    assert len({car.make_name for car in cars}) == len({car.make_id for car in cars})


def test_siblings_share_grille_and_emblem():
    families = {}
    for car in make_catalogue(30, seed=7):
        families.setdefault(car.make_id, set()).add((car.grille, car.emblem))
    assert {len(styles) for styles in families.values()} == {1}


def test_no_two_models_have_one_face():
    cars = make_catalogue(1716, seed=7)
    assert len({(c.grille_width, c.lamp, c.lamp_width, c.nose, c.roof_width) for c in cars}) == 1716


def test_catalogue_depends_on_its_seed():
    assert make_catalogue(5, seed=1) == make_catalogue(5, seed=1)
    assert make_catalogue(5, seed=1) != make_catalogue(5, seed=2)
