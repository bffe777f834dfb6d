"""FHIRPath for FHIR R4, http://hl7.org/fhirpath/N1: one parser, a typed transpiler, a general evaluator.

    from fhir_server.fhirpath import compile
    expression = compile("name.where(use = 'official').given", "Patient")
    expression.evaluate(patient)          -> ["小明"]
"""
