"""Years in all the ways that texts and questions write them."""

from __future__ import annotations

import pytest

from ragmem.agent.years import undated, years


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("on 31 Dec 2019", {2019}),
        ("2019-12-31", {2019}),
        ("file_2019.pdf and Q4-2020", {2019, 2020}),
        ("from 2015–2018", {2015, 2016, 2017, 2018}),
        ("season 2022/23", {2022, 2023}),
        ("fiscal 2022-23", {2022, 2023}),
        ("1998 to 2000", {1998, 1999, 2000}),
        ("the 1990s", set(range(1990, 2000))),
        ("FY22, FY 2023 and ’24", {2022, 2023, 2024}),
        ("class of '68", {1968}),
        ("2,019 or 12019 or 20.2019 or 2019.5 or 1889", set()),
        ("it's 50", set()),
    ],
)
def test_years_of_a_text(text: str, found: set[int]) -> None:
    assert years(text) == found


def test_a_question_is_undated_when_nothing_holds_any_of_its_years() -> None:
    assert undated("assets on 31 Dec 2019", ["in 2023", "in 2022"]) == ("2019",)
    assert undated("assets of 2019 and 2023", ["in 2023"]) == ()
    assert undated("revenue of FY22", ["the 2021–2023 plan"]) == ()
    assert undated("which assets are there", ["in 2023"]) == ()
