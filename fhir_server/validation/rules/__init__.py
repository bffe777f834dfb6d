"""One file per facet of a definition: what builds its check, and the check, https://hl7.org/fhir/R4/elementdefinition.html."""
