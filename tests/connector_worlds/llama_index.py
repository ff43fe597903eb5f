"""A folder of text files and an empty one, read by LlamaIndex's own directory reader."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.llama_index import LlamaIndexConnector


@contextmanager
def opened(folder: Path) -> Iterator[LlamaIndexConnector]:
    documents = folder / "documents"
    documents.mkdir()
    (documents / "kettle.txt").write_text("The kettle is under warranty.")
    (documents / "garden.md").write_text("# Garden\n\nWater the tomatoes.")
    (documents / "empty.txt").touch()
    yield LlamaIndexConnector(
        "llama-index:llama_index.core.readers.SimpleDirectoryReader",
        arguments={"input_dir": str(documents)},
    )
