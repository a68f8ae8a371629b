"""A version becomes champion when a comparison with the champion shows that it is not worse, or by force with a reason."""

from typing import Any

from prefect import flow

from flows.compare import compare
from models.errors import InputError
from tasks.progress import without_known_tracebacks
from tasks.promote_version import find_promotion, promote_version


@flow(name="promote", validate_parameters=True)
def promote(version: str = "challenger", margin: float = 0.01, force: bool = False, reason: str = "") -> dict[str, Any]:
    """Promote a version. Returns version, uri, aliases and the evidence.

    Args:
        version: An alias or a version's number.
        margin: Share of problems that it may lose against the champion and still count as not worse.
        force: Promote it against what the comparison shows; needs a reason.
        reason: Why it is forced; recorded with the version.

    Raises PromotionRefused when it is not shown to be within ``margin`` of the champion, InputError for an unknown version.
    """
    without_known_tracebacks()
    number, champion = find_promotion(version, force, reason)
    evidence: dict[str, Any] = {}
    if champion is not None:
        try:
            evidence = compare(str(champion), str(number), margin=margin)
        except InputError as error:
            if not force:
                raise
            evidence = {"why_not": [f"could not be compared: {error}"]}
    promoted = promote_version(number, champion, evidence, force, reason)
    return {"version": promoted.number, "uri": promoted.uri, "aliases": list(promoted.aliases), "evidence": evidence}
