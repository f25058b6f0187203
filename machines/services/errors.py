from common.errors import MarketplaceError


class MachineError(MarketplaceError):
    """Something about a machine, its listing or its benchmarks that the marketplace refuses."""


class AgentRefused(MarketplaceError):
    """A request of an agent that is refused: ``code`` and ``status`` as in ``docs/agent-protocol.md``, Answers.

    ``kept``: whether the administrator is to see it (:class:`machines.models.Refusal`).
    """

    def __init__(self, code: str, detail: str, *, status: int = 403, kept: bool = True, **more: object) -> None:
        super().__init__(detail)
        self.code, self.status, self.kept, self.more = code, status, kept, more


class Implausible(AgentRefused):
    """A signed report that says what cannot be: more than the GPU can do, another booking's erasure."""

    def __init__(self, detail: str) -> None:
        super().__init__("implausible", detail)
