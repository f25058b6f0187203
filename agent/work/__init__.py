"""What the marketplace may have done on this machine. Each kind of work is a module with a ``run(context, entry)``."""
