"""Small files of every format that ragmem reads, made on the spot.

Each says that the warranty covers the battery for 24 months, somewhere after a heading.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path

FACT = "The warranty covers the battery for 24 months."
TITLE = "Warranty of the Aurora lamp"
OTHER = "Returned lamps are repaired in Lisbon within ten working days of their arrival."

_CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)
_ROOT = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Target="word/document.xml" Type="http://schemas.openxmlformats.org/'
    'officeDocument/2006/relationships/officeDocument"/></Relationships>'
)
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"


def write_all(folder: Path) -> dict[str, Path]:
    """Write one file of each format.

    Returns:
        The paths by suffix without the dot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: dict[str, Path] = {}
    for suffix, content in all_formats().items():
        paths[suffix] = folder / f"aurora.{suffix}"
        paths[suffix].write_bytes(content)
    return paths


def all_formats() -> dict[str, bytes]:
    """The content of one file of each format, by suffix."""
    table = [["Part", "Months"], ["Battery", "24"], ["Shade", "12"]]
    record = {"title": TITLE, "fact": FACT, "parts": [{"name": "Battery", "months": 24}]}
    texts = {
        "txt": f"{TITLE}\n\n{FACT}\n\n{OTHER}\n",
        "md": f"# {TITLE}\n\n{FACT}\n\n## Repairs\n\n{OTHER}\n\n```python\nmonths = 24\n```\n",
        "rst": f"{TITLE}\n{'=' * len(TITLE)}\n\n{FACT}\n\nRepairs\n-------\n\n{OTHER}\n\n"
        "Example::\n\n    months = 24\n",
        "html": f"<html lang='en'><head><title>{TITLE}</title><style>p {{}}</style></head><body>"
        f"<h1>{TITLE}</h1><p>{FACT}</p><ul><li>Battery<li>Shade</ul><p>{OTHER}</p></body></html>",
        "csv": f'Part,Months,Note\nBattery,24,{FACT}\nShade,12,"{OTHER}, at no cost"\n',
        "tsv": f"Part\tMonths\tNote\nBattery\t24\t{FACT}\nShade\t12\t{OTHER}\n",
        "json": json.dumps(record, indent=1),
        "jsonl": "".join(json.dumps(r) + "\n" for r in (record, {"title": "Repairs", "x": OTHER})),
        "py": f'"""{TITLE}."""\n\n\ndef months() -> int:\n    """{FACT}"""\n    return 24\n',
        "go": f"// {FACT}\npackage warranty\n\nfunc Months() int {{ return 24 }}\n",
    }
    return {
        **{suffix: text.encode() for suffix, text in texts.items()},
        "pdf": pdf(
            [[TITLE, "", FACT], ["Repairs", "", OTHER]], outline=[(TITLE, 0), ("Repairs", 1)]
        ),
        "docx": docx(
            paragraph(TITLE, style="Heading1") + paragraph(FACT) + word_table(table)
            + paragraph(OTHER)
        ),
        "pptx": pptx([(TITLE, FACT), ("Repairs", OTHER)]),
        "xlsx": xlsx({"Warranty": [*table, ["Note", FACT]], "Repairs": [["Note"], [OTHER]]}),
        "eml": message(),
        "epub": epub([f"<h1>{TITLE}</h1><p>{FACT}</p>", f"<h2>Repairs</h2><p>{OTHER}</p>"]),
    }  # fmt: skip


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive of these members."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def pdf(pages: list[list[str]], *, outline: list[tuple[str, int]] | None = None) -> bytes:
    """A PDF of pages of lines, an empty line being a gap; `outline` names titles and pages."""
    objects: list[bytes] = [b"", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    references: list[str] = []
    for lines in pages:
        drawn = "".join(f"({_escaped(line)}) Tj T* " if line else "T* " for line in lines)
        stream = f"BT /F1 12 Tf 14 TL 72 720 Td {drawn}ET".encode("latin-1")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        references.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(references)}] >>".encode()
    outlines = ""
    if outline:
        root = len(objects) + 1
        outlines = f" /Outlines {root} 0 R"
        first, last = root + 1, root + len(outline)
        objects.append(f"<< /Type /Outlines /First {first} 0 R /Last {last} 0 R >>".encode())
        for at, (title, page) in enumerate(outline):
            link = f" /Next {first + at + 1} 0 R" if first + at < last else ""
            objects.append(
                f"<< /Title ({_escaped(title)}) /Parent {root} 0 R{link} "
                f"/Dest [{references[page]} /Fit] >>".encode()
            )
    objects[0] = f"<< /Type /Catalog /Pages 2 0 R{outlines} >>".encode()
    return _pdf_file(objects)


def encrypted_pdf() -> bytes:
    """A PDF whose encryption dictionary fits no empty password."""
    plain = pdf([["secret"]])
    entry = (
        b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <" + b"41" * 32 + b"> /U <" + b"42" * 32
    ) + b"> >> /ID [<00> <00>]"
    return plain.replace(b"/Root 1 0 R >>", b"/Root 1 0 R " + entry + b" >>")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _pdf_file(objects: list[bytes]) -> bytes:
    body = bytearray(b"%PDF-1.7\n")
    offsets: list[int] = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    body += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    body += b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
    body += b"startxref\n%d\n%%%%EOF\n" % table
    return bytes(body)


def paragraph(text: str, *, style: str = "") -> str:
    """A Word paragraph."""
    named = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{named}<w:r><w:t>{text}</w:t></w:r></w:p>"


def word_table(rows: list[list[str]]) -> str:
    """A Word table."""
    cells = ("".join(f"<w:tc>{paragraph(text)}</w:tc>" for text in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def docx(body: str, **parts: str) -> bytes:
    """A Word document; `parts` are further members below `word/`, without `.xml`."""
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{level}">'
        f'<w:name w:val="heading {level}"/></w:style>'
        for level in (1, 2)
    )
    return zipped(
        {
            "[Content_Types].xml": _CONTENT_TYPES,
            "_rels/.rels": _ROOT,
            "word/document.xml": f'<w:document xmlns:w="{_WORD}" xmlns:m="{_MATH}">'
            f"<w:body>{body}</w:body></w:document>",
            "word/styles.xml": f'<w:styles xmlns:w="{_WORD}">{styles}</w:styles>',
            "word/_rels/document.xml.rels": _ROOT.replace('officeDocument"', 'styles"').replace(
                "word/document.xml", "styles.xml"
            ),
            **{f"word/{name}.xml": text for name, text in parts.items()},
        }
    )


def pptx(slides: list[tuple[str, str]]) -> bytes:
    """A presentation of slides with a title and a text; the first has notes."""
    from pptx import Presentation

    presentation = Presentation()
    for title, text in slides:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = text
    presentation.slides[0].notes_slide.notes_text_frame.text = "Ask who has a receipt."
    packed = io.BytesIO()
    presentation.save(packed)
    return packed.getvalue()


def xlsx(sheets: Mapping[str, list[list[str]]]) -> bytes:
    """A workbook; texts of digits become numbers."""
    import xlsxwriter

    packed = io.BytesIO()
    with xlsxwriter.Workbook(packed, {"in_memory": True, "strings_to_numbers": True}) as workbook:
        for name, rows in sheets.items():
            sheet = workbook.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
    return packed.getvalue()


def message() -> bytes:
    """A message with a plain and an HTML text and an attachment."""
    mail = EmailMessage()
    mail["From"] = "Ana <ana@example.org>"
    mail["To"] = "Ben <ben@example.org>"
    mail["Date"] = "Mon, 02 Mar 2026 10:00:00 +0000"
    mail["Subject"] = TITLE
    mail.set_content(f"{FACT}\n\n{OTHER}\n")
    mail.add_alternative(f"<p>{FACT}</p><p>{OTHER}</p>", subtype="html")
    mail.add_attachment(b"\x00\x01", maintype="application", subtype="zip", filename="photos.zip")
    return bytes(mail)


def epub(chapters: list[str]) -> bytes:
    """A book."""
    names = [f"c{number}.xhtml" for number in range(1, len(chapters) + 1)]
    items = "".join(
        f'<item id="{name}" href="{name}" media-type="application/xhtml+xml"/>' for name in names
    )
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    page = '<html xmlns="http://www.w3.org/1999/xhtml"><body>{}</body></html>'
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": "<container><rootfiles>"
            '<rootfile full-path="OPS/book.opf"/></rootfiles></container>',
            "OPS/book.opf": '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
            f"<dc:title>{TITLE}</dc:title><dc:language>en-GB</dc:language>"
            f"<dc:creator>Ana</dc:creator></metadata><manifest>{items}</manifest>"
            f"<spine>{spine}</spine></package>",
            **{f"OPS/{name}": page.format(c) for name, c in zip(names, chapters, strict=True)},
        }
    )
