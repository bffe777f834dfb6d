"""What is known about R4 and the loaded packages, https://hl7.org/fhir/R4/conformance-module.html."""
