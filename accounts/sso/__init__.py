"""Signing in at an organization's own provider: what goes over the line, by OpenID Connect and by SAML.

Who is let in by what the provider says is decided in :mod:`accounts.services.admittance`.
"""
