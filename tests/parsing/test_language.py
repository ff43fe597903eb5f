"""Language detection says nothing rather than something wrong."""

import pytest

from ragmem.parsing.language import detect_language


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "The warranty covers the battery for two years after the purchase."),
        ("de", "Die Garantie gilt für den Akku zwei Jahre lang nach dem Kauf."),
        ("fr", "La garantie couvre la batterie pendant deux ans après l'achat."),
        ("ru", "Гарантия на аккумулятор действует два года после покупки."),
        ("ja", "保証期間は購入後二年間です。電池も対象になります。"),
        ("", "OK 24"),
        ("", "SELECT a FROM b WHERE c"),
        ("", "Müller Berlin Hamburg Schmidt GmbH"),
        ("", "| 1 | 2 | 3 |\n| 4 | 5 | 6 |"),
        ("", ""),
    ],
)
def test_languages(code: str, text: str) -> None:
    assert detect_language(text) == code


def test_a_foreign_beginning_does_not_decide_alone() -> None:
    german = "Vorwort des Herausgebers zur deutschen Ausgabe dieses Buches. " * 20
    english = "This chapter explains how the machine is cleaned and stored. " * 1000
    assert detect_language(german + english) == "en"


def test_a_foreign_bibliography_does_not_decide_alone() -> None:
    german = "Die Maschine wird nach jedem Gebrauch gereinigt und trocken gelagert. " * 150
    english = "Journal of the Society for the Cleaning of Machines and Other Things. " * 30
    assert detect_language(german + english) == "de"
