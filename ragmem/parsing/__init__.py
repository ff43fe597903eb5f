"""Parsing: from bytes to text with structure. One module a family of formats.

`parser.DocumentParser` is the entry point; `formats.SUPPORTED_SUFFIXES` says what it takes. Nothing
here fetches anything: external entities, images and styles of a document are never followed.
Where documents come from is the connectors' business, how they are cut the chunkers'.
"""
