"""FHIR's own data types: pure functions and shapes, no I/O, no web, no storage."""
