"""The API as people read it: pages, and an OpenAPI document, computed from the declarations that dispatch obeys."""
