"""Names as they are written."""

from __future__ import annotations

import pytest

from ragmem.chunking.names import everyday, fold_name, names_in, outermost, phrases_in, title_names


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("The Jump", {"jump"}),
        ("Alpha Road (film)", {"alpha road film", "alpha road"}),
        ("A", set()),
        ("In (1998)", {"in 1998"}),
        ("Of the", set()),
        ("", set()),
        ("東京", {"東京"}),
        ("word " * 9, set()),
    ],
)
def test_what_a_title_names(title: str, names: set[str]) -> None:
    assert title_names(title) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("It was written by Ana de la Cruz in Tarvo.", {"ana de la cruz", "tarvo"}),
        ("In the band's last year Olga Berg's brother died.", {"olga berg"}),
        ("A film by John F. Ketter. Later Ana sang.", {"john f ketter", "later ana"}),
        ("on Jackson's Thriller and Thomas' Mill", {"jackson", "thriller", "thomas", "mill"}),
        ("the song «Белая ночь» by Иван Петров", {"белая", "белая ночь", "иван петров"}),
        ("levels of p53 and mRNA in HeLa cells", {"p53", "mrna", "hela"}),
        ("in Berlin, Paris and Rome\nLima", {"berlin", "paris", "rome"}),
        ('He read "the long way home" twice.', {"long way home"}),
        ("nothing stands out here. The end is near.", set()),
        ("University of Tarvo and the sea", {"university of tarvo"}),
        ("", set()),
    ],
)
def test_what_a_text_names(text: str, names: set[str]) -> None:
    assert names_in(text) == names


def test_a_name_is_the_same_however_it_is_written() -> None:
    assert fold_name("The O'Neill–Ström Trio") == fold_name("o'neill ström TRIO")
    assert names_in("met Olga BERG") == names_in("Olga Berg’s")


def test_a_text_names_only_so_much() -> None:
    assert len(names_in("; ".join(f"Name{number}" for number in range(200)))) == 64


def test_phrases_might_be_titles() -> None:
    found = phrases_in(
        "born in Leyla, South Tarvo during the 2012 Leap Day tornado outbreak of May"
    )
    assert {"leyla south tarvo", "2012 leap day tornado outbreak"} <= found
    assert not any(phrase.startswith(("in ", "during ", "the ")) for phrase in found)
    assert not any(phrase.endswith((" of", " the")) for phrase in found)
    assert "in the heat of the night" in phrases_in("watched In the Heat of the Night again")


def test_phrases_in_plain_lower_case_are_too_common() -> None:
    assert phrases_in("Information retrieval grew. Automatic indexing followed") == set()
    assert "information retrieval" in phrases_in("the Information Retrieval group")


def test_phrases_stay_within_a_line() -> None:
    assert phrases_in("the Red River\nthe Blue Hill") == {"red river", "blue hill"}


def test_a_word_that_begins_a_sentence_is_no_name_unless_it_is_one_elsewhere() -> None:
    text = "Moreover it rained. Tarvo was flooded. NASA watched. Roads to Tarvo were closed."
    assert names_in(text) == {"tarvo", "nasa"}
    assert names_in("Olga Berg sang. Ketter's brother left.") == {"olga berg"}


def test_a_part_of_a_longer_name_is_left_out() -> None:
    assert outermost({"new york city", "york", "new york", "yorkshire"}) == {
        "new york city",
        "yorkshire",
    }


def test_what_is_written_in_lower_case_somewhere_is_no_name() -> None:
    texts = ["on Information Retrieval", "good information retrieval, p53", "in Tarvo"]
    found = everyday({"information retrieval", "retrieval", "tarvo", "p53"}, texts)
    assert found == {"information retrieval", "retrieval"}


def test_where_everything_is_in_capitals_nothing_stands_out() -> None:
    shouted = "DESCRIBES HOW THE LIBRARY OF TARVO WAS BUILT"
    assert names_in(shouted) == phrases_in(shouted) == set()
    assert names_in(f"{shouted}\nby Olga Berg") == {"olga berg"}
    assert names_in("what is NATO") == {"nato"}
