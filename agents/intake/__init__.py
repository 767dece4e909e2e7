"""Intake: what changed in a loan book, found by comparing it with the latest version of every asset."""
