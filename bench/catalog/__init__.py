"""Scenario files, backend files and suites, found by listing folders: nothing is registered, nothing is imported."""
