"""`python -m fhir_server` is `fhir-server`."""

from fhir_server.cli import main

if __name__ == "__main__":
    main()
