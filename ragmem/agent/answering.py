"""From a question to a cited answer: search, choose evidence, generate, check, fall back.

Nothing a model wrote is shown before it is checked; what is shown is either supported by a quoted
sentence or is that sentence. Remembering the conversation is not done here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

from ragmem.agent.evidence import Evidence, EvidenceWeights, choose, rank_evidence
from ragmem.agent.generation import SentenceStream
from ragmem.agent.grounding import GroundingCheck, Verdict
from ragmem.agent.markup import plain
from ragmem.agent.prompts import NOT_FOUND, Excerpt, answer_messages, without_label
from ragmem.errors import GenerationError, QuestionTooLong, UnknownDocument
from ragmem.filters import Filter
from ragmem.ports import ChatModel, Embedder
from ragmem.retrieval.pack import pack
from ragmem.retrieval.readers import DocumentReader
from ragmem.retrieval.search import Searcher
from ragmem.retrieval.terms import words
from ragmem.retrieval.trace import TraceBuilder
from ragmem.types import Answer, Citation, Hit, Message, Scope

_TEMPLATE_TOKENS = 32
"""Room for the control tokens that a chat template adds around the messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSettings:
    """How an answer is made.

    Attributes:
        hits: how many chunks are looked at for evidence.
        pack_tokens: how many tokens of them, counted by the embedder.
        least_sufficiency: below this `RankedEvidence.sufficiency` the documents do not answer;
            calibrated for the default embedding model.
        evidence_sentences, evidence_words: how much evidence is quoted or shown to the model.
        evidence_margin: how far the score of further evidence may lie below the best.
        prompt_tokens: the most tokens of evidence in a prompt.
        completion_tokens: the most tokens that are generated.
        answer_sentences: how many supported sentences of the model are kept.
        answer_words: where quotations stop being added.
        least_similarity: of a generated sentence and its evidence.
        weights: of the parts of a sentence's score.
    """

    hits: int = 8
    pack_tokens: int = 1500
    least_sufficiency: float = 0.67
    evidence_sentences: int = 4
    evidence_words: int = 60
    evidence_margin: float = 0.3
    prompt_tokens: int = 350
    completion_tokens: int = 64
    answer_sentences: int = 2
    answer_words: int = 60
    least_similarity: float = 0.3
    weights: EvidenceWeights = field(default_factory=EvidenceWeights)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceEvent:
    """A sentence that passed the check, with what it rests on."""

    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerEvent:
    """The last event: the whole answer. Its text is the sentences joined by spaces."""

    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quotable:
    """Evidence whose span was read back from its document."""

    evidence: Evidence
    citation: Citation


class Answerer:
    """Answers questions from documents. Thread-safe where its parts are."""

    def __init__(
        self,
        *,
        searcher: Searcher,
        embedder: Embedder,
        documents: DocumentReader,
        chat: ChatModel | None = None,
        settings: AnswerSettings | None = None,
    ) -> None:
        """Put an answerer together; without a chat model every answer is a quotation."""
        self._searcher = searcher
        self._embedder = embedder
        self._documents = documents
        self._chat = chat
        self._settings = settings or AnswerSettings()
        self._check = GroundingCheck(embedder, least_similarity=self._settings.least_similarity)

    def answer(self, question: str, *, scope: Scope, where: Filter | None = None) -> Answer:
        """Answer a question.

        Args:
            question: what is asked.
            scope: who is asking.
            where: a filter over document metadata.

        Returns:
            The answer; `supported=False` and no citations where the documents do not hold one.

        Raises:
            UsageError: the question is empty.
            QuestionTooLong: it does not fit the model's context.
        """
        *_, last = self.stream(question, scope=scope, where=where)
        assert isinstance(last, AnswerEvent)
        return last.answer

    def stream(
        self, question: str, *, scope: Scope, where: Filter | None = None
    ) -> Iterator[SentenceEvent | AnswerEvent]:
        """Answer a question sentence by sentence, each checked before it is handed out.

        Args:
            question: what is asked.
            scope: who is asking.
            where: a filter over document metadata.

        Returns:
            Sentences, then one `AnswerEvent`; closing the iterator stops the model.

        Raises:
            UsageError: the question is empty.
            QuestionTooLong: it does not fit the model's context; raised by the call itself.
        """
        self._refuse_long(question)
        return self._events(question, scope, where)

    def _refuse_long(self, question: str) -> None:
        counter = self._chat or self._embedder
        tokens = counter.count_tokens([question])[0]
        if self._chat is None:
            limit = self._embedder.max_tokens
        else:
            around = self._count(answer_messages("", []))
            reserved = self._settings.prompt_tokens + self._settings.completion_tokens
            limit = self._chat.context_tokens - reserved - around
        if tokens > limit:
            raise QuestionTooLong(tokens=tokens, limit=max(0, limit))

    def _count(self, messages: Sequence[Message]) -> int:
        assert self._chat is not None
        counts = self._chat.count_tokens([message.content for message in messages])
        return sum(counts) + _TEMPLATE_TOKENS

    def _events(
        self, question: str, scope: Scope, where: Filter | None
    ) -> Iterator[SentenceEvent | AnswerEvent]:
        found = self._searcher.search(question, k=self._settings.hits, scope=scope, where=where)
        trace = TraceBuilder(found.trace)
        quotable = self._select(question, found.hits, scope, trace)
        said: list[SentenceEvent] = []
        if quotable and self._chat is not None:
            for sentence in self._generated(self._chat, question, quotable, trace):
                said.append(sentence)
                yield sentence
        for sentence in self._quoted(quotable, said, trace):
            said.append(sentence)
            yield sentence
        citations = dict.fromkeys(each for sentence in said for each in sentence.citations)
        yield AnswerEvent(
            answer=Answer(
                text=" ".join(sentence.text for sentence in said) or NOT_FOUND,
                supported=bool(said),
                citations=tuple(citations),
                trace=trace.trace(),
            )
        )

    def _select(
        self, question: str, hits: Sequence[Hit], scope: Scope, trace: TraceBuilder
    ) -> tuple[_Quotable, ...]:
        """The evidence to answer from, best first; empty where it does not suffice."""
        settings = self._settings
        with trace.stage("pack") as stage:
            packed = pack(
                hits,
                budget_tokens=settings.pack_tokens,
                counter=self._embedder,
                documents=self._documents,
                scope=scope,
            )
            stage.scores = {each.chunk_ids[0]: each.score for each in packed.passages}
            stage.details |= {"tokens": packed.tokens, "budget_tokens": settings.pack_tokens}
            stage.details["left_out"] = packed.left_out
        with trace.stage("select") as stage:
            ranked = rank_evidence(
                question,
                packed.passages,
                self._embedder,
                weights=settings.weights,
                known=[str(value) for hit in hits for value in hit.metadata.values()],
            )
            foreign = ranked.unnamed or ranked.undated
            sufficient = ranked.sufficiency >= settings.least_sufficiency and not foreign
            chosen = choose(
                ranked.sentences if sufficient else (),
                most_sentences=settings.evidence_sentences,
                most_words=settings.evidence_words,
                margin=settings.evidence_margin,
            )
            quotable = [(each, self._citation(each, scope)) for each in chosen]
            stage.details |= {
                "sufficiency": ranked.sufficiency,
                "least_sufficiency": settings.least_sufficiency,
                "unnamed": ranked.unnamed,
                "undated": ranked.undated,
                "sentences": len(ranked.sentences),
                "chosen": [_described(each) for each in chosen],
                "not_chosen": [
                    _described(each) for each in ranked.sentences[:8] if each not in chosen
                ],
                "changed_since_indexed": [
                    _place(each) for each, cited in quotable if cited is None
                ],
            }
        return tuple(
            _Quotable(evidence=each, citation=cited)
            for each, cited in quotable
            if cited is not None
        )

    def _citation(self, evidence: Evidence, scope: Scope) -> Citation | None:
        """The evidence as it stands in the document now; None where that is another text."""
        uri, start, end = evidence.document_uri, evidence.start, evidence.end
        try:
            quote = self._documents.read_span(uri, start, end, scope=scope)
            page = self._documents.page_at(uri, start, scope=scope)
        except UnknownDocument:
            return None
        if quote != evidence.text:
            return None
        return Citation(
            uri=uri, title=evidence.document_title, quote=quote, start=start, end=end, page=page
        )

    def _prompt(
        self, question: str, evidence: Sequence[Evidence]
    ) -> tuple[list[Message], list[Evidence]]:
        """The prompt with as many of the best sentences as fit, at least one, and those."""
        limit = self._settings.prompt_tokens + self._count(answer_messages(question, []))
        shown = list(evidence)
        while True:
            messages = answer_messages(question, _excerpts(shown))
            if len(shown) == 1 or self._count(messages) <= limit:
                return messages, shown
            shown.pop()

    def _generated(
        self, chat: ChatModel, question: str, quotable: Sequence[_Quotable], trace: TraceBuilder
    ) -> Iterator[SentenceEvent]:
        """The model's sentences that the evidence supports; the rest stands in the trace."""
        citations = {each.evidence: each.citation for each in quotable}
        messages, shown = self._prompt(question, list(citations))
        reply = SentenceStream(chat, messages, max_tokens=self._settings.completion_tokens)
        verdicts: list[Verdict] = []
        checking = 0.0
        try:
            for generated in reply:
                started = perf_counter()
                sentence = without_label(generated, _excerpts(shown))
                verdict = self._verdict(sentence, question, shown, verdicts)
                verdicts.append(verdict)
                checking += perf_counter() - started
                if verdict.supported:
                    cited = tuple(citations[each] for each in verdict.evidence)
                    yield SentenceEvent(text=plain(sentence), citations=cited)
                if sum(each.supported for each in verdicts) == self._settings.answer_sentences:
                    break
        finally:
            trace.add("generate", reply.seconds, self._generation_details(messages, shown, reply))
            trace.add("ground", checking, {"sentences": [_judged(each) for each in verdicts]})

    def _verdict(
        self,
        sentence: str,
        question: str,
        shown: Sequence[Evidence],
        earlier: Sequence[Verdict],
    ) -> Verdict:
        if words(sentence) in [words(each.sentence) for each in earlier]:
            return Verdict(sentence=sentence, supported=False, reason="it was said before")
        return self._check.check(sentence, question=question, evidence=shown)

    def _generation_details(
        self, messages: Sequence[Message], shown: Sequence[Evidence], reply: SentenceStream
    ) -> Mapping[str, object]:
        assert self._chat is not None
        prompt_tokens = completion_tokens = None
        # An engine that failed may not count any more either; the quotations must still come.
        with suppress(GenerationError):
            prompt_tokens = self._count(messages)
            completion_tokens = self._chat.count_tokens([reply.text])[0]
        return {
            "model": self._chat.model_id,
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "shown": [_place(each) for each in shown],
            "text": reply.text,
            "cut_off": reply.cut_off,
            "failure": reply.failure,
        }

    def _quoted(
        self, quotable: Sequence[_Quotable], said: Sequence[SentenceEvent], trace: TraceBuilder
    ) -> Iterator[SentenceEvent]:
        """Quotations, best first, of what was not said yet, while the answer stays short."""
        cited = {citation for sentence in said for citation in sentence.citations}
        spent = sum(len(sentence.text.split()) for sentence in said)
        quoted: list[str] = []
        for each in quotable:
            length = len(each.evidence.text.split())
            too_long = (said or quoted) and spent + length > self._settings.answer_words
            if each.citation in cited or too_long:
                continue
            spent += length
            quoted.append(_place(each.evidence))
            yield SentenceEvent(text=f"“{plain(each.evidence.text)}”", citations=(each.citation,))
        trace.add("quote", 0.0, {"quoted": quoted})


def _excerpts(evidence: Sequence[Evidence]) -> list[Excerpt]:
    return [Excerpt(title=each.document_title, text=plain(each.text)) for each in evidence]


def _place(evidence: Evidence) -> str:
    return f"{evidence.document_uri}:{evidence.start}-{evidence.end}"


def _described(evidence: Evidence) -> Mapping[str, object]:
    parts = ("score", "cosine", "coverage", "passage", "kind")
    return {"at": _place(evidence), **{name: getattr(evidence, name) for name in parts}}


def _judged(verdict: Verdict) -> Mapping[str, object]:
    return {
        "text": verdict.sentence,
        "supported": verdict.supported,
        "reason": verdict.reason,
        "similarity": verdict.similarity,
        "evidence": [_place(each) for each in verdict.evidence],
    }
