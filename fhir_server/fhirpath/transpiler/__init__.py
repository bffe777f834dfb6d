"""The fast engine: typed FHIRPath to Python source, http://hl7.org/fhirpath/N1."""
