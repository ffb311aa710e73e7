"""Holding back a write that would only be undone again: by admission on its way in, or by somebody who keeps changing the replica."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from clustersync.core.contest import Contests
from clustersync.core.model import Replica, Target
from clustersync.core.render import Rendered
from clustersync.core.scoreboard import State
from clustersync.sync.outcome import Outcome, Retry
from clustersync.sync.writer import Writer


class Restraint:
    """Knows the fights of one cluster and says when to sit one out."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._contests = Contests()

    async def before_write(self, target: Target, content: Rendered, observed: Replica | None) -> Outcome | None:
        """Return why a write that is due is not done now, None where it is."""
        if observed is not None and observed.intended == content.digest:
            message = f"an admission webhook changes {target} on its way in; tried again when the source changes"
            return Outcome(State.FAILED, "MutatedByAdmission", message)
        await self._ask_for_rival(target, content)
        wait = self._contests.wait_seconds(target, content.digest, _now())
        if wait <= 0:
            return None
        message = f"{target} was restored just now and changed again"
        patient = Outcome(State.PENDING, "Repaired", message, Retry.AFTER, after_seconds=wait)
        return self.verdict(target, content, undone=True) or patient

    def after_write(self, target: Target, content: Rendered, outcome: Outcome, *, repaired: bool) -> Outcome:
        """Note a write; from the third repair on the target counts as failed until it has been left alone."""
        if not repaired and not self._contests.is_fought_over(target, content.digest, _now()):
            return outcome
        self._contests.repaired(target, content.digest, _now())
        contested = self.verdict(target, content, undone=False)
        return replace(contested, wrote=True) if contested is not None else outcome

    def verdict(self, target: Target, content: Rendered, *, undone: bool) -> Outcome | None:
        """Return the failure of a target that somebody keeps changing, for as long as the next repair has to wait."""
        wait = self._contests.wait_seconds(target, content.digest, _now())
        if wait <= 0 or not self._contests.is_contested(target, content.digest, _now(), undone=undone):
            return None
        rival = self._contests.rival(target) or "somebody"
        message = f"{rival} keeps changing {target}; make it leave the replica alone, or take the namespace out of the selection"
        return Outcome(State.FAILED, "Contested", message, Retry.AFTER, after_seconds=wait)

    async def _ask_for_rival(self, target: Target, content: Rendered) -> None:
        """Before a repair that counts as contested, see once whose change it undoes."""
        if self._contests.is_contested(target, content.digest, _now(), undone=True) and not self._contests.rival(target):
            self._contests.name_rival(target, await self._writer.rival(target))


def _now() -> float:
    return asyncio.get_running_loop().time()
