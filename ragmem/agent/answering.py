"""From a question to a cited answer: search, choose evidence, generate, check, fall back.

Nothing a model wrote is shown before it is checked; what is shown is either supported by a quoted
sentence or is that sentence. Remembering the conversation is not done here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

from ragmem.agent.answer_settings import AnswerSettings
from ragmem.agent.evidence import Evidence
from ragmem.agent.generation import SentenceStream
from ragmem.agent.grounding import GroundingCheck, Verdict
from ragmem.agent.markup import plain
from ragmem.agent.prompts import NOT_FOUND, Excerpt, answer_messages, without_label
from ragmem.agent.selection import EvidenceSelector, Quotable, place
from ragmem.errors import GenerationError, QuestionTooLong
from ragmem.filters import Filter
from ragmem.ports import ChatModel, Embedder
from ragmem.retrieval.corrective import CorrectiveSearch, Judgement, ReadsMore
from ragmem.retrieval.readers import DocumentReader
from ragmem.retrieval.rewriting import RULES, Rewriter
from ragmem.retrieval.search import Searcher, check_question
from ragmem.retrieval.terms import words
from ragmem.retrieval.trace import TraceBuilder
from ragmem.types import Answer, Citation, Hit, Message, Scope

_TEMPLATE_TOKENS = 32
"""Room for the control tokens that a chat template adds around the messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceEvent:
    """A sentence that passed the check, with what it rests on."""

    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerEvent:
    """The last event: the whole answer. Its text is the sentences joined by spaces."""

    answer: Answer


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
        rewriters: Sequence[Rewriter] = RULES,
        reads_more: ReadsMore | None = None,
    ) -> None:
        """Put an answerer together; without a chat model every answer is a quotation.

        Args:
            searcher: finds.
            embedder: the model that embedded the documents.
            documents: reads them.
            chat: writes the answers.
            settings: how an answer is made.
            rewriters: what is searched for instead where the documents do not seem to answer.
            reads_more: reads on where no search finds an answer.
        """
        self._embedder = embedder
        self._chat = chat
        self._settings = settings or AnswerSettings()
        self._selector = EvidenceSelector(
            embedder=embedder, documents=documents, settings=self._settings
        )
        self._search = CorrectiveSearch(
            searcher=searcher,
            budget=self._settings.corrective,
            rewriters=rewriters,
            reads_more=reads_more,
        )
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
            UsageError: the question is empty or no text.
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
            UsageError: the question is empty or no text; like the next, raised by the call itself.
            QuestionTooLong: it does not fit the model's context.
        """
        check_question(question)
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
        trace = TraceBuilder()

        def judge(hits: Sequence[Hit], number: int) -> Judgement[tuple[Quotable, ...]]:
            return self._selector.judge(question, hits, number, scope, trace)

        quotable = self._search.search(
            question, k=self._settings.hits, scope=scope, where=where, judge=judge, trace=trace
        ).evidence
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
        self, chat: ChatModel, question: str, quotable: Sequence[Quotable], trace: TraceBuilder
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
            "shown": [place(each) for each in shown],
            "text": reply.text,
            "cut_off": reply.cut_off,
            "failure": reply.failure,
        }

    def _quoted(
        self, quotable: Sequence[Quotable], said: Sequence[SentenceEvent], trace: TraceBuilder
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
            quoted.append(place(each.evidence))
            yield SentenceEvent(text=f"“{plain(each.evidence.text)}”", citations=(each.citation,))
        trace.add("quote", 0.0, {"quoted": quoted})


def _excerpts(evidence: Sequence[Evidence]) -> list[Excerpt]:
    return [Excerpt(title=each.document_title, text=plain(each.text)) for each in evidence]


def _judged(verdict: Verdict) -> Mapping[str, object]:
    return {
        "text": verdict.sentence,
        "supported": verdict.supported,
        "reason": verdict.reason,
        "similarity": verdict.similarity,
        "evidence": [place(each) for each in verdict.evidence],
    }
