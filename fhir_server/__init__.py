"""An open FHIR R4 interoperability server for Chinese family-doctor contracts."""

__version__ = "0.1.0"
