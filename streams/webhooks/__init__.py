"""Requests to addresses that originators gave: signed, bounded, and never to the inside."""
