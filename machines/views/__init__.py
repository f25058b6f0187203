"""A provider's pages, one module an aggregate."""
