"""A source of your own: the pages of a wiki that lies in a JSON file. Run it: it checks itself."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ragmem import Agent, RawDocument, SourceItem


class WikiConnector:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.source_uri = f"wiki:{path.stem}"

    def discover(self) -> Iterator[SourceItem]:
        self._pages = json.loads(self._path.read_text())
        for title, page in self._pages.items():  # a page is fetched only when this changes
            yield SourceItem(uri=f"{self.source_uri}/{title}", fingerprint=str(page["revision"]))

    def fetch(self, item: SourceItem) -> RawDocument:
        title = item.uri.rpartition("/")[2]
        return RawDocument(uri=item.uri, name="page.md", content=self._pages[title]["text"])


with tempfile.TemporaryDirectory() as folder, Agent.open(f"{folder}/store") as agent:
    wiki = Path(folder, "team.json")
    lamp = {"revision": 1, "text": "# Lamp\n\nThe lamp has a warranty of 24 months."}
    wiki.write_text(json.dumps({"Lamp": lamp, "Door": {"revision": 7, "text": "It is green."}}))
    assert agent.knowledge.add(WikiConnector(wiki)).added == 2
    assert agent.knowledge.add(WikiConnector(wiki)).unchanged == 2
    wiki.write_text(json.dumps({"Lamp": lamp | {"revision": 2}}))  # the door's page is gone
    report = agent.knowledge.add(WikiConnector(wiki))
    assert (report.deleted, report.unchanged) == (1, 1)
    hit = agent.knowledge.search("How long is the warranty of the lamp?").hits[0]
    print(hit.document_uri, hit.text)
