"""The schedules say for each phase what the paper's Table 1 says, and small samples get enough steps."""

import pytest

from catalog.errors import UsageError
from catalog.releases import KNOWN_RELEASES
from models.forward.model import configuration
from models.forward.settings import CHOICES
from models.forward.training.phases import phases
from models.forward.training.training_settings import PRESETS, TRAINING_CHOICES, check_settings, training_settings


def test_the_paper_s_schedule_is_its_table() -> None:
    one, two, three, five, six = phases({**training_settings("full", "paper"), "xi": False})
    assert (one.stars, one.network_rate, one.star_rule, one.epochs, one.network) == ("high_quality", 1e-3, "held", 128, "sgd")
    assert (two.stars, two.network_rate, two.star_rule, two.star_rate, two.epochs) == ("high_quality", 1e-5, "descent", 1e-4, 128)
    assert (three.stars, three.network_rate, three.star_rate, three.epochs, three.cleans) == ("all", 0.0, 1e-4, 128, True)
    assert (five.stars, five.network_rate, five.star_rate, five.epochs) == ("clean", 1e-7, 1e-5, 128)
    assert (six.stars, six.star_rule, six.star_rate, six.star_steps) == ("all", "adam", 1e-2, 4096)
    assert [one.network_rate_at(epoch / 128) for epoch in (0, 31, 32, 64, 96, 127)] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-5, 1e-6, 1e-6])


def test_ours_goes_through_the_same_phases_with_the_solver() -> None:
    found = phases({**training_settings("full"), "xi": False})
    assert [each.number for each in found] == [1, 2, 3, 5, 6]
    assert [each.star_rule for each in found] == ["held", "solver", "solver", "solver", "solver"]
    assert found[0].epochs_of(3) * 3 >= 2000 > (found[0].epochs_of(3) - 1) * 3
    assert found[0].epochs_of(5000) == found[0].epochs
    assert found[3].network_rate_at(1.0) < 0.01 * found[3].network_rate


def test_every_preset_has_every_setting_of_one_kind() -> None:
    names = {choice.name for choice in TRAINING_CHOICES}
    assert all(set(training_settings(preset)) == names for preset in PRESETS)
    assert all(type(choice.ours) is type(choice.paper) for choice in TRAINING_CHOICES)


@pytest.mark.parametrize(("call", "words"), [(lambda: training_settings("longest"), "no preset 'longest'"), (lambda: phases({**training_settings("full"), "xi": False, "schedule": "mine"}), "no schedule 'mine'")])  # fmt: skip
def test_what_there_is_not_is_told(call: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        call()  # type: ignore[operator]


WRONG = {
    "a network without units": ("width", -3, "width is 1 or more, not -3"),
    "no stars in a batch": ("batch", 0, "batch is 1 or more"),
    "all stars held out": ("held_out_share", 1.0, "held_out_share is at least 0 and below 1"),
    "a rate that is no number": ("network_rate", float("nan"), "network_rate is a finite number"),
    "a negative error": ("independent_error", -0.1, "independent_error is a finite number, 0 or more"),
    "an unknown balance": ("confidence_balance", "mine", "no confidence_balance 'mine'; there are weights"),
}


@pytest.mark.parametrize(("name", "value", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_value_that_no_training_can_have_is_told_before_it(name: str, value: object, words: str) -> None:
    release = KNOWN_RELEASES["sim_dr3"]
    with pytest.raises(UsageError, match=words):
        check_settings({**configuration(release, "full"), name: value})


@pytest.mark.parametrize("column", ["ours", "paper"])
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_passes(preset: str, column: str) -> None:
    check_settings({choice.name: getattr(choice, column) for choice in CHOICES} | training_settings(preset, column))
