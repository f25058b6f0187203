from common.errors import MarketplaceError


class MachineError(MarketplaceError):
    """Something about a machine, its listing or its benchmarks that the marketplace refuses."""
