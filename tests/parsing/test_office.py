"""What DOCX, PPTX and XLSX say beside their plain paragraphs."""

import io

import pytest
import xlsxwriter
from format_files import docx, paragraph, word_table, xlsx
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE

from ragmem.parsing.docx import parse_docx
from ragmem.parsing.limits import Limits
from ragmem.parsing.package import repack, unpack
from ragmem.parsing.pptx import parse_pptx
from ragmem.parsing.spreadsheet import parse_spreadsheet

LIMITS = Limits()
WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def text_of(rows: list[list[str]]) -> str:
    return parse_spreadsheet(xlsx({"S": rows}), limits=LIMITS).text


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("<m:f><m:num>{a+b}</m:num><m:den>{2}</m:den></m:f>", "(a+b)/2"),
        ("<m:sSup><m:e>{x}</m:e><m:sup>{2}</m:sup></m:sSup>", "x^2"),
        ("<m:rad><m:deg/><m:e>{y}</m:e></m:rad>", "√(y)"),
        ("<m:d><m:e>{a}</m:e><m:e>{b}</m:e></m:d>", "(a, b)"),
        (
            '<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{i}</m:sub><m:sup>{n}</m:sup>'
            "<m:e>{i}</m:e></m:nary>",
            "∑_i^n i",
        ),
    ],
)
@pytest.mark.parametrize("displayed", [False, True])
def test_formulas_stand_as_text_where_they_are(
    formula: str, expected: str, displayed: bool
) -> None:
    markup = formula.replace("{", "<m:r><m:t>").replace("}", "</m:t></m:r>")
    math = f"<m:oMath>{markup}</m:oMath>"
    if displayed:
        math = f"<m:oMathPara><m:oMathParaPr/>{math}</m:oMathPara>"
    body = f"<w:p><w:r><w:t>Area </w:t></w:r>{math}<w:r><w:t> here</w:t></w:r></w:p>"
    document = parse_docx(docx(body), limits=LIMITS)
    assert document.text == f"Area {expected} here"
    assert not document.warnings


def test_page_headers_and_footers_are_kept_once_without_page_numbers() -> None:
    header = f"<w:hdr {WORD}>{paragraph('Acme Ltd')}{paragraph('Page 3 of 9')}</w:hdr>"
    footer = f"<w:ftr {WORD}>{paragraph('Confidential')}{paragraph('7')}</w:ftr>"
    made = docx(paragraph("Body"), header1=header, header2=header, footer1=footer)
    assert parse_docx(made, limits=LIMITS).text == "Acme Ltd\n\nBody\n\nConfidential"


def test_strict_documents_are_read() -> None:
    members = unpack(docx(paragraph("Strict text")), most_bytes=10**6)
    members["word/document.xml"] = members["word/document.xml"].replace(
        b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        b"http://purl.oclc.org/ooxml/wordprocessingml/main",
    )
    assert parse_docx(repack(members).getvalue(), limits=LIMITS).text == "Strict text"


def test_word_tables_have_their_first_row_as_header() -> None:
    text = parse_docx(docx(word_table([["a", "b"], ["1", "2"]])), limits=LIMITS).text
    assert text == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_slides_tables_charts_groups_and_notes() -> None:
    made = Presentation()
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text = "Ducks"
    table = slide.shapes.add_table(2, 2, 0, 0, 9, 9).table
    for at, text in enumerate(["Year", "Count", "2025", "135"]):
        table.cell(at // 2, at % 2).text = text
    data = CategoryChartData()
    data.categories = ["North"]
    data.add_series("Seen", (12.5,))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, 9, 9, data)
    group = slide.shapes.add_group_shape()
    frame = group.shapes.add_textbox(0, 0, 9, 9).text_frame
    frame.text = "first"
    frame.add_paragraph().text = "second"
    frame.paragraphs[1].level = 1
    slide.notes_slide.notes_text_frame.text = "Say hello."
    made.slides.add_slide(made.slide_layouts[6])
    packed = io.BytesIO()
    made.save(packed)
    document = parse_pptx(packed.getvalue(), limits=LIMITS)
    assert document.text == (
        "# Ducks\n\n| Year | Count |\n| --- | --- |\n| 2025 | 135 |\n\n"
        "|  | Seen |\n| --- | --- |\n| North | 12.5 |\n\n"
        "- first\n  - second\n\n## Notes\n\nSay hello."
    )
    assert [page.number for page in document.pages] == [1]


def test_sheets_part_at_empty_rows_and_keep_titles_apart() -> None:
    rows = [["Ducks per year"], [], ["Year", "Ducks"], ["2025", "135.5"], [], ["", "x"], ["y", ""]]
    assert text_of(rows) == (
        "## S\n\nDucks per year\n\n| Year | Ducks |\n| --- | --- |\n| 2025 | 135.5 |\n\nx\n\ny"
    )


def test_rows_of_numbers_get_numbered_columns() -> None:
    assert text_of([["1", "2"], ["3", "4"]]).endswith(
        "| column 1 | column 2 |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |"
    )


def test_hidden_sheets_are_read_and_named() -> None:
    packed = io.BytesIO()
    with xlsxwriter.Workbook(packed, {"in_memory": True}) as workbook:
        workbook.add_worksheet("Front").write(0, 0, "seen")
        hidden = workbook.add_worksheet("Back")
        hidden.write(0, 0, "unseen")
        hidden.hide()
    document = parse_spreadsheet(packed.getvalue(), limits=LIMITS)
    assert "unseen" in document.text
    assert document.warnings == ("sheet 'Back' is hidden; it was read all the same",)
