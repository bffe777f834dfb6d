"""FHIR operations and the long works of the command line, one file each."""
