"""Responses → a generation: which extraction, deduplication, and a reason for whatever is not kept.

Pure: the same responses give the same generation, so stored responses can be extracted again under another version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from models.backend_config import ExtractionVersion
from models.extraction import coderm, tree
from models.extraction.reasons import UNREAD, Extracted
from models.extraction.stdin_case import extract_case
from models.run_record import Generation, GenerationRequest, Response, Sample


def extract(request: GenerationRequest, responses: Sequence[Response], version: ExtractionVersion) -> Generation:
    """One sample a response, in their order. Tests are deduplicated within the request, as CodeRM does; solutions never."""
    seen: set[str] = set()
    samples = []
    for response in responses:
        found = _extract_one(request, response, version)
        if found.content is not None and request.kind == "test":
            found = Extracted(None, "duplicate") if found.key in seen else found
            seen.add(found.key)
        told = response.model_dump(include=set(Response.model_fields))
        samples.append(Sample(**told, content=found.content, discard_reason=found.reason))
    return Generation(task_id=request.task_id, kind=request.kind, prompt_digest=request.prompt_digest, samples=tuple(samples))


def unread(request: GenerationRequest) -> Generation:
    """What comes of a prompt that the model cannot read: every sample is discarded, with that reason."""
    return extract(request, [Response(finish_reason=UNREAD)] * request.n, "ast-2")


def _extract_one(request: GenerationRequest, response: Response, version: ExtractionVersion) -> Extracted:
    text, cut = response.text, response.finish_reason == "length"
    if response.finish_reason == UNREAD:
        return Extracted(None, UNREAD)
    if not text.strip():
        return Extracted(None, "filtered" if response.finish_reason == "content_filter" else "truncated" if cut else "empty")
    if request.kind == "test" and request.style == "stdin":
        return extract_case(text)
    if version == "coderm-1":
        found = coderm.extract_solution(text) if request.kind == "solution" else coderm.extract_test(text)
        return Extracted(None, "truncated") if cut and found.reason in ("no_code_block", "does_not_parse") else found
    if version == "ast-2":
        wanted = request.entry_point if request.style == "function" else None
        if request.kind == "solution":
            return tree.extract_solution(text, wanted, cut=cut)
        return tree.extract_test(text, request.entry_point, cut=cut)
    assert_never(version)
